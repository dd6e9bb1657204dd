//! The stored form of search values.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::limits::MAX_SEARCH_VALUES_BYTES;
use crate::search::Match;
use crate::search::ResourceQuery;

const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";
const ENCOUNTER: &str = "0a4b6a70-3c55-4b6e-9d7c-5e0b3a0f1c11";

fn owner() -> Option<Uuid> {
    PATIENT.parse().ok()
}

fn values(json: &Value) -> SearchValues {
    SearchValues::of(&Resource::parse(json.to_string().as_bytes()).expect("valid"))
}

fn read(values: &SearchValues) -> SearchValues {
    let bytes = values.encode(owner());
    assert!(bytes.len() <= MAX_SEARCH_VALUES_BYTES, "{}", bytes.len());
    SearchValues::decode(values.resource_type(), &bytes, owner()).expect("readable")
}

fn coding(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": "x"}], "text": "x"})
}

/// A blood pressure as Synthea writes it.
fn blood_pressure() -> Value {
    let component = |code: &str, value: u8| {
        json!({
            "code": coding("http://loinc.org", code),
            "valueQuantity": {"value": value, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
        })
    };
    json!({
        "resourceType": "Observation",
        "id": "5c1b2f80-1111-4111-8111-0a0a0a0a0a0a",
        "meta": {"profile": [
            "http://hl7.org/fhir/StructureDefinition/bp",
            "http://hl7.org/fhir/StructureDefinition/vitalsigns"
        ]},
        "status": "final",
        "category": [coding("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
        "code": coding("http://loinc.org", "85354-9"),
        "subject": {"reference": format!("Patient/{PATIENT}")},
        "encounter": {"reference": format!("Encounter/{ENCOUNTER}")},
        "effectiveDateTime": "2015-09-27T03:46:59-04:00",
        "issued": "2015-09-27T03:46:59.344-04:00",
        "component": [component("8462-4", 79), component("8480-6", 121)]
    })
}

#[test]
fn a_typical_observation_is_stored_whole() {
    let full = values(&blood_pressure());
    assert!(read(&full) == without_texts(&full));
    let bytes = full.encode(owner());
    assert!(bytes.len() < 180, "{}", bytes.len());
    assert!(!read(&full).is_incomplete());
    // Of another owner, the patient's id is stored too.
    assert!(full.encode(None).len() == bytes.len() + 17);
    assert!(SearchValues::decode(ResourceType::Observation, &bytes, None).is_none());
}

/// The values as they are stored: long URIs as digests.
fn without_texts(values: &SearchValues) -> SearchValues {
    let mut values = values.clone();
    for (_, value) in &mut values.values {
        if let SearchValue::Uri(uri) = value {
            *value = SearchValue::UriDigest(Digest::of(uri));
        }
    }
    values
}

#[test]
fn values_that_do_not_fit_are_marked_and_the_most_searched_kept() {
    let mut observation = blood_pressure();
    let performers =
        (0..40_u128).map(|n| json!({"reference": format!("Practitioner/{}", Uuid::from_u128(n))}));
    observation["performer"] = performers.collect();
    observation["valueString"] = json!("x".repeat(1_000));
    let stored = read(&values(&observation));
    let matches = |form: &str| {
        let query = ResourceQuery::parse(ResourceType::Observation, "", form.as_bytes(), None);
        query.expect(form).matches(&stored)
    };
    assert!(stored.is_incomplete());
    for (form, expected) in [
        (
            "code=85354-9&category=vital-signs&status=final&date=2015-09-27",
            Match::Yes,
        ),
        ("encounter=0a4b6a70-3c55-4b6e-9d7c-5e0b3a0f1c11", Match::Yes),
        ("code=1-1", Match::No),
        ("performer=00000000-0000-0000-0000-000000000000", Match::Yes),
        (
            "performer=00000000-0000-0000-0000-000000000027",
            Match::OpenBody,
        ),
        ("performer:missing=false", Match::Yes),
        ("value-string=x", Match::OpenBody),
        ("value-string=x&code=1-1", Match::No),
        ("value-string:missing=true", Match::OpenBody),
        (
            "_profile=http://hl7.org/fhir/StructureDefinition/bp",
            Match::Yes,
        ),
        ("_profile:below=http://hl7.org/fhir", Match::OpenBody),
    ] {
        assert_eq!(matches(form), expected, "{form}");
    }
}

#[test]
fn other_bytes_are_not_read() {
    let bytes = values(&blood_pressure()).encode(owner());
    let decode = |bytes: &[u8]| SearchValues::decode(ResourceType::Observation, bytes, owner());
    assert!(decode(&[]).is_none());
    let mut of_later_format = bytes.to_vec();
    of_later_format[0] = 2;
    assert!(decode(&of_later_format).is_none());
    assert!(decode(&bytes[..bytes.len() - 1]).is_none());
    assert!(decode(&[bytes.as_slice(), &[0, 0]].concat()).is_none());
}

#[test]
fn debug_shows_the_type_only() {
    let shown = format!("{:?}", values(&blood_pressure()));
    assert_eq!(shown, "SearchValues(Observation, [redacted])");
}

#[test]
fn references_of_a_parameter_are_those_to_supported_types() {
    let full = values(&blood_pressure());
    let references = |name: &str| -> Vec<String> {
        let mut all = ResourceType::Observation.search_parameters();
        let parameter = all.find(|it| it.name() == name).expect(name);
        full.references(parameter)
            .map(|it| it.to_string())
            .collect()
    };
    assert_eq!(references("subject"), [format!("Patient/{PATIENT}")]);
    assert_eq!(references("encounter"), [format!("Encounter/{ENCOUNTER}")]);
    assert!(references("code").is_empty());
}

fn code() -> impl Strategy<Value = Value> {
    let system = prop_oneof![
        Just("http://loinc.org".to_owned()),
        Just("http://example.org/codes".to_owned()),
        Just(String::new())
    ];
    (system, "[A-C]").prop_map(|(system, code)| match system.as_str() {
        "" => json!({"coding": [{"code": code}]}),
        _ => coding(&system, &code),
    })
}

fn quantity() -> impl Strategy<Value = Value> {
    let unit = prop_oneof![Just("mg"), Just("mm[Hg]")];
    (-20_i64..20, 0_usize..3, unit, 0_u8..4).prop_map(|(number, places, unit, form)| {
        let number = format!("{number}.{:0places$}", 5);
        let number: Value = serde_json::from_str(&number).expect("a number");
        match form {
            0 => json!({"value": number}),
            1 => json!({"value": number, "unit": unit, "comparator": "<"}),
            2 => json!({"value": number, "unit": unit, "comparator": ">="}),
            _ => json!({"value": number, "unit": "mg", "system": "http://unitsofmeasure.org", "code": unit}),
        }
    })
}

fn reference() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just(format!("Practitioner/{ENCOUNTER}")),
        Just(format!("Organization/{ENCOUNTER}")),
        Just("https://other.example/fhir/Practitioner/1".to_owned()),
        (0_u128..60).prop_map(|n| format!("Practitioner/{}", Uuid::from_u128(n))),
    ];
    (text, any::<bool>()).prop_map(|(text, identified)| {
        if identified {
            json!({"reference": text, "identifier": {"system": "http://npi.example", "value": "A"}})
        } else {
            json!({"reference": text})
        }
    })
}

prop_compose! {
    fn observation()(
        code in code(),
        category in proptest::collection::vec(code(), 1..4),
        performer in proptest::collection::vec(reference(), 0..16),
        components in proptest::collection::vec((code(), quantity()), 0..8),
        time in prop_oneof![
            Just(("effectiveDateTime", json!("2013-01-14"))),
            Just(("effectiveDateTime", json!("2013"))),
            Just(("effectiveInstant", json!("2013-01-14T10:00:00.5+01:00"))),
            Just(("effectivePeriod", json!({"start": "2013-01-14"}))),
            Just(("effectivePeriod", json!({"end": "2013-01-14T10:00:00Z"}))),
            Just(("effectiveTiming", json!({"event": ["2013-01-14", "2013-03-01"]}))),
        ],
        value in prop_oneof![
            "[a-cÀ]{1,300}".prop_map(|text| ("valueString", json!(text))),
            quantity().prop_map(|quantity| ("valueQuantity", quantity)),
            Just(("valuePeriod", json!({"start": "2012", "end": "2013-02"}))),
            self::code().prop_map(|code| ("valueCodeableConcept", code)),
        ],
        profiles in proptest::collection::vec("http://[a-c]{1,2}/[a-c]", 0..3),
    ) -> Value {
        let components: Vec<_> = components.into_iter()
            .map(|(code, value)| json!({"code": code, "valueQuantity": value})).collect();
        let mut json = json!({
            "resourceType": "Observation", "status": "final", "code": code, "category": category,
            "subject": {"reference": format!("Patient/{PATIENT}")}, (time.0): time.1, (value.0): value.1,
        });
        for (name, list) in [("performer", performer), ("component", components)] {
            if !list.is_empty() {
                json[name] = Value::Array(list);
            }
        }
        if !profiles.is_empty() {
            json["meta"] = json!({"profile": profiles});
        }
        json
    }
}

fn form() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[a-cA-C]",
        "http://loinc\\.org\\|[A-C]?",
        "http://example\\.org/codes\\|[A-C]?",
        "\\|[A-C]"
    ];
    let prefix = || "(eq|ne|gt|lt|ge|le|sa|eb)?";
    prop_oneof![
        (
            "(combo-|component-)?code(:not)?|category(:not)?|value-concept",
            token
        )
            .prop_map(|(name, token)| format!("{name}={token}")),
        (prefix(), "2013(-0[1-3](-1[34])?)?")
            .prop_map(|(prefix, date)| format!("date={prefix}{date}")),
        (
            "(combo-|component-)?value-quantity",
            prefix(),
            "-?1?[0-9](\\.[05])?",
            "(\\|\\|mg|\\|http://unitsofmeasure\\.org\\|mg)?"
        )
            .prop_map(|(name, prefix, number, unit)| format!("{name}={prefix}{number}{unit}")),
        "value-string(:exact|:contains)?=[a-c]{1,3}",
        "_profile(:below|:above)?=http://[a-c]{1,2}(/[a-c])?",
        (0_u128..60).prop_map(|n| format!("performer=Practitioner/{}", Uuid::from_u128(n))),
        Just(format!("performer:Organization={ENCOUNTER}")),
        Just("performer:identifier=http://npi.example|A".to_owned()),
        Just("performer=https://other.example/fhir/Practitioner/1".to_owned()),
        Just(format!("patient={PATIENT}")),
        "(performer|value-string|component-code|value-quantity|date|_profile):missing=(true|false)",
    ]
}

proptest! {
    #[test]
    fn stored_values_match_as_all_values_do(json in observation(), forms in proptest::collection::vec(form(), 1..3)) {
        let full = values(&json);
        let stored = read(&full);
        let form = forms.join("&");
        let query = ResourceQuery::parse(ResourceType::Observation, "", form.as_bytes(), None).expect(&form);
        let of_stored = query.matches(&stored);
        let of_full = query.matches(&full);
        prop_assert_ne!(of_full, Match::OpenBody);
        if of_stored == Match::OpenBody {
            // Only a value that is left out, or a text of which only the digest is stored, needs the resource.
            prop_assert!(stored.is_incomplete() || form.contains(":below") || form.contains(":above"));
        } else {
            prop_assert_eq!(of_stored, of_full, "{}", form);
        }
    }

    #[test]
    fn what_is_stored_is_read_back(json in observation()) {
        let stored = read(&values(&json));
        prop_assert!(read(&stored) == stored);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let bytes = [[1, 0].as_slice(), &bytes].concat();
        let _read = SearchValues::decode(ResourceType::Observation, &bytes, owner());
    }
}
