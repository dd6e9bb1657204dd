//! Tests of the owner of a resource.

use serde_json::json;

use super::*;
use crate::parse_id;

const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";
const OTHER: &str = "11111111-ec9a-4326-a141-556f43239520";

fn resource(value: &Value) -> Resource {
    Resource::parse(value.to_string().as_bytes()).expect("valid")
}

fn observation(subject: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": subject}
    })
}

#[test]
fn the_owner_is_the_one_patient_of_the_subject() {
    let owned = resource(&observation(&format!("Patient/{PATIENT}")));
    assert_eq!(owned.owner("Observation"), Ok(parse_id(PATIENT).ok()));
    for subject in [
        format!("Group/{PATIENT}"),
        "Patient/123".to_owned(),
        "Patient?x=y".to_owned(),
    ] {
        let issue = resource(&observation(&subject))
            .owner("Observation")
            .expect_err("refused");
        assert_eq!(
            issue.expression.as_deref(),
            Some("Observation.subject.reference")
        );
    }
}

#[test]
fn a_path_through_a_list_finds_each_element() {
    let appointment = json!({"participant": [
        {"actor": {"reference": "Practitioner/1"}}, {}, {"actor": {"reference": "Patient/1"}}
    ]});
    let mut found = Vec::new();
    elements_at(
        &appointment,
        "participant[].actor",
        "Appointment",
        &mut found,
    );
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    let expected = [
        "Appointment.participant[0].actor",
        "Appointment.participant[2].actor",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn of_a_list_of_actors_the_one_patient_is_the_owner() {
    let actor = |reference: String| json!({"actor": {"reference": reference}});
    let procedure = |performer: &[Value]| {
        resource(&json!({
            "resourceType": "Procedure", "status": "completed",
            "subject": {"display": "x"}, "performer": performer,
        }))
    };
    let find = |of: Resource| of.owner_at(&["performer[].actor"], "Procedure");
    let practitioner = actor(format!("Practitioner/{OTHER}"));
    let patient = actor(format!("Patient/{PATIENT}"));
    let owned = procedure(&[practitioner.clone(), patient.clone()]);
    assert_eq!(find(owned).ok(), parse_id(PATIENT).ok());
    assert!(find(procedure(&[practitioner])).is_err());
    let of_two = procedure(&[patient, actor(format!("Patient/{OTHER}"))]);
    let issue = find(of_two).expect_err("refused");
    assert_eq!(issue.expression.as_deref(), Some("Procedure.performer"));
}

#[test]
fn a_resource_about_two_patients_is_refused() {
    let mut value = observation(&format!("Patient/{PATIENT}"));
    value["focus"] = json!([{"reference": format!("Patient/{OTHER}")}]);
    let issue = resource(&value).owner("Observation").expect_err("refused");
    assert_eq!(issue.expression.as_deref(), Some("Observation.focus"));
}

#[test]
fn a_directory_resource_has_no_owner_and_an_unlinked_observation_is_refused() {
    let organization = resource(&json!({"resourceType": "Organization", "name": "x"}));
    assert_eq!(organization.owner("Organization"), Ok(None));
    let loose = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}});
    assert_eq!(
        resource(&loose).owner("o").expect_err("refused").code,
        IssueCode::Required
    );
}

#[test]
fn a_device_belongs_to_its_patient_or_to_the_organization() {
    let device = |patient: Value| resource(&json!({"resourceType": "Device", "patient": patient}));
    let implanted = device(json!({"reference": format!("Patient/{PATIENT}")}));
    assert_eq!(implanted.owner("Device"), Ok(parse_id(PATIENT).ok()));
    let stock = resource(&json!({"resourceType": "Device", "lotNumber": "1"}));
    assert_eq!(stock.owner("Device"), Ok(None));
    // Not filed in the organization: the patient is not known for certain.
    for unclear in [
        json!({"reference": "Patient/123"}),
        json!({"reference": format!("https://other.example/fhir/Patient/{PATIENT}")}),
        json!({"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}),
        json!({"reference": "#p"}),
        json!({"reference": "Patient?identifier=1"}),
        json!({"type": "Patient", "identifier": {"value": "1"}}),
        json!({"display": "Jane"}),
        json!({"_reference": {"id": "x"}}),
    ] {
        assert!(
            device(unclear.clone()).owner("Device").is_err(),
            "{unclear}"
        );
    }
}

#[test]
fn a_schedule_of_practitioners_belongs_to_the_organization() {
    let schedule = |actors: Value| {
        resource(&json!({"resourceType": "Schedule", "actor": actors})).owner("Schedule")
    };
    let practitioner = json!({"reference": format!("Practitioner/{OTHER}")});
    let elsewhere = json!({"reference": "https://other.example/Location/1"});
    let logical = json!({"type": "Location", "display": "Room 1"});
    assert_eq!(
        schedule(json!([practitioner, elsewhere, logical])),
        Ok(None)
    );
    let patient = json!({"reference": format!("Patient/{PATIENT}")});
    let both = json!([practitioner, patient]);
    assert_eq!(schedule(both), Ok(parse_id(PATIENT).ok()));
    let two = json!([patient, {"reference": format!("Patient/{OTHER}")}]);
    assert!(schedule(two).is_err());
    let unclear = schedule(json!([practitioner, {"display": "x"}])).expect_err("refused");
    assert_eq!(unclear.expression.as_deref(), Some("Schedule.actor[1]"));
}

#[test]
fn a_resource_of_the_organization_does_not_refer_to_a_patient() {
    let location = |extra: Value| {
        let mut value = json!({"resourceType": "Location", "name": "x"});
        for (name, member) in extra.as_object().expect("an object") {
            value[name] = member.clone();
        }
        resource(&value).owner("Location")
    };
    let extension = |reference: &str| {
        let value = json!({"reference": reference});
        json!({"extension": [{"url": "http://x.example", "valueReference": value}]})
    };
    assert_eq!(location(extension("Organization/1")), Ok(None));
    assert_eq!(
        location(extension("https://x.example/Patients/1")),
        Ok(None)
    );
    for refused in [
        extension(&format!("Patient/{PATIENT}")),
        extension("Patient/123"),
        extension("https://other.example/fhir/Patient/1"),
        extension("Patient?identifier=1"),
        extension("Patient/1/_history/2#x"),
        json!({"managingOrganization": {"type": "Patient", "identifier": {"value": "1"}}}),
        json!({
            "contained": [{"resourceType": "Patient", "id": "p"}],
            "extension": [{"url": "http://x.example", "valueReference": {"reference": "#p"}}]
        }),
    ] {
        let issue = location(refused.clone()).expect_err("refused");
        assert_eq!(issue.code, IssueCode::BusinessRule, "{refused}");
    }
    let device = json!({
        "resourceType": "Device",
        "extension": [{
            "url": "http://x.example",
            "valueReference": {"reference": format!("Patient/{PATIENT}")}
        }]
    });
    assert!(resource(&device).owner("Device").is_err());
}

#[test]
fn a_group_may_have_patients_as_members() {
    let member = |id: &str| json!({"entity": {"reference": format!("Patient/{id}")}});
    let group = json!({
        "resourceType": "Group", "type": "person", "actual": true,
        "member": [member(PATIENT), member(OTHER)]
    });
    assert_eq!(resource(&group).owner("Group"), Ok(None));
}

#[test]
fn provenance_names_its_patient_among_its_targets() {
    let provenance = |targets: Value| {
        resource(&json!({
            "resourceType": "Provenance", "target": targets, "recorded": "2020-01-01T00:00:00Z",
            "agent": [{"who": {"reference": format!("Practitioner/{OTHER}")}}]
        }))
        .owner("Provenance")
    };
    let observation = json!({"reference": format!("Observation/{OTHER}")});
    let patient = json!({"reference": format!("Patient/{PATIENT}")});
    assert!(provenance(json!([observation])).is_err());
    let owner = provenance(json!([observation, patient]));
    assert_eq!(owner, Ok(parse_id(PATIENT).ok()));
}
