//! Searches for patients by the parameters that the roster holds.

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::fhir;
use uuid::Uuid;

use super::api::clinician;
use super::api::created;
use super::api::matches;
use super::api::patch;
use super::api::path;
use super::api::practitioner;
use super::api::put;
use super::api::search;
use super::api::searchset;
use super::api::store;
use super::api::unique_word;

/// Three patients with one family name, and the practitioner of the first.
struct Family {
    name: String,
    patients: [Value; 3],
    practitioner: Value,
}

impl Family {
    async fn stored(client: &Client) -> anyhow::Result<Self> {
        let name = unique_word();
        let practitioner = practitioner();
        let named = |given: &str| {
            let mut patient = fhir::patient();
            patient["name"] = json!([{"family": name, "given": [given]}]);
            patient
        };
        let mut ada = named("Ada");
        ada["active"] = json!(true);
        ada["address"] = json!([
            {"use": "home", "line": ["1 Ørsted Road"], "city": "Aarhus", "country": "DK", "postalCode": "8000"},
            {"use": "old", "city": "Springfield", "state": "MA"}
        ]);
        ada["generalPractitioner"] = json!([{"reference": fhir::reference(&practitioner)}]);
        ada["communication"] =
            json!([{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "da"}]}}]);
        let mut berta = named("Berta");
        berta["gender"] = json!("male");
        berta["active"] = json!(false);
        berta["deceasedDateTime"] = json!("2020-02-03T04:05:06Z");
        berta["birthDate"] = json!("1930-05");
        let mut clara = named("Clara");
        clara["gender"] = json!("unknown");
        clara["deceasedBoolean"] = json!(false);
        clara["birthDate"] = json!("1999");
        if let Some(clara) = clara.as_object_mut() {
            clara.remove("address");
            clara.remove("telecom");
        }
        store(client, &[&practitioner, &ada, &berta, &clara]).await?;
        Ok(Self {
            name,
            patients: [ada, berta, clara],
            practitioner,
        })
    }

    /// The first letters of the given names that a search finds.
    async fn found(&self, client: &Client, query: &str) -> anyhow::Result<String> {
        let mut fields = vec![("family", &*self.name)];
        fields.extend(
            query
                .split('&')
                .map(|pair| pair.split_once('=').unwrap_or((pair, ""))),
        );
        let found = searchset(client, "Patient", &fields).await?;
        let ids = matches(&found);
        anyhow::ensure!(found["total"] == ids.len(), "{query}: {found}");
        Ok(ids.iter().map(|id| self.letter(*id)).collect())
    }

    fn letter(&self, id: Uuid) -> char {
        let mut all = ('a'..).zip(&self.patients);
        all.find(|(_, patient)| fhir::id(patient) == id)
            .map_or('?', |(letter, _)| letter)
    }
}

/// Queries for the patients of a family, each with the letters that it finds.
const QUERIES: [(&str, &str); 50] = [
    ("given=ad", "a"),
    ("given:contains=ERT", "b"),
    ("given:exact=Clara", "c"),
    ("given:exact=clara", ""),
    ("given=ad,cla", "ac"),
    ("given=ad&given=cla", ""),
    ("name=ada", "a"),
    ("gender=female", "a"),
    ("gender=male,unknown", "bc"),
    ("gender:not=male", "ac"),
    ("gender=http://hl7.org/fhir/administrative-gender|male", "b"),
    ("active=true", "a"),
    ("active=false", "b"),
    ("active:missing=true", "c"),
    ("active:not=true", "bc"),
    ("deceased=true", "b"),
    ("deceased=false", "ac"),
    ("death-date=2020-02-03", "b"),
    ("death-date=lt2020", ""),
    ("death-date=ge2020-02", "b"),
    ("death-date:missing=true", "ac"),
    ("address=orsted", "a"),
    ("address=8000", "a"),
    ("address-city=aar", "a"),
    ("address-city=springfield", "a"),
    ("address-city=boston", "b"),
    ("address-city:exact=Aarhus", "a"),
    ("address-city:missing=true", "c"),
    ("address-state=ma", "a"),
    ("address-postalcode=80", "a"),
    ("address-country=dk", "a"),
    ("address-use=old", "a"),
    ("address:missing=true", "c"),
    ("language=da", "a"),
    ("language=urn:ietf:bcp:47|DA", "a"),
    ("telecom:missing=true", "c"),
    ("phone=555-019-2837", "ab"),
    ("general-practitioner:missing=true", "bc"),
    ("birthdate=1961-04-23", "a"),
    ("birthdate=1961", "a"),
    ("birthdate=1930-05", "b"),
    ("birthdate=lt1961", "b"),
    ("birthdate=ge1961-04-23", "ac"),
    ("birthdate=ne1999", "ab"),
    ("birthdate=sa1961-04-23", "c"),
    ("birthdate=eb1961", "b"),
    ("identifier=http://hospital.smarthealthit.org|", "abc"),
    ("_lastUpdated=ge2024", "abc"),
    ("_lastUpdated=lt2024", ""),
    ("gender=male&deceased=true&active=false", "b"),
];

/// Queries by the ids and the record numbers of a family, each with the letters that it finds.
fn queries_by_id(family: &Family) -> [(String, &'static str); 10] {
    let practitioner = fhir::id(&family.practitioner);
    let ids = family.patients.each_ref().map(fhir::id);
    let number = family.patients[0]["identifier"][0]["value"]
        .as_str()
        .unwrap_or_default();
    [
        (format!("general-practitioner={practitioner}"), "a"),
        (
            format!("general-practitioner=Practitioner/{practitioner}"),
            "a",
        ),
        (
            format!("general-practitioner:Practitioner={practitioner}"),
            "a",
        ),
        (
            format!("general-practitioner=Organization/{practitioner}"),
            "",
        ),
        (format!("_id={}", ids[1]), "b"),
        (format!("_id={},{}", ids[0], ids[2]), "ac"),
        (format!("_id={}&_id={}", ids[0], ids[2]), ""),
        (format!("identifier={number}"), "a"),
        (
            format!("identifier=http://hospital.smarthealthit.org|{number}"),
            "a",
        ),
        (format!("identifier=|{number}"), ""),
    ]
}

#[tokio::test]
async fn patients_are_found_by_every_parameter() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let mut failures = Vec::new();
    let queries = QUERIES.map(|(query, expected)| (query.to_owned(), expected));
    for (query, expected) in queries.into_iter().chain(queries_by_id(&family)) {
        let found = family.found(&client, &query).await;
        let found = found.unwrap_or_else(|error| format!("{error:#}"));
        let mut letters: Vec<_> = found.chars().collect();
        letters.sort_unstable();
        if letters.iter().collect::<String>() != expected {
            failures.push(format!("{query}: {found} instead of {expected}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

#[tokio::test]
async fn an_update_is_found_by_its_new_values_and_its_time() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let mut ada = family.patients[0].clone();
    let before = client.read("Patient", fhir::id(&ada)).await?;
    let before = before["meta"]["lastUpdated"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    ada["gender"] = json!("other");
    ada["address"] = json!([{"city": "Reykjavík"}]);
    let amended = put(&client, &ada).await?.expect_status(200)?.json()?;
    let after = amended["meta"]["lastUpdated"].as_str().unwrap_or_default();
    for (query, expected) in [
        ("gender=female".to_owned(), ""),
        ("gender=other".to_owned(), "a"),
        ("address-city=aarhus".to_owned(), ""),
        ("address-city=reykjavik".to_owned(), "a"),
        (format!("_lastUpdated={after}"), "a"),
        (format!("_lastUpdated=ge{after}"), "a"),
        (format!("_lastUpdated=gt{before}&gender=other"), "a"),
        (format!("_lastUpdated=gt{after}"), ""),
    ] {
        let found = family.found(&client, &query).await;
        let found = found.unwrap_or_else(|error| format!("{error:#}"));
        assert_eq!(found, expected, "{query}");
    }
    let operations = json!([{"op": "add", "path": "/deceasedBoolean", "value": true}]);
    patch(&client, &path(&ada), &operations)
        .await?
        .expect_status(200)?;
    assert_eq!(family.found(&client, "deceased=true").await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn opaque_parameters_may_be_in_the_url() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let id = fhir::id(&patient);
    let path = format!("/fhir/Patient?_id={id}&_count=5&_sort=-_lastUpdated&_total=none");
    let found = client.get(&path).await?.expect_status(200)?.json()?;
    assert_eq!(matches(&found), [id]);
    for query in [
        "family=CANARYVALUE",
        "name=CANARYVALUE",
        "identifier=CANARYVALUE",
        "birthdate=1961-04-23",
        "gender=female",
        "_id=CANARYVALUE",
        "patient.name=CANARYVALUE",
        "CANARYVALUE=1",
    ] {
        let refused = client.get(&format!("/fhir/Patient?{query}")).await?;
        let text = refused.text();
        assert_eq!(refused.status, 400, "{query}: {text}");
        let words = refused.issues()?[0]["diagnostics"].to_string();
        assert!(
            words.contains("POST") && words.contains("_search"),
            "{words}"
        );
        assert!(
            !text.contains("CANARYVALUE") && !text.contains("1961"),
            "{text}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_patients_are_not_searched_by_is_refused_without_a_value() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    for (name, value) in [
        ("phonetic", "CANARYVALUE"),
        ("CANARYVALUE", "x"),
        ("family:CANARYVALUE", "x"),
        ("gender", "CANARYVALUE"),
        ("active", "CANARYVALUE"),
        ("birthdate", "CANARYVALUE"),
        ("birthdate", "ap1961"),
        ("death-date", "CANARYVALUE"),
        ("general-practitioner.name", "CANARYVALUE"),
        ("_has:Observation:patient:code", "CANARYVALUE"),
        ("_sort", "CANARYVALUE"),
        ("_sort", "gender"),
        ("family", "CANARYVALUE,,x"),
        ("family", r"CANARY\VALUE"),
        ("_include", "Patient:CANARYVALUE"),
        ("address-use", "CANARYVALUE"),
    ] {
        let refused = search(&client, "Patient", &[(name, value)]).await?;
        let text = refused.text();
        assert_eq!(refused.status, 400, "{name}={value}: {text}");
        refused.issues()?;
        assert!(!text.contains("CANARY"), "{name}={value}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn the_front_desk_searches_patients_and_nothing_clinical() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    assert_eq!(family.found(&desk, "gender=male").await?, "b");
    let id = fhir::id(&family.patients[0]).to_string();
    let refused = search(&desk, "Observation", &[("patient", &id)]).await?;
    refused.expect_status(403)?.issues()?;
    let outsider = running.clinician(Clinic::Lakeside).await?;
    assert_eq!(family.found(&outsider, "gender=male").await?, "");
    let found = searchset(&outsider, "Patient", &[("_id", &id)]).await?;
    assert_eq!(found["total"], 0);
    Ok(())
}
