//! Names of a file, resolved.

use super::*;
use crate::source::EntryPosition;

const A: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a001";
const B: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a002";

fn head(name: &str, id: Option<&str>) -> Head {
    Head {
        resource_type: Some(name.to_owned()),
        id: id.map(str::to_owned),
    }
}

fn add(names: &mut Names, full_url: &str, condition: Option<&str>, head: &Head) {
    let item = Item {
        place: EntryPosition { entry: 0, byte: 0 },
        full_url: Some(full_url.to_owned().into()),
        if_none_exist: condition.map(str::to_owned),
        resource: None,
    };
    let kind = names.kind(&item, head).unwrap();
    names.add(&item, head, kind);
}

#[test]
fn a_name_that_two_resources_have_stands_for_none_of_them() {
    let name = format!("urn:uuid:{A}");
    let mut names = Names::default();
    add(&mut names, &name, None, &head("Patient", Some(A)));
    add(&mut names, &name, None, &head("Patient", Some(A)));
    let resolve = |names: &Names| names.resolve(&name, None, ImportPhase::Charts);
    assert_eq!(resolve(&names), Some(format!("Patient/{A}")));
    add(&mut names, &name, None, &head("Patient", Some(B)));
    assert_eq!(resolve(&names), None);
}

#[test]
fn a_resource_with_a_condition_is_referred_to_by_it() {
    let condition = "identifier=https://s|1";
    for name in [
        format!("urn:uuid:{A}"),
        "https://h/fhir/Practitioner/1".to_owned(),
    ] {
        let mut names = Names::default();
        add(
            &mut names,
            &name,
            Some(condition),
            &head("Practitioner", Some("1")),
        );
        let resolve = |phase| names.resolve(&name, Some("https://h/fhir"), phase);
        let expected = format!("Practitioner?{condition}");
        assert_eq!(resolve(ImportPhase::Charts), Some(expected.clone()));
        assert_eq!(resolve(ImportPhase::Directory), Some(expected));
        // A transaction resolves the names of its own entries.
        assert_eq!(resolve(ImportPhase::Conditional), None);
    }
}

#[test]
fn names_other_than_uuids_and_urls_are_resolved() {
    let mut names = Names::default();
    add(&mut names, "urn:oid:1.2.3", None, &head("Patient", Some(A)));
    let resolve = |reference: &str| names.resolve(reference, None, ImportPhase::Charts);
    assert_eq!(resolve("urn:oid:1.2.3#a"), Some(format!("Patient/{A}#a")));
    assert_eq!(resolve("urn:oid:1.2.4"), None);
}

#[test]
fn an_unknown_source_leaves_ids_unmapped() {
    let names = Names::new(Some(Arc::new(IdMapping::for_dry_run(None).unwrap())));
    assert_eq!(names.resolve("Patient/1", None, ImportPhase::Charts), None);
    let mapped = names.resolve("Patient/1", Some("https://h"), ImportPhase::Charts);
    assert!(mapped.unwrap().starts_with("Patient/"));
}
