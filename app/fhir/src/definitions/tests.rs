//! Tests of the definitions cut from HL7's files.

use super::super::ResourceType;
use super::super::resource_type::refused_reason;
use super::*;

fn element<'d>(definitions: &'d Definitions, name: &str, element: &str) -> &'d ElementDefinition {
    let definition = definitions.by_name(name).expect("defined");
    definitions
        .element(definition, element)
        .expect("an element")
}

#[test]
fn every_type_of_r4_is_defined_and_either_stored_or_refused_with_a_reason() {
    let definitions = definitions().expect("valid");
    for resource_type in ResourceType::ALL {
        assert!(
            definitions.resource(resource_type.name()).is_some(),
            "{resource_type}"
        );
    }
    for name in &definitions.resources {
        let stored = name.parse::<ResourceType>().is_ok();
        assert_eq!(stored, refused_reason(name).is_none(), "{name}");
    }
    // R4 has 146 concrete types.
    assert_eq!(definitions.resources.len(), 146);
    for other in [
        "Element",
        "DomainResource",
        "Resource",
        "Patient.contact",
        "Bot",
    ] {
        assert!(definitions.resource(other).is_none(), "{other}");
    }
    assert!(definitions.by_name("Element").is_some());
}

#[test]
fn a_choice_has_an_entry_for_each_of_its_names() {
    let definitions = definitions().expect("valid");
    let boolean = element(definitions, "Patient", "deceasedBoolean").choice;
    assert!(boolean.is_some());
    assert_eq!(
        boolean,
        element(definitions, "Patient", "deceasedDateTime").choice
    );
    let patient = definitions.by_name("Patient").expect("defined");
    assert!(definitions.element(patient, "deceased[x]").is_none());
}

#[test]
fn a_type_has_the_elements_that_it_inherits() {
    let definitions = definitions().expect("valid");
    for (name, inherited) in [
        ("Patient", "contained"),
        ("Patient", "meta"),
        ("Binary", "implicitRules"),
        ("Patient.contact", "modifierExtension"),
        ("HumanName", "extension"),
        ("Age", "comparator"),
        ("Age", "id"),
        ("Timing", "modifierExtension"),
    ] {
        element(definitions, name, inherited);
    }
    let binary = definitions.by_name("Binary").expect("defined");
    assert!(definitions.element(binary, "contained").is_none());
    for base in BASES {
        assert!(
            definitions
                .by_name(base)
                .expect("a base")
                .required
                .is_empty()
        );
    }
}

#[test]
fn elements_that_hl7_does_not_define_are_absent() {
    let definitions = definitions().expect("valid");
    for (name, added) in [
        ("Meta", "project"),
        ("Binary", "url"),
        ("ResearchStudy", "studyDesign"),
        ("EvidenceVariable.characteristic", "linkId"),
    ] {
        let definition = definitions.by_name(name).expect("defined");
        assert!(definitions.element(definition, added).is_none(), "{added}");
    }
}

#[test]
fn every_owner_path_leads_to_a_reference() {
    let definitions = definitions().expect("valid");
    for resource_type in ResourceType::ALL {
        for path in resource_type.owner_paths() {
            let mut of = definitions.by_name(resource_type.name());
            let mut last = None;
            for segment in path.split('.') {
                let name = segment.trim_end_matches("[]");
                let of_type = of.expect("a complex type");
                let element = definitions.element(of_type, name).expect(path);
                assert_eq!(
                    element.is_array,
                    segment.ends_with("[]"),
                    "{resource_type}.{path}"
                );
                of = match element.element_type {
                    ElementType::Complex(id) => definitions.get(id),
                    ElementType::Primitive(..) | ElementType::Resource => None,
                };
                last = of;
            }
            let last = last.expect("defined");
            assert!(
                definitions.element(last, "reference").is_some(),
                "{resource_type}.{path}"
            );
        }
    }
}

#[test]
fn every_date_and_title_element_is_an_element_of_a_type_that_uses_it() {
    let definitions = definitions().expect("valid");
    for resource_type in ResourceType::ALL {
        let definition = definitions.by_name(resource_type.name()).expect("defined");
        let is_generic = resource_type.date_elements() == super::super::resource_type::DATES;
        let present = |name: &&&str| definitions.element(definition, name).is_some();
        let count = resource_type.date_elements().iter().filter(present).count();
        let all = resource_type.date_elements().len();
        assert!(is_generic || count == all, "{resource_type}");
    }
}

#[test]
fn elements_of_summaries_are_marked() {
    let definitions = definitions().expect("valid");
    for (name, summary, other) in [
        ("Patient", "birthDate", "contact"),
        ("Patient", "deceasedBoolean", "text"),
        ("Observation", "valueQuantity", "note"),
        ("Binary", "contentType", "data"),
        ("Encounter", "id", "language"),
    ] {
        assert!(element(definitions, name, summary).is_summary, "{summary}");
        assert!(!element(definitions, name, other).is_summary, "{other}");
    }
}
