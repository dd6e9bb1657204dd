//! A dry run: what the stack would refuse, found without it.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use fhir::Issue;
use fhir::Issues;
use fhir::Resource;
use fhir::ResourceType;
use fhir::SensitiveJson;
use progress::Progress;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use uuid::Builder;
use uuid::Uuid;

use super::blocking;
use super::head::Head;
use super::identifier::IdentifierElements;
use super::index::Index;
use super::index::unusable_id;
use super::mapping::IdMapping;
use super::mapping::is_accepted;
use super::names::Names;
use super::outcome::Refusal;
use super::phase::Kind;
use super::prepare::Preparation;
use super::prepare::Prepared;
use super::report::Report;
use super::source::Item;
use super::source::each_item;

/// Upper bound of a request in bytes that web accepts.
const LARGEST_REQUEST: usize = 8 * 1024 * 1024;
/// The bytes of a Bundle around its one entry, at most.
const BUNDLE_BYTES: usize = 64;
/// The path of the resource in issues; the report has the number of the entry.
const PATH: &str = "entry.resource";

/// Checks one file without a request: what the report lists as refused, the stack would refuse too. What only the stack
/// knows is not checked: whether references lead to something, and conflicts with what is stored.
///
/// # Errors
/// When the file cannot be read to its end.
pub async fn check(
    file: &Path,
    mapping: Option<Arc<IdMapping>>,
    progress: Progress,
) -> anyhow::Result<Report> {
    let step = progress.step(&format!("reading {}", file.display()));
    let path = file.to_path_buf();
    let report = blocking(move || check_file(&path, mapping)).await;
    drop(step);
    report
}

/// The patients of a file.
#[derive(Default)]
struct Patients {
    present: HashSet<Uuid>,
    /// Those that other resources belong to.
    owners: HashSet<Uuid>,
}

fn check_file(path: &Path, mapping: Option<Arc<IdMapping>>) -> anyhow::Result<Report> {
    let identifiers = mapping.as_ref().map(|_| IdentifierElements::read());
    let index = Index::of(path, mapping)?;
    let names = index.names();
    let preparation = Preparation {
        names: &names,
        identifiers: &identifiers.unwrap_or_default(),
    };
    let mut accepted: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut patients = Patients::default();
    let mut report = Report::of_dry_run(index.contents().skipped);
    each_item(path, &mut |item| {
        let head = Head::of(&item);
        let Some(kind) = names.kind(&item, &head) else {
            return Ok(());
        };
        match refusal(preparation, &item, &head, kind, &mut patients) {
            None => *accepted.entry(kind.name).or_default() += 1,
            Some(reason) => report.refused.push(Refusal {
                file: None,
                place: item.place,
                kind: kind.name,
                status: None,
                reason,
            }),
        }
        Ok(())
    })?;
    report.absent_patients = patients.owners.difference(&patients.present).count();
    report.name_file(path);
    for (kind, count) in accepted {
        report.sent.insert(kind.to_owned(), count);
    }
    Ok(report)
}

/// Why the stack would refuse an entry.
fn refusal(
    preparation: Preparation<'_>,
    item: &Item<'_>,
    head: &Head,
    kind: Kind,
    patients: &mut Patients,
) -> Option<String> {
    id_refusal(preparation.names, item, head, kind).or_else(|| {
        let prepared = preparation.prepare(item, head, kind);
        if prepared.json.len() + BUNDLE_BYTES > LARGEST_REQUEST {
            return Some("is larger than the 8 MiB that a request may have".to_owned());
        }
        resource_refusal(&prepared, patients)
            .err()
            .map(|issues| words(&issues))
    })
}

fn id_refusal(names: &Names, item: &Item<'_>, head: &Head, kind: Kind) -> Option<String> {
    if names.condition(item).is_some() {
        return None;
    }
    match names.identity(item, head, kind).id {
        Some(id) if is_accepted(kind.name, &id) => None,
        Some(_) => Some(unusable_id(names.is_mapping()).to_owned()),
        None => Some("has no id, and no fullUrl that names one".to_owned()),
    }
}

fn resource_refusal(prepared: &Prepared, patients: &mut Patients) -> Result<(), Issues> {
    // The limits of a document are those of the whole request.
    let mut entry = SensitiveJson::parse(prepared.json.as_bytes())?;
    let resource = entry
        .value_mut()
        .get_mut("resource")
        .map_or(Value::Null, Value::take);
    let mut resource = SensitiveJson::new(resource);
    let mut conditions = 0;
    assume_conditions_met(resource.value_mut(), &mut conditions);
    let resource = Resource::validate(resource, Some(PATH))?;
    if resource.resource_type() == ResourceType::Patient {
        // Without an id it has a condition, and gets one of the stack.
        patients.present.extend(resource.id());
    } else if let Some(owner) = resource.owner(PATH)?
        && conditions == 0
    {
        patients.owners.insert(owner);
    }
    Ok(())
}

/// Replaces conditional references to patients by references to a patient for each condition: whether one patient meets
/// it, only the stack knows.
fn assume_conditions_met(value: &mut Value, conditions: &mut usize) {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| assume_conditions_met(item, conditions)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "reference") {
                    Some(reference) if reference.starts_with("Patient?identifier=") => {
                        *conditions += 1;
                        let mut half = [0; 16];
                        let hash = Sha256::digest(reference);
                        for (to, from) in half.iter_mut().zip(hash) {
                            *to = from;
                        }
                        let id = Builder::from_random_bytes(half).into_uuid();
                        *value = Value::from(format!("Patient/{id}"));
                    }
                    Some(_) => {}
                    None => assume_conditions_met(value, conditions),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The issues, as the report of an import has them.
fn words(issues: &Issues) -> String {
    let words = |issue: &Issue| {
        let place = issue.expression.as_deref().unwrap_or_default();
        let place = if place.is_empty() {
            String::new()
        } else {
            format!(" ({place})")
        };
        format!("{}{place}", issue.diagnostics)
    };
    let listed = issues.listed().iter().map(words);
    listed.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const A: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a001";
    const B: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a002";

    fn check_of(entries: &[Value], mapping: Option<&str>) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json");
        let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
        std::fs::write(&path, bundle.to_string()).unwrap();
        let mapping = mapping.map(|source| IdMapping::for_dry_run(Some(source)).unwrap());
        check_file(&path, mapping.map(Arc::new)).unwrap()
    }

    fn entry(full_url: &str, resource: &Value) -> Value {
        json!({"fullUrl": full_url, "resource": resource})
    }

    fn observation(id: &str, subject: &str) -> Value {
        json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"},
            "subject": {"reference": subject}})
    }

    #[test]
    fn a_file_that_the_stack_accepts_has_no_refusal() {
        let patient = json!({"resourceType": "Patient", "id": A});
        let by_name = observation(B, &format!("urn:uuid:{A}"));
        let by_condition = observation(B, "Patient?identifier=https://s|1");
        let elsewhere = observation(B, &format!("Patient/{B}"));
        let mut parameters = entry("", &json!({"resourceType": "Parameters"}));
        parameters.as_object_mut().unwrap().remove("fullUrl");
        let report = check_of(
            &[
                entry(&format!("urn:uuid:{B}"), &by_name),
                entry("urn:x:1", &by_condition),
                entry("urn:x:2", &elsewhere),
                parameters,
                entry(&format!("urn:uuid:{A}"), &patient),
            ],
            None,
        );
        assert!(report.refused.is_empty(), "{report}");
        assert_eq!((report.sent["Observation"], report.sent["Patient"]), (3, 1));
        assert_eq!(report.skipped["Parameters"], 1);
        assert_eq!(report.absent_patients, 1);
    }

    #[test]
    fn each_resource_that_would_be_refused_is_listed_with_its_place_and_reason() {
        let mut wrong = observation(B, &format!("Patient/{A}"));
        wrong["status"] = json!("secret");
        let large = json!({"resourceType": "Patient", "id": A, "name": [{"text": "x".repeat(LARGEST_REQUEST)}]});
        let report = check_of(
            &[
                entry("urn:x:0", &wrong),
                entry("urn:x:1", &observation(B, "urn:uuid:unknown")),
                entry("urn:x:2", &json!({"resourceType": "Patient", "id": "1234"})),
                entry("urn:x:3", &json!({"resourceType": "Patient"})),
                entry("urn:x:4", &large),
                json!({"resource": {"resourceType": "Practitioner", "id": "x"},
                    "request": {"method": "POST", "url": "Practitioner", "ifNoneExist": "identifier=s|1"}}),
            ],
            None,
        );
        let found: Vec<(u64, &str)> = report
            .refused
            .iter()
            .map(|refusal| (refusal.place.entry, refusal.reason.as_str()))
            .collect();
        let expected = [
            (0, "(entry.resource.status)"),
            (1, "(entry.resource.subject.reference)"),
            (2, "--map-ids"),
            (3, "has no id"),
            (4, "8 MiB"),
        ];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((place, reason), (expected_place, part)) in found.into_iter().zip(expected) {
            assert_eq!(place, expected_place);
            assert!(reason.contains(part), "{reason}");
            assert!(
                !reason.contains("secret") && !reason.contains("1234"),
                "{reason}"
            );
        }
    }

    #[test]
    fn with_a_mapping_a_source_is_necessary() {
        let patient = entry(
            "https://h/fhir/Patient/1234",
            &json!({"resourceType": "Patient", "id": "1234"}),
        );
        let owned = entry(
            "https://h/fhir/Observation/bp",
            &observation("bp", "Patient/1234"),
        );
        let report = check_of(&[patient, owned], Some("urn:x:1"));
        assert!(report.refused.is_empty(), "{report}");
        assert_eq!(report.absent_patients, 0);
        let unnamed = json!({"resource": {"resourceType": "Patient", "id": "1234"}});
        assert!(
            check_of(std::slice::from_ref(&unnamed), Some("urn:x:1"))
                .refused
                .is_empty()
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.ndjson");
        std::fs::write(&path, unnamed["resource"].to_string()).unwrap();
        let mapping = IdMapping::for_dry_run(None).unwrap();
        let report = check_file(&path, Some(Arc::new(mapping))).unwrap();
        assert!(report.refused[0].reason.contains("--source"), "{report}");
    }
}
