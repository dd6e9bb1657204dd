//! Conditions: conditional creates, updates, deletes and references.

use super::references::entry;
use super::references::observation_at;
use super::*;

const SYSTEM: &str = "http://s.example";

fn conditional_post(full_url: &str, resource: &Value, condition: &str) -> Value {
    let mut entry = post(full_url, resource);
    entry["request"]["ifNoneExist"] = json!(condition);
    entry
}

fn conditional_put(resource: &Value, condition: &str) -> Value {
    let url = format!("{}?{condition}", resource["resourceType"].as_str().unwrap());
    json!({"resource": resource, "request": {"method": "PUT", "url": url}})
}

fn conditional_delete(url: &str) -> Value {
    json!({"request": {"method": "DELETE", "url": url}})
}

fn new_patient() -> Value {
    json!({"resourceType": "Patient"})
}

fn transaction(entries: &[Value], matches: &[ConditionMatch]) -> TransactionRequest {
    match resolved(&bundle("transaction", entries), matches) {
        Ok(BundleRequest::Transaction(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn refused(entries: &[Value], matches: &[ConditionMatch]) -> (u16, IssueCode, String) {
    let outcome = resolved(&bundle("transaction", entries), matches).expect_err("refused");
    let issue = &outcome.issues()[0];
    let path = issue.expression.clone().unwrap_or_default();
    (outcome.status().code(), issue.code, path)
}

fn one() -> ConditionMatch {
    ConditionMatch::One(PATIENT.parse().unwrap())
}

#[test]
fn a_condition_has_its_type_its_identifier_and_its_scope() {
    let entries = [
        conditional_post(
            "urn:uuid:a",
            &new_patient(),
            "identifier=http://s.example|1%5C%7C2",
        ),
        conditional_post("urn:uuid:b", &new_patient(), "?identifier=%7C1"),
        conditional_delete("Organization?identifier=1"),
        conditional_delete(&format!(
            "/Observation?identifier=s|1&patient=Patient/{PATIENT}"
        )),
        conditional_delete(&format!("Observation?subject={PATIENT}&identifier=s|1")),
        conditional_post("urn:uuid:c", &observation("urn:uuid:a"), "identifier=s|1"),
        conditional_post(
            "urn:uuid:d",
            &observation(&format!("{SERVER}/Patient/{PATIENT}")),
            "identifier=s|2",
        ),
    ];
    let parsed = parsed(&bundle("batch", &entries)).unwrap();
    let conditions = parsed.conditions();
    let chart = ConditionScope::Patient(PATIENT.parse().unwrap());
    let shape: Vec<_> = conditions
        .iter()
        .map(|it| (it.resource_type, it.identifier.value.as_str(), it.scope))
        .collect();
    let everywhere = ConditionScope::Organization;
    let expected = [
        (ResourceType::Patient, "1|2", everywhere),
        (ResourceType::Patient, "1", everywhere),
        (ResourceType::Organization, "1", everywhere),
        // The two deletes have one condition.
        (ResourceType::Observation, "1", chart),
        (ResourceType::Observation, "1", ConditionScope::MatchOf(0)),
        (ResourceType::Observation, "2", chart),
    ];
    assert_eq!(shape, expected);
    let system = ConditionalSystem::Is(SYSTEM.to_owned().into());
    assert!(conditions[0].identifier.system == system);
    assert!(conditions[1].identifier.system == ConditionalSystem::None);
    assert!(conditions[2].identifier.system == ConditionalSystem::Any);
    assert!(!format!("{conditions:?}").contains("example"));
}

#[test]
fn a_condition_that_is_not_supported_is_refused() {
    for condition in [
        "",
        "family=SECRET",
        "identifier=s|1&family=SECRET",
        "identifier=s|1&identifier=s|2",
        "identifier=s|1,s|2",
        "identifier=s|",
        "identifier=",
        "identifier=a|b|c",
        "identifier=a%5Cb",
        "identifier:not=s|1",
        "identifier=s|1&patient=Patient/1",
    ] {
        let entry = conditional_post("urn:uuid:a", &new_patient(), condition);
        let at = "Bundle.entry[0].request.ifNoneExist";
        let outcome = planned(&bundle("transaction", &[entry])).expect_err("refused");
        assert_eq!(outcome.status().code(), 400, "{condition}");
        assert!(!outcome.to_json().to_string().contains("SECRET"));
        if !condition.is_empty() {
            assert_eq!(
                outcome.issues()[0].expression.as_deref(),
                Some(at),
                "{condition}"
            );
        }
    }
    // No chart is named.
    let delete = conditional_delete("Observation?identifier=s|1");
    let expected = (
        400,
        IssueCode::Required,
        "Bundle.entry[0].request.url".to_owned(),
    );
    assert_eq!(refused(&[delete], &[]), expected);
}

#[test]
fn a_conditional_create_writes_only_without_a_match() {
    let entries = [
        conditional_post("urn:uuid:a", &new_patient(), "identifier=s|1"),
        observation_at(None, "urn:uuid:a"),
    ];
    let created = transaction(&entries, &[ConditionMatch::None]);
    assert_eq!(created.writes.len(), 2);
    assert!(is_create(&created.writes[0]));
    assert_eq!(created.writes[0].condition, Some(0));
    assert_eq!(created.writes[1].condition, None);
    assert_eq!(owner(&created.writes[1]), Some(created.writes[0].id));
    let existing = transaction(&entries, &[one()]);
    let expected = EntryNoOp {
        entry: 0,
        resource_type: ResourceType::Patient,
        existing: Some(PATIENT.parse().unwrap()),
        condition: Some(0),
    };
    assert_eq!(existing.no_ops, [expected]);
    assert_eq!(existing.writes.len(), 1);
    // A reference to the entry's fullUrl is one to the existing resource.
    assert_eq!(owner(&existing.writes[0]), expected.existing);
    let path = "Bundle.entry[0].request.ifNoneExist".to_owned();
    assert_eq!(
        refused(&entries, &[ConditionMatch::Many]),
        (412, IssueCode::MultipleMatches, path.clone())
    );
    assert_eq!(
        refused(&entries, &[ConditionMatch::TooCostly]),
        (429, IssueCode::TooCostly, path)
    );
}

#[test]
fn a_conditional_update_writes_the_match_or_creates() {
    let finding = observation(&format!("Patient/{PATIENT}"));
    let mut unnamed = finding.clone();
    unnamed.as_object_mut().unwrap().remove("id");
    let other = Uuid::from_u128(99);
    let update = |resource: &Value, matched| {
        transaction(&[conditional_put(resource, "identifier=s|1")], &[matched])
            .writes
            .remove(0)
    };
    let created = update(&unnamed, ConditionMatch::None);
    assert!(is_create(&created));
    assert_eq!(resource(&created).id(), Some(created.id));
    let named = update(&finding, ConditionMatch::None);
    assert!(is_create(&named));
    assert_eq!(named.id.to_string(), OBSERVATION);
    let updated = update(&unnamed, ConditionMatch::One(other));
    assert!(!is_create(&updated));
    assert_eq!((updated.id, resource(&updated).id()), (other, Some(other)));
    let same = update(&finding, ConditionMatch::One(OBSERVATION.parse().unwrap()));
    assert_eq!(same.id.to_string(), OBSERVATION);
    let entries = [conditional_put(&finding, "identifier=s|1")];
    let path = "Bundle.entry[0].resource.id".to_owned();
    let mismatch = refused(&entries, &[ConditionMatch::One(other)]);
    assert_eq!(mismatch, (400, IssueCode::Invariant, path));
    assert_eq!(refused(&entries, &[ConditionMatch::Many]).0, 412);
    let numbered = json!({"resourceType": "Patient", "id": "MRN-123"});
    let entries = [conditional_put(&numbered, "identifier=s|1")];
    let path = "Bundle.entry[0].resource.id".to_owned();
    assert_eq!(refused(&entries, &[]), (400, IssueCode::Value, path));
}

#[test]
fn a_conditional_delete_deletes_one_match_or_nothing() {
    let entries = [conditional_delete("Patient?identifier=s|1")];
    let deleted = transaction(&entries, &[one()]);
    assert_eq!(deleted.writes[0].id.to_string(), PATIENT);
    assert!(matches!(deleted.writes[0].content, WriteContent::Delete));
    let nothing = transaction(&entries, &[ConditionMatch::None]);
    assert!(nothing.writes.is_empty());
    assert_eq!(nothing.no_ops[0].existing, None);
    assert_eq!(refused(&entries, &[ConditionMatch::Many]).0, 412);
}

#[test]
fn a_condition_in_the_chart_of_a_new_patient_matches_nothing_without_a_search() {
    let entries = [
        entry(Some("urn:uuid:a"), &new_patient()),
        conditional_post("urn:uuid:b", &observation("urn:uuid:a"), "identifier=s|1"),
        conditional_put(&observation("urn:uuid:a"), "identifier=s|2"),
    ];
    let request = transaction(&entries, &[]);
    assert!(request.writes.iter().all(is_create));
}

#[test]
fn two_entries_do_not_create_a_resource_under_one_condition() {
    let post = || conditional_post("urn:uuid:a", &new_patient(), "identifier=s|1");
    let mut second = post();
    second["fullUrl"] = json!("urn:uuid:b");
    let path = "Bundle.entry[1].request.ifNoneExist".to_owned();
    let entries = [post(), second];
    assert_eq!(
        refused(&entries, &[ConditionMatch::None]),
        (400, IssueCode::Duplicate, path)
    );
    assert_eq!(transaction(&entries, &[one()]).no_ops.len(), 2);
    // Two updates of one match are two writes of one resource.
    let put = || conditional_put(&new_patient(), "identifier=s|1");
    let path = "Bundle.entry[1].request.url".to_owned();
    assert_eq!(
        refused(&[put(), put()], &[one()]),
        (400, IssueCode::Duplicate, path)
    );
}

#[test]
fn a_conditional_reference_is_replaced_by_its_one_match() {
    let organization = Uuid::from_u128(5);
    let mut finding = observation_at(None, "Patient?identifier=s|1");
    finding["resource"]["performer"] = json!([
        {"reference": "Organization?identifier=http://s.example|7"},
        {"reference": format!("{SERVER}/Organization?identifier=http://s.example|7")},
        {"reference": "http://other.example/fhir/Organization?identifier=x|1"}
    ]);
    let entries = [finding];
    let matches = [one(), ConditionMatch::One(organization)];
    let request = transaction(&entries, &matches);
    assert_eq!(owner(&request.writes[0]).unwrap().to_string(), PATIENT);
    let stored = &resource(&request.writes[0]).value()["performer"];
    let expected = format!("Organization/{organization}");
    assert_eq!(stored[0]["reference"], expected);
    assert_eq!(stored[1]["reference"], expected);
    assert_eq!(
        stored[2]["reference"],
        "http://other.example/fhir/Organization?identifier=x|1"
    );
    let path = "Bundle.entry[0].resource.performer[0].reference".to_owned();
    let none = refused(&entries, &[one(), ConditionMatch::None]);
    assert_eq!(none, (422, IssueCode::NotFound, path.clone()));
    let many = refused(&entries, &[one(), ConditionMatch::Many]);
    assert_eq!(many, (422, IssueCode::MultipleMatches, path.clone()));
    let unsearched = refused(&entries, &[one(), ConditionMatch::TooCostly]);
    assert_eq!(unsearched, (429, IssueCode::TooCostly, path));
}

#[test]
fn a_conditional_reference_of_another_kind_is_refused_in_words() {
    for text in [
        "Encounter?identifier=s|1",
        "Claim?identifier=s|1",
        "Organization?name=SECRET",
        "Organization?identifier=s|1&_count=1",
        "?identifier=s|1",
        "a/b?identifier=s|1",
    ] {
        let mut finding = observation_at(None, &format!("Patient/{PATIENT}"));
        finding["resource"]["performer"] = json!([{"reference": text}]);
        let (status, _, path) = refused(&[finding], &[]);
        let expected = "Bundle.entry[0].resource.performer[0].reference";
        assert_eq!((status, path.as_str()), (422, expected), "{text}");
    }
}

#[test]
fn a_condition_never_matches_another_entry() {
    let identified =
        json!({"resourceType": "Patient", "identifier": [{"system": "s", "value": "1"}]});
    let entries = [
        entry(Some("urn:uuid:a"), &identified),
        observation_at(None, "Patient?identifier=s|1"),
    ];
    assert_eq!(
        refused(&entries, &[ConditionMatch::None]).1,
        IssueCode::NotFound
    );
}

#[test]
fn the_number_of_conditions_is_limited() {
    let entry = |number: usize| {
        let condition = format!("identifier=s|{number}");
        conditional_post(&format!("urn:uuid:{number}"), &new_patient(), &condition)
    };
    let entries: Vec<_> = (0..=crate::limits::MAX_CONDITIONS).map(entry).collect();
    let parsed = parsed(&bundle("batch", &entries)).unwrap();
    assert_eq!(parsed.conditions().len(), crate::limits::MAX_CONDITIONS);
    let matches = vec![ConditionMatch::None; parsed.conditions().len()];
    let mut count = 0;
    let request = parsed.resolve(&matches, &mut |_| {
        count += 1;
        Uuid::from_u128(count)
    });
    let Ok(BundleRequest::Batch(items)) = request else {
        panic!("a batch")
    };
    let last = items.last().unwrap().as_ref().unwrap_err();
    assert_eq!(last.issues()[0].code, IssueCode::TooCostly);
}
