//! The history of one patient, cut from a bundle of `tests/data`, and its copies under other ids and names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use uuid::Builder;
use uuid::Uuid;

/// Resources at which no further encounter is added.
const RESOURCES: usize = 60;

const FAMILIES: [&str; 16] = [
    "Abernathy",
    "Bergström",
    "Castillo",
    "Dvořák",
    "Ekwueme",
    "Fitzgerald",
    "García",
    "Hashimoto",
    "Ivanova",
    "Jørgensen",
    "Kowalska",
    "Łukasik",
    "Murphy",
    "Nguyễn",
    "O'Sullivan",
    "Petrov",
];
const GIVEN: [&str; 10] = [
    "Ana", "Björn", "Chidi", "Dolores", "Émile", "Fatima", "Grace", "Hiro", "Ingrid", "José",
];

/// A patient and the resources of the latest encounters; references are literal (`Type/id`).
pub(super) struct Template {
    /// The Patient first.
    resources: Vec<Value>,
    ids: BTreeSet<Uuid>,
}

impl Template {
    /// Cuts a history out of the resources of one bundle, whose references are `urn:uuid:`.
    pub(super) fn cut(all: &[Value]) -> anyhow::Result<Self> {
        let mut by_encounter: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for resource in all {
            if let Some(encounter) = text(resource, "/encounter/reference") {
                by_encounter.entry(encounter).or_default().push(resource);
            }
        }
        let patient = all.iter().find(|it| is_a(it, "Patient"));
        let mut kept = vec![patient.context("a bundle without a Patient")?];
        // The latest first; Synthea writes them in the order of time.
        for encounter in all.iter().rev().filter(|it| is_a(it, "Encounter")) {
            if kept.len() >= RESOURCES {
                break;
            }
            let urn = format!("urn:uuid:{}", text(encounter, "/id").unwrap_or_default());
            kept.push(encounter);
            kept.extend(by_encounter.get(urn.as_str()).into_iter().flatten());
        }
        let resources = kept.into_iter().filter(|it| !is_a(it, "CarePlan")).cloned();
        let resources: Vec<Value> = resources.collect();
        let ids = resources.iter().filter_map(id).collect();
        Ok(Self { resources, ids })
    }

    /// Makes references literal, by the types of all resources of all bundles. What refers to resources that are not kept
    /// loses its reference.
    pub(super) fn link(&mut self, directory: &BTreeMap<Uuid, String>) {
        let mut types = directory.clone();
        let own = self.resources.iter();
        types.extend(own.filter_map(|it| Some((id(it)?, text(it, "/resourceType")?.to_owned()))));
        for resource in &mut self.resources {
            link(resource, &types);
        }
    }

    /// The history of the patient of a number: other ids, names, identifiers and another day of birth.
    pub(super) fn copy(&self, number: u32) -> Vec<Value> {
        let mut copies = self.resources.clone();
        for (place, resource) in copies.iter_mut().enumerate() {
            self.rename(resource, number);
            if let Some(id) = id(resource) {
                set(resource, "id", json!(derived(id, number)));
            }
            if place == 0 {
                personalize(resource, number);
            }
        }
        copies
    }

    fn rename(&self, value: &mut Value, number: u32) {
        for_each_reference(value, &mut |reference| {
            let (kind, id) = reference.split_once('/')?;
            let id = id.parse().ok().filter(|id| self.ids.contains(id))?;
            Some(format!("{kind}/{}", derived(id, number)))
        });
    }
}

/// Makes the references of a resource literal.
pub(super) fn link(resource: &mut Value, types: &BTreeMap<Uuid, String>) {
    for_each_reference(resource, &mut |reference| {
        let id = reference.strip_prefix("urn:uuid:")?.parse().ok()?;
        // Synthea's own files refer to resources of types that were left out.
        let kind = types.get(&id).map_or("Basic", String::as_str);
        Some(format!("{kind}/{id}"))
    });
    drop_dangling(resource);
}

/// Whether a resource is of a type.
pub(super) fn is_a(resource: &Value, kind: &str) -> bool {
    text(resource, "/resourceType") == Some(kind)
}

/// A string of a resource.
pub(super) fn text<'v>(resource: &'v Value, pointer: &str) -> Option<&'v str> {
    resource.pointer(pointer)?.as_str()
}

/// The id of a resource.
pub(super) fn id(resource: &Value) -> Option<Uuid> {
    text(resource, "/id")?.parse().ok()
}

/// The names and identifiers of the patient of a number.
pub(super) fn personalize(patient: &mut Value, number: u32) {
    let pick = |list: &[&'static str], number: u32| {
        let number = usize::try_from(number).unwrap_or_default();
        list.get(number % list.len()).copied().unwrap_or_default()
    };
    let family = format!(
        "{}-{}",
        pick(&FAMILIES, number),
        pick(&FAMILIES, number / 16)
    );
    let given = [pick(&GIVEN, number), pick(&GIVEN, number / 10)];
    let name = json!([{"use": "official", "family": family, "given": given}]);
    set(patient, "name", name);
    for (place, identifier) in array(patient, "identifier").iter_mut().enumerate() {
        let value = format!("{}{number:08}", place + 1);
        set(identifier, "value", json!(value));
    }
    let month = text(patient, "/birthDate").and_then(|date| date.get(..8));
    if let Some(month) = month {
        let day = format!("{month}{:02}", 1 + number % 28);
        set(patient, "birthDate", json!(day));
    }
}

/// Sets a field of an object.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn array<'v>(value: &'v mut Value, name: &str) -> &'v mut [Value] {
    let items = value.get_mut(name).and_then(Value::as_array_mut);
    items.map_or(&mut [], Vec::as_mut_slice)
}

/// The id of a copy: a bijection of the id for each number, up to the bits of version and variant.
fn derived(id: Uuid, number: u32) -> Uuid {
    let (high, low) = id.as_u64_pair();
    let high = mixed(high ^ u64::from(number));
    let low = mixed(low ^ high);
    Builder::from_random_bytes(Uuid::from_u64_pair(high, low).into_bytes()).into_uuid()
}

/// The finalizer of `SplitMix64`.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn for_each_reference(value: &mut Value, change: &mut impl FnMut(&str) -> Option<String>) {
    match value {
        Value::Array(items) => {
            for item in items {
                for_each_reference(item, change);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let changed = field
                    .as_str()
                    .filter(|_| name == "reference")
                    .and_then(&mut *change);
                match changed {
                    Some(changed) => *field = Value::String(changed),
                    None => for_each_reference(field, change),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Replaces references to what is not part of any history.
fn drop_dangling(value: &mut Value) {
    let is_dangling = text(value, "/reference").is_some_and(|it| it.starts_with("Basic/"));
    match value {
        Value::Object(_) if is_dangling => *value = json!({"display": "not part of this history"}),
        Value::Object(fields) => fields.values_mut().for_each(drop_dangling),
        Value::Array(items) => items.iter_mut().for_each(drop_dangling),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_refers_to_its_own_resources() {
        let patient = "67a1be2e-672e-4abe-937e-84923360ea7d";
        let encounter = "c7d86aa4-cd32-48a2-903e-26e761f7026d";
        let subject = json!({"reference": format!("urn:uuid:{patient}")});
        let all = [
            json!({"resourceType": "Patient", "id": patient, "birthDate": "1978-12-12",
                   "identifier": [{"value": "1"}]}),
            json!({"resourceType": "Encounter", "id": encounter, "subject": subject,
                   "serviceProvider": {"reference": "urn:uuid:6036abb4-2111-43af-afbd-e26ca39bd11c"}}),
        ];
        let mut template = Template::cut(&all).unwrap();
        template.link(&BTreeMap::new());
        let [one, other] = [template.copy(1), template.copy(2)];
        assert_ne!(one[0]["id"], other[0]["id"]);
        assert_ne!(one[0]["identifier"], other[0]["identifier"]);
        assert_eq!(one[0]["birthDate"], "1978-12-02");
        let patient = one[0]["id"].as_str().unwrap();
        assert_eq!(one[1]["subject"]["reference"], format!("Patient/{patient}"));
        assert_eq!(
            one[1]["serviceProvider"],
            json!({"display": "not part of this history"})
        );
        assert_eq!(template.copy(1), one);
    }
}
