//! The searches that US Core requires, as the table in `CONFORMANCE.md` has them.

use fhir::ResourceType;
use fhir::search;
use fhir::search::ResourceQuery;

const BASE: &str = "https://localhost:8443/fhir";
const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

/// A value of a parameter that US Core's searches have.
fn sample(resource_type: ResourceType, parameter: &str) -> String {
    match (resource_type, parameter) {
        (ResourceType::DiagnosticReport | ResourceType::ServiceRequest, "category") => {
            "http://loinc.org|LP29684-5"
        }
        (ResourceType::Condition, "category") => "problem-list-item",
        (ResourceType::CarePlan, "category") => "assess-plan",
        (ResourceType::DocumentReference, "category") => "clinical-note",
        (_, "category") => "vital-signs",
        (ResourceType::MedicationRequest, "status") => "active,on-hold",
        (_, "status") => "active",
        (_, "gender") => "female",
        (_, "patient" | "_id" | "practitioner") => ID,
        (_, "date" | "birthdate" | "authored") => "ge2020-01-01",
        (_, "code" | "type" | "specialty" | "intent" | "identifier") => "a",
        (_, "name" | "address") => "Archer",
        other => panic!("a parameter without a sample: {other:?}"),
    }
    .to_owned()
}

/// The names in backticks of a cell.
fn searches(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn is_accepted(resource_type: ResourceType, form: &str) -> bool {
    if resource_type == ResourceType::Patient {
        return search::parse(form.as_bytes(), None).is_ok();
    }
    ResourceQuery::parse(resource_type, BASE, form.as_bytes(), None).is_ok()
}

#[test]
fn each_search_of_the_table_is_supported_and_refused_in_a_url_where_the_table_says_so() {
    let page = include_str!("../CONFORMANCE.md");
    let (_, table) = page.split_once("<!-- table us-core -->").expect("the table");
    let (table, _) = table.split_once("<!-- end of us-core -->").expect("its end");
    let mut count = 0;
    for row in table.lines().filter(|it| it.starts_with('|')).skip(2) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let resource_type: ResourceType = cells[1].parse().expect("a type");
        for (cell, is_in_url) in [(cells[2], true), (cells[3], false)] {
            for names in searches(cell) {
                let pairs = names.split('+');
                let pairs = pairs.map(|name| (name, sample(resource_type, name)));
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(pairs)
                    .finish();
                assert!(is_accepted(resource_type, &form), "{resource_type} {form}");
                let screened = search::url::screen(resource_type, BASE, &form).is_ok();
                assert_eq!(screened, is_in_url, "{resource_type} {form}");
                count += 1;
            }
        }
    }
    assert_eq!(count, 48, "searches");
}

#[test]
fn the_includes_that_us_core_requires_are_supported() {
    for (resource_type, form) in [
        ("MedicationRequest", "_include=MedicationRequest:medication"),
        ("PractitionerRole", "_include=PractitionerRole:practitioner"),
        ("PractitionerRole", "_include=PractitionerRole:endpoint"),
        ("Observation", "_revinclude=Provenance:target"),
        ("Condition", "_revinclude=Provenance:target"),
    ] {
        let resource_type = resource_type.parse().expect("a type");
        assert!(is_accepted(resource_type, form), "{form}");
        assert!(search::url::screen(resource_type, BASE, form).is_ok(), "{form}");
    }
}
