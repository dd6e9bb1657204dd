//! References in Bundles.

use super::*;

pub(super) const ONE: &str = "http://one.example/fhir";
pub(super) const TWO: &str = "http://two.example/fhir";

pub(super) fn observation_at(full_url: Option<&str>, subject: &str) -> Value {
    let resource = json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": subject}
    });
    entry(full_url, &resource)
}

pub(super) fn entry(full_url: Option<&str>, resource: &Value) -> Value {
    let mut entry = post("", resource);
    match full_url {
        Some(url) => entry["fullUrl"] = json!(url),
        None => drop(entry.as_object_mut().unwrap().remove("fullUrl")),
    }
    entry
}

pub(super) fn patient_at(full_url: &str) -> Value {
    entry(Some(full_url), &json!({"resourceType": "Patient"}))
}

fn refused_at_subject(bundle: &Value) -> bool {
    let (status, expression) = refusal(bundle);
    status == 422 && expression.ends_with(".resource.subject.reference")
}

#[test]
fn a_relative_reference_belongs_to_the_base_of_its_own_entry() {
    let entries = [
        patient_at(&format!("{ONE}/Patient/1")),
        patient_at(&format!("{TWO}/Patient/1")),
        observation_at(Some(&format!("{TWO}/Observation/9")), "Patient/1"),
        observation_at(Some(&format!("{ONE}/Observation/9")), "Patient/1"),
        observation_at(None, &format!("{ONE}/Patient/1")),
    ];
    let writes = writes(&bundle("transaction", &entries));
    let id_of = |entry: usize| writes.iter().find(|it| it.entry == entry).unwrap().id;
    let owner_of = |entry: usize| owner(writes.iter().find(|it| it.entry == entry).unwrap());
    assert_eq!(owner_of(2), Some(id_of(1)));
    assert_eq!(owner_of(3), Some(id_of(0)));
    assert_eq!(owner_of(4), Some(id_of(0)));
}

#[test]
fn a_reference_that_could_mean_another_patient_is_refused() {
    let one = format!("{ONE}/Patient/1");
    for (full_url, subject) in [
        // No entry is `two`'s Patient/1, although one has that relative address.
        (Some(format!("{TWO}/Observation/9")), "Patient/1".to_owned()),
        (
            Some(format!("{TWO}/Observation/9")),
            format!("Patient/{PATIENT}"),
        ),
        // The server's own Patient/1 cannot exist.
        (Some("urn:uuid:a".to_owned()), "Patient/1".to_owned()),
        (None, "Patient/1".to_owned()),
        (None, format!("{TWO}/Patient/1")),
        (None, format!("{one}/_history/2")),
        (None, "urn:uuid:nowhere".to_owned()),
        (None, "../Patient/1".to_owned()),
        (None, "Patient".to_owned()),
    ] {
        let entries = [
            patient_at(&one),
            observation_at(full_url.as_deref(), &subject),
        ];
        assert!(
            refused_at_subject(&bundle("transaction", &entries)),
            "{full_url:?} {subject}"
        );
    }
}

#[test]
fn the_server_s_own_base_and_a_version_are_local() {
    for subject in [
        format!("{SERVER}/Patient/{PATIENT}"),
        format!("{SERVER}/Patient/{PATIENT}/_history/1"),
        format!("Patient/{PATIENT}/_history/1"),
    ] {
        for full_url in [
            None,
            Some("urn:uuid:a"),
            Some(&*format!("{SERVER}/Observation/{OBSERVATION}")),
        ] {
            let writes = writes(&bundle(
                "transaction",
                &[observation_at(full_url, &subject)],
            ));
            assert_eq!(owner(&writes[0]).unwrap().to_string(), PATIENT, "{subject}");
            let stored = resource(&writes[0]).value()["subject"]["reference"]
                .as_str()
                .unwrap();
            assert!(
                stored.starts_with(&format!("Patient/{PATIENT}")),
                "{stored}"
            );
        }
    }
}

#[test]
fn a_version_specific_reference_matches_the_entry_of_that_version() {
    let url = format!("{ONE}/Patient/1");
    let mut patient = patient_at(&url);
    patient["resource"]["meta"] = json!({"versionId": "3"});
    let finding = observation_at(None, &format!("{url}/_history/3#name"));
    let writes = writes(&bundle("transaction", &[patient, finding]));
    assert_eq!(owner(&writes[1]), Some(writes[0].id));
    let stored = &resource(&writes[1]).value()["subject"]["reference"];
    assert_eq!(stored, &json!(format!("Patient/{}#name", writes[0].id)));
}

#[test]
fn a_full_url_of_another_type_or_of_a_version_is_refused() {
    for url in [
        format!("{ONE}/Observation/1"),
        format!("{ONE}/Patient/1/_history/2"),
    ] {
        let refused = refusal(&bundle("transaction", &[patient_at(&url)]));
        assert_eq!(refused, (400, "Bundle.entry[0].fullUrl".to_owned()));
    }
}

#[test]
fn in_a_batch_a_full_url_of_several_entries_resolves_to_none_of_them() {
    let entries = [
        patient_at("urn:uuid:a"),
        patient_at("urn:uuid:a"),
        observation_at(None, "urn:uuid:a"),
    ];
    let items = items(&bundle("batch", &entries));
    assert!(items[0].is_ok() && items[1].is_err() && items[2].is_err());
}

#[test]
fn elements_of_the_bundle_itself_have_their_types() {
    let valid = patient_at("urn:uuid:a");
    for (pointer, value, path) in [
        ("/entry/0/fullUrl", json!(5), "Bundle.entry[0].fullUrl"),
        ("/entry/0/link", json!({}), "Bundle.entry[0].link"),
        (
            "/entry/0/request/method",
            json!(["PUT"]),
            "Bundle.entry[0].request.method",
        ),
        (
            "/entry/0/search",
            json!({"score": "high"}),
            "Bundle.entry[0].search.score",
        ),
        ("/total", json!("1"), "Bundle.total"),
        ("/timestamp", json!("yesterday"), "Bundle.timestamp"),
        ("/identifier", json!([]), "Bundle.identifier"),
    ] {
        let mut changed = bundle("transaction", std::slice::from_ref(&valid));
        for name in ["total", "timestamp", "identifier"] {
            changed[name] = json!(null);
        }
        for name in ["fullUrl", "link", "search"] {
            if changed["entry"][0].get(name).is_none() {
                changed["entry"][0][name] = json!(null);
            }
        }
        *changed.pointer_mut(pointer).unwrap() = value;
        strip_nulls(&mut changed);
        assert_eq!(refusal(&changed), (400, path.to_owned()), "{pointer}");
    }
}

fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_long_full_url_is_refused() {
    // Every relative reference of the entry would be compared with it.
    let long = format!("{ONE}/{}/Patient/1", "x".repeat(2_000));
    let refused = refusal(&bundle("transaction", &[patient_at(&long)]));
    assert_eq!(refused, (400, "Bundle.entry[0].fullUrl".to_owned()));
}

#[test]
fn a_urn_oid_and_a_fragment_are_resolved() {
    let entries = [
        patient_at("urn:oid:1.2.3"),
        observation_at(None, "urn:oid:1.2.3#name"),
    ];
    let writes = writes(&bundle("transaction", &entries));
    assert_eq!(owner(&writes[1]), Some(writes[0].id));
    let stored = &resource(&writes[1]).value()["subject"]["reference"];
    assert_eq!(stored, &json!(format!("Patient/{}#name", writes[0].id)));
}

#[test]
fn in_a_batch_a_reference_to_a_refused_entry_is_refused() {
    let mut both = patient();
    both["id"] = json!(OBSERVATION);
    let mut conditional = entry(Some("urn:uuid:a"), &both);
    conditional["request"] = json!({"method": "PUT", "url": "Patient?identifier=s|1"});
    let entries = [conditional, observation_at(None, "urn:uuid:a")];
    let bundle = bundle("batch", &entries);
    let matches = [ConditionMatch::Many];
    let Ok(BundleRequest::Batch(items)) = resolved(&bundle, &matches) else {
        panic!("a batch")
    };
    let statuses: Vec<_> = items
        .iter()
        .map(|item| item.as_ref().unwrap_err().status().code())
        .collect();
    assert_eq!(statuses, [412, 422]);
}
