//! The entry of a Bundle that is made of an entry of a file: `PUT Type/id`, or `POST Type` with the entry's own condition,
//! with references to the file resolved and everything else unchanged.

use fhir::SensitiveJson;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;

use super::head::Head;
use super::identifier::IdentifierElements;
use super::names::Identity;
use super::names::Names;
use super::phase::ImportPhase;
use super::phase::Kind;
use super::source::EntryPosition;
use super::source::Item;

/// An entry that is ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) place: EntryPosition,
    pub(super) kind: &'static str,
    pub(super) json: String,
}

/// Makes entries of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preparation<'n> {
    pub(super) names: &'n Names,
    pub(super) identifiers: &'n IdentifierElements,
}

impl Preparation<'_> {
    /// The entry of a request, for an entry of a stored type.
    pub(super) fn prepare(self, item: &Item<'_>, head: &Head, kind: Kind) -> Prepared {
        let identity = self.names.identity(item, head, kind);
        let text = item.resource.map_or("null", RawValue::get);
        let resource = if self.needs_change(text, head, &identity) {
            self.changed(text, &identity, kind)
        } else {
            text.to_owned()
        };
        // Without any id the URL ends in a slash, which the server refuses with a reason.
        let url = || {
            format!(
                "{}/{}",
                kind.name,
                identity.id.as_deref().unwrap_or_default()
            )
        };
        let request = match self.names.condition(item) {
            Some(condition) => {
                json!({"method": "POST", "url": kind.name, "ifNoneExist": condition})
            }
            None => json!({"method": "PUT", "url": url()}),
        };
        // A URL is not sent as fullUrl: with another server's URL there, relative references would name that server's
        // resources, while every resource has its id here. With a condition it has none before it is sent.
        let is_sent =
            |full_url: &&str| !full_url.starts_with("http") || self.names.condition(item).is_some();
        let full_url = item
            .full_url
            .as_deref()
            .filter(is_sent)
            .map_or_else(String::new, |full_url| {
                format!("\"fullUrl\":{},", Value::from(full_url))
            });
        let json = format!("{{{full_url}\"resource\":{resource},\"request\":{request}}}");
        Prepared {
            place: item.place,
            kind: kind.name,
            json,
        }
    }

    /// Whether a resource may be sent as other text than it came with.
    fn needs_change(self, text: &str, head: &Head, identity: &Identity) -> bool {
        self.names.is_mapping()
            || head.id != identity.id
            || text.contains("urn:")
            // JSON may have a slash as `\/`.
            || text.contains("\\/")
            || self.names.has_absolute(text)
    }

    /// The resource with its references resolved, its id, and the id that it had.
    fn changed(self, text: &str, identity: &Identity, kind: Kind) -> String {
        // What is not JSON of a resource is sent as it is, and refused with a reason.
        let Ok(mut resource) = SensitiveJson::parse(text.as_bytes()) else {
            return text.to_owned();
        };
        if let (Some(id), Some(fields)) = (&identity.id, resource.value_mut().as_object_mut()) {
            fields.insert("id".to_owned(), Value::from(id.as_str()));
            if let Some((system, original)) = &identity.original {
                self.identifiers.add(kind.name, fields, system, original);
            }
        }
        self.resolve(resource.value_mut(), identity.base.as_deref(), kind.phase);
        String::from_utf8_lossy(&resource.to_bytes()).into_owned()
    }

    fn resolve(self, value: &mut Value, base: Option<&str>, phase: ImportPhase) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.resolve(item, base, phase);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str().filter(|_| name == "reference") {
                        Some(reference) => {
                            if let Some(resolved) = self.names.resolve(reference, base, phase) {
                                *value = Value::from(resolved);
                            }
                        }
                        None => self.resolve(value, base, phase),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mapping::IdMapping;

    const A: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a001";
    const B: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a002";

    /// The entries that are made of these, each with its fullUrl.
    fn prepared(entries: &[(&str, Value)], mapping: Option<IdMapping>) -> Vec<Value> {
        let raw: Vec<(&str, Box<RawValue>)> = entries
            .iter()
            .map(|(url, value)| (*url, serde_json::value::to_raw_value(value).unwrap()))
            .collect();
        let items: Vec<Item<'_>> = raw
            .iter()
            .map(|(url, resource)| Item {
                place: EntryPosition { entry: 0, byte: 0 },
                full_url: (!url.is_empty()).then(|| (*url).into()),
                if_none_exist: None,
                resource: Some(resource),
            })
            .collect();
        let mut names = Names::new(mapping.map(Arc::new));
        for item in &items {
            let head = Head::of(item);
            let kind = names.kind(item, &head).unwrap();
            names.add(item, &head, kind);
        }
        let preparation = Preparation {
            names: &names,
            identifiers: &IdentifierElements::read(),
        };
        let made = items.iter().map(|item| {
            let head = Head::of(item);
            let kind = names.kind(item, &head).unwrap();
            serde_json::from_str(&preparation.prepare(item, &head, kind).json).unwrap()
        });
        made.collect()
    }

    #[test]
    fn references_to_what_the_file_brings_are_resolved_and_others_left() {
        let condition = json!({
            "resourceType": "Condition", "id": B,
            "subject": {"reference": format!("urn:uuid:{A}")},
            "asserter": {"reference": "urn:uuid:6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a003"},
            "recorder": {"reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|1"},
            "note": [{"text": format!("urn:uuid:{A}")}],
        });
        let entries = [
            (
                format!("urn:uuid:{A}"),
                json!({"resourceType": "Patient", "id": A}),
            ),
            (format!("urn:uuid:{B}"), condition.clone()),
        ];
        let entries = entries
            .each_ref()
            .map(|(url, value)| (url.as_str(), value.clone()));
        let made = prepared(&entries, None);
        let mut expected = condition;
        expected["subject"]["reference"] = json!(format!("Patient/{A}"));
        assert_eq!(made[1]["resource"], expected);
        assert_eq!(
            made[1]["request"],
            json!({"method": "PUT", "url": format!("Condition/{B}")})
        );
    }

    #[test]
    fn a_resource_without_an_id_gets_the_one_it_is_named_by() {
        let number: Value = serde_json::from_str("1.10").unwrap();
        let patient = json!({"resourceType": "Patient", "x": number});
        let made = prepared(&[(&format!("urn:uuid:{B}"), patient)], None);
        assert_eq!(made[0].pointer("/resource/id").unwrap(), B);
        assert_eq!(made[0].pointer("/resource/x").unwrap().to_string(), "1.10");
    }

    #[test]
    fn an_absolute_reference_to_the_source_of_the_entry_is_made_relative() {
        let condition = |base| {
            json!({"resourceType": "Condition", "id": B,
                "subject": {"reference": format!("{base}/Patient/{A}/_history/3")}})
        };
        let url = format!("https://h/fhir/Condition/{B}");
        let subject = |base| {
            let made = prepared(&[(&url, condition(base))], None);
            assert!(made[0].get("fullUrl").is_none());
            made[0].pointer("/resource/subject/reference").cloned()
        };
        assert_eq!(
            subject("https://h/fhir"),
            Some(json!(format!("Patient/{A}")))
        );
        let other = format!("https://i/fhir/Patient/{A}/_history/3");
        assert_eq!(subject("https://i/fhir"), Some(json!(other)));
    }

    #[test]
    fn mapped_ids_are_kept_as_identifiers_and_their_references_rewritten() {
        let mapping = || IdMapping::for_dry_run(Some("https://h/fhir")).unwrap();
        let reference = |text: &str| json!({"reference": text});
        let entries = [
            (
                "https://h/fhir/Patient/1234",
                json!({"resourceType": "Patient", "id": "1234",
                    "identifier": [{"value": "M1", "type": {"coding": [{"code": "MR"}]}}]}),
            ),
            (
                "urn:uuid:6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a004",
                json!({"resourceType": "Observation", "id": "bp",
                "subject": reference("Patient/1234"),
                "focus": [
                    reference("https://h/fhir/Patient/1234"),
                    reference("Patient/1234/_history/2#name"),
                    reference("urn:uuid:6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a004"),
                    reference("https://i/fhir/Patient/1234"),
                    reference("Practitioner?identifier=s|1"),
                    reference("#contained"),
                    reference(&format!("Encounter/{B}")),
                ]}),
            ),
        ];
        let made = prepared(&entries, Some(mapping()));
        let id =
            |name: &str, own: &str| format!("{name}/{}", mapping().id("https://h/fhir", name, own));
        let patient = id("Patient", "1234");
        let observation = id("Observation", "bp");
        assert_eq!(made[0]["request"]["url"], patient.as_str());
        let identifiers = &made[0]["resource"]["identifier"];
        assert_eq!(identifiers[0]["value"], "M1");
        assert_eq!(
            identifiers[1],
            json!({"system": "https://h/fhir", "value": "1234"})
        );
        assert_eq!(made[1]["request"]["url"], observation.as_str());
        assert_eq!(
            made[1]["resource"]["subject"]["reference"],
            patient.as_str()
        );
        let focus: Vec<&str> = made[1]["resource"]["focus"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["reference"].as_str().unwrap())
            .collect();
        let expected = [
            patient.as_str(),
            &format!("{patient}#name"),
            &observation,
            "https://i/fhir/Patient/1234",
            "Practitioner?identifier=s|1",
            "#contained",
            &format!("Encounter/{B}"),
        ];
        assert_eq!(focus, expected);
    }
}
