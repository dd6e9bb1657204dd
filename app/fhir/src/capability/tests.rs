//! Tests of the `CapabilityStatement`.

use std::collections::BTreeSet;

use time::macros::datetime;

use super::*;
use crate::Compartment;
use crate::Resource;
use crate::SensitiveJson;
use crate::search;
use crate::search::ResourceQuery;

const BASE: &str = "https://localhost:8443/fhir";
const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

fn of_test() -> Value {
    statement(
        "https://localhost:8443",
        "0.1.0",
        datetime!(2026-11-23 15:00 UTC),
        &[Feature::BulkExport],
    )
}

/// The resources of the statement, with their types.
fn resources(statement: &Value) -> Vec<(ResourceType, &Value)> {
    let all = statement["rest"][0]["resource"]
        .as_array()
        .expect("resources");
    let of_name = |it: &Value| {
        it["type"]
            .as_str()
            .expect("a name")
            .parse()
            .expect("a type")
    };
    all.iter().map(|it| (of_name(it), it)).collect()
}

/// The texts at a member of each element of a list.
fn texts<'v>(resource: &'v Value, list: &str, member: &str) -> Vec<&'v str> {
    let all = resource[list].as_array().into_iter().flatten();
    all.map(|it| if member.is_empty() { it } else { &it[member] })
        .map(|it| it.as_str().expect("a text"))
        .collect()
}

/// Whether a search form is accepted.
fn is_accepted(resource_type: ResourceType, form: &str) -> bool {
    if resource_type == ResourceType::Patient {
        return search::parse(form.as_bytes(), None).is_ok();
    }
    ResourceQuery::parse(resource_type, BASE, form.as_bytes(), None).is_ok()
}

/// A value of a parameter of this type (`search-param-type`).
fn sample(parameter: &str, kind: &str) -> String {
    let value = match (parameter, kind) {
        ("gender", _) => "female",
        ("active" | "deceased", _) => "true",
        ("address-use", _) => "home",
        ("_id", _) | (_, "reference") => ID,
        (_, "date") => "ge2020-01-01",
        (_, "quantity") => "gt5.4|http://unitsofmeasure.org|mg",
        (_, "number") => "lt100",
        (_, "uri") => "http://example.org/x",
        (_, "string") => "Peter",
        (_, "token") => "a",
        other => panic!("a kind without a sample: {other:?}"),
    };
    value.to_owned()
}

#[test]
fn every_stored_type_is_declared_with_its_owner() {
    let statement = of_test();
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["kind"], "instance");
    assert_eq!(statement["implementation"]["url"], BASE);
    let resources = resources(&statement);
    let types: Vec<_> = resources.iter().map(|(of, _)| *of).collect();
    assert_eq!(types, ResourceType::ALL);
    for (_, resource) in resources {
        let documentation = resource["documentation"].as_str().expect("the owner");
        assert!(documentation.contains("wne"), "{documentation}");
    }
}

#[test]
fn the_statement_is_valid_and_of_moderate_length() {
    let document = SensitiveJson::new(of_test());
    let length = document.to_bytes().len();
    assert!(length < 300_000, "{length}");
    assert!(Resource::validate(document, None).is_ok());
}

#[test]
fn a_search_by_each_declared_parameter_is_accepted_and_by_every_other_one_refused() {
    let statement = of_test();
    let resources = resources(&statement);
    let all: BTreeSet<&str> = resources
        .iter()
        .flat_map(|(_, it)| texts(it, "searchParam", "name"))
        .collect();
    for (resource_type, resource) in &resources {
        let names = texts(resource, "searchParam", "name");
        let kinds = texts(resource, "searchParam", "type");
        for (name, kind) in names.iter().zip(kinds) {
            let form = format!("{name}={}", sample(name, kind));
            assert!(is_accepted(*resource_type, &form), "{resource_type} {form}");
        }
        let declared: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(declared.len(), names.len(), "{resource_type}");
        let unsupported = resource_type.unsupported_search_parameters();
        let unsupported = unsupported.map(|(name, _)| name);
        let of_others = all.iter().copied();
        for name in unsupported
            .chain(of_others)
            .filter(|it| !declared.contains(it))
        {
            let form = format!("{name}={ID}");
            assert!(
                !is_accepted(*resource_type, &form),
                "{resource_type} {form}"
            );
        }
    }
}

#[test]
fn each_declared_include_is_accepted_and_a_patient_has_none() {
    let statement = of_test();
    for (resource_type, resource) in resources(&statement) {
        let (own, of_others) = (
            texts(resource, "searchInclude", ""),
            texts(resource, "searchRevInclude", ""),
        );
        for (parameter, values) in [("_include", &own), ("_revinclude", &of_others)] {
            for value in values {
                let form = format!("{parameter}={value}");
                assert!(is_accepted(resource_type, &form), "{resource_type} {form}");
            }
        }
        if resource_type == ResourceType::Patient {
            assert!(own.is_empty() && of_others.is_empty());
            assert!(!is_accepted(resource_type, "_include=Patient:organization"));
            assert!(!is_accepted(
                resource_type,
                "_revinclude=Observation:patient"
            ));
        }
        let has_provenance = of_others.contains(&"Provenance:target");
        let is_in_charts = resource_type.compartment() != Some(Compartment::Directory);
        let is_patient = resource_type == ResourceType::Patient;
        assert_eq!(
            has_provenance,
            is_in_charts && !is_patient,
            "{resource_type}"
        );
    }
}

#[test]
fn an_include_is_declared_only_if_both_resources_may_be_in_reach() {
    let statement = of_test();
    let of = |wanted: ResourceType, list: &str| {
        let all = resources(&statement);
        let (_, found) = all.iter().find(|(of, _)| *of == wanted).expect("declared");
        texts(found, list, "")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let includes = of(ResourceType::Observation, "searchInclude");
    for expected in [
        "Observation:encounter",
        "Observation:performer",
        "Observation:patient",
    ] {
        assert!(includes.iter().any(|it| it == expected), "{includes:?}");
    }
    // The members of a Group are in charts, and the Group is the organization's.
    let includes = of(ResourceType::Group, "searchInclude");
    assert!(
        !includes.iter().any(|it| it == "Group:patient"),
        "{includes:?}"
    );
    // A canonical URL is not followed.
    let includes = of(ResourceType::PlanDefinition, "searchInclude");
    assert!(includes.is_empty(), "{includes:?}");
    let revincludes = of(ResourceType::Encounter, "searchRevInclude");
    assert!(revincludes.iter().any(|it| it == "Observation:encounter"));
    let revincludes = of(ResourceType::Practitioner, "searchRevInclude");
    assert!(
        revincludes
            .iter()
            .any(|it| it == "PractitionerRole:practitioner")
    );
    assert!(!revincludes.iter().any(|it| it == "Observation:performer"));
}

#[test]
fn the_history_of_a_type_is_declared_where_it_is_that_of_a_chart() {
    let statement = of_test();
    for (resource_type, resource) in resources(&statement) {
        let interactions = texts(resource, "interaction", "code");
        let is_in_charts = resource_type.compartment() != Some(Compartment::Directory);
        assert_eq!(
            interactions.contains(&"history-type"),
            is_in_charts,
            "{resource_type}"
        );
        let everything = texts(resource, "operation", "name").contains(&"everything");
        assert_eq!(everything, resource_type == ResourceType::Patient);
    }
}
