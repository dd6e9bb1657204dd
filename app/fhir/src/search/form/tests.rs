//! The forms of Patient searches: what is parsed, and what is refused.

use super::*;
use crate::Status;

fn refused(form: &str) -> String {
    let outcome = parse(form.as_bytes(), None).expect_err("refused");
    assert_eq!(outcome.status().code(), 400);
    outcome.to_json().to_string()
}

#[test]
fn conditions_are_combined_by_and_and_their_values_by_or() {
    let form = "family=Smi,Jo&given=Jo&given=Ann&name:contains=x&identifier=urn%3Aa%7CM1,M2\
                &phone=1&email=a&telecom=b&birthdate=1980,ge1990";
    let query = parse(form.as_bytes(), Some("_count=7&name=y")).expect("valid");
    assert_eq!(
        (query.family.len(), query.given.len(), query.name.len()),
        (1, 2, 1)
    );
    assert_eq!(
        (query.identifiers.len(), query.identifiers[0].len()),
        (1, 2)
    );
    assert_eq!(
        (
            query.contacts.len(),
            query.birth_dates[0].len(),
            query.count
        ),
        (3, 2, 7)
    );
    assert_eq!(format!("{query:?}"), "PatientQuery([redacted])");
    assert_eq!(
        parse(b"family=x", None).expect("valid").count,
        DEFAULT_COUNT
    );
    assert_eq!(parse(b"family=x&_count=0", None).expect("valid").count, 0);
    assert!(refused("family=x&_count=-1").contains("at most 200"));
    let largest = parse(b"_count=1000", None).expect("valid").count;
    assert_eq!(largest, MAX_COUNT);
}

#[test]
fn malformed_values_are_refused_at_their_parameter_and_not_repeated() {
    for (form, parameter) in [
        ("family=SECRET,", "family"),
        ("given=SECRET%5C", "given"),
        ("name=--", "name"),
        ("identifier=SECRET%7Ca%7Cb", "identifier"),
        ("identifier=%7C", "identifier"),
        ("phone=phone%7CSECRET", "phone"),
        ("birthdate=ap1980", "birthdate"),
        ("birthdate=1981-02-29", "birthdate"),
    ] {
        let rendered = refused(form);
        assert!(
            rendered.contains(&format!("[\"{parameter}\"]")),
            "{form}: {rendered}"
        );
        assert!(!rendered.contains("SECRET"), "{rendered}");
    }
}

#[test]
fn a_form_of_too_many_parameters_or_values_is_too_large() {
    let refused = |form: &str| {
        let outcome = parse(form.as_bytes(), None).expect_err("refused");
        (outcome.status(), outcome.to_json().to_string())
    };
    for (form, limit) in [
        (vec!["birthdate=1980"; MAX_PARAMETERS + 1].join("&"), "32"),
        (format!("family=a{}", ",b".repeat(MAX_ALTERNATIVES)), "64"),
        (
            format!("identifier=a{}", ",b".repeat(MAX_INDEXED_VALUES)),
            "20",
        ),
        (vec!["x="; 20_000].join("&"), "32"),
    ] {
        let (status, outcome) = refused(&form);
        assert_eq!(status, Status::ContentTooLarge, "{outcome}");
        assert!(
            outcome.contains(limit) && outcome.len() < 1_000,
            "{outcome}"
        );
    }
    let most = vec!["birthdate=1980,1981"; MAX_PARAMETERS].join("&");
    assert!(parse(most.as_bytes(), None).is_ok());
}

#[test]
fn an_unsupported_parameter_is_named_but_a_value_in_its_place_is_not_repeated() {
    assert!(refused("phonetic=x").contains("the parameter phonetic is not supported"));
    assert!(refused("family:above=x").contains("family does not support this modifier"));
    assert!(refused("gender:in=x").contains("but :not and :missing"));
    assert!(refused("_id:not=x").contains("_id supports no modifier"));
    assert!(refused("_count:x=1").contains("_count supports no modifier"));
    assert!(refused("general-practitioner.name=x").contains("an unknown parameter"));
    let refused = refused("Smith=x&999-12-3456=&Smith:not=x");
    assert!(!refused.contains("Smith") && refused.contains("address-postalcode"));
}

#[test]
fn each_parameter_adds_a_condition_of_its_kind() {
    let id = "c757873d-ec9a-4326-a141-556f43239520";
    let form = format!(
        "gender=male&active:not=true&deceased=false&address-use=home&gender:missing=true\
         &death-date=gt2020-01-01T10:00Z&_lastUpdated=ge2026&address=a,b&address-city:exact=x\
         &address-state=s&address-postalcode=1&address-country:contains=c&language=en\
         &general-practitioner:Practitioner={id}&organization=Organization/{id}&link={id}\
         &_id={id},{id}&_sort=-birthdate&_total=none&_count=0"
    );
    let query = parse(form.as_bytes(), None).expect("valid");
    assert_eq!((query.flags.len(), query.addresses.len()), (5, 1));
    assert_eq!(
        (query.address_elements.len(), query.languages.len()),
        (4, 1)
    );
    assert_eq!((query.references.len(), query.ids[0].len()), (3, 2));
    assert_eq!((query.death_dates.len(), query.last_updated.len()), (1, 1));
    assert!(query.sort.descending && query.omits_total && query.has_exact_text());
    assert_eq!(query.count, 0);
    let all = parse(b"", Some("_count=3&_sort=_id&name=y")).expect("every patient");
    assert_eq!((all.alternatives(), all.count), (0, 3));
}

#[test]
fn a_value_that_its_parameter_does_not_have_is_refused() {
    for form in [
        "gender=Male",
        "active=yes",
        "deceased=2020",
        "address-use=x",
        "gender:missing=x",
        "_id=Smith",
        "_sort=name",
        "_total=maybe",
        "link=Practitioner/c757873d-ec9a-4326-a141-556f43239520",
        "death-date=yesterday",
        "_lastUpdated=ap2026",
        "address=--",
    ] {
        let name = form.split(['=', ':']).next().unwrap();
        assert!(refused(form).contains(&format!("[\"{name}\"]")), "{form}");
    }
}
