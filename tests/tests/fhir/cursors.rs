//! Page cursors: of use only to the person and for the interaction that they were made for, and opaque.

use http::Method;
use serde_json::Value;
use serde_json::json;
use tests::Canaries;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::Scanner;
use tests::TestResponse;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::link;
use super::api::matches;
use super::api::search;
use super::api::searchset;
use super::api::store;
use super::api::unique_word;

/// A family of patients, and a search for them whose result has a next page.
struct Family {
    name: String,
    patients: Vec<Value>,
}

impl Family {
    async fn stored(client: &Client) -> anyhow::Result<Self> {
        let name = unique_word();
        let named = |number: usize| {
            let mut patient = fhir::patient();
            patient["name"] = json!([{"family": name, "given": [format!("Number{number}")]}]);
            patient
        };
        let patients: Vec<_> = (0..5).map(named).collect();
        store(client, &patients.iter().collect::<Vec<_>>()).await?;
        Ok(Self { name, patients })
    }

    /// The next link of a first page of two.
    async fn next(&self, client: &Client) -> anyhow::Result<String> {
        let fields = [("family", &*self.name), ("_count", "2")];
        let first = searchset(client, "Patient", &fields).await?;
        anyhow::ensure!(matches(&first).len() == 2, "{first}");
        Ok(link(&first, "next").unwrap_or_default())
    }
}

/// Requires that a cursor is refused as any damaged one, and that nothing is disclosed.
fn expect_refused(response: &TestResponse, what: &str) {
    let text = response.text();
    assert_eq!(response.status, 400, "{what}: {text}");
    let issues = response.issues().unwrap_or_default();
    assert_eq!(issues.len(), 1, "{what}: {text}");
    assert_eq!(issues[0]["expression"][0], "_cursor", "{what}: {text}");
    assert!(!text.contains("Number"), "{what}: {text}");
}

#[tokio::test]
async fn a_cursor_is_of_no_use_to_anybody_else() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let next = family.next(&client).await?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    let outsider = running.clinician(Clinic::Lakeside).await?;
    let other_desk = running.sign_in(Role::FrontDesk, Clinic::Lakeside).await?;
    for (who, other) in [
        ("a colleague", desk),
        ("an outsider", outsider),
        ("a desk", other_desk),
    ] {
        expect_refused(&other.get(&next).await?, who);
    }
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let refused = officer.get(&next).await?;
    assert!(
        matches!(refused.status.as_u16(), 400 | 403),
        "{}",
        refused.text()
    );
    running.anonymous().get(&next).await?.expect_status(401)?;
    // The person's own request goes on, with the link as it is and in other forms.
    let second = client.get(&next).await?.expect_status(200)?.json()?;
    let again = client.get(&format!("{next}&_count=1")).await?;
    assert_eq!(
        matches(&again.expect_status(200)?.json()?),
        matches(&second)
    );
    let cursor = next.split_once("_cursor=").map_or("", |(_, cursor)| cursor);
    let posted = search(&client, "Patient", &[("_cursor", cursor)]).await?;
    assert_eq!(
        matches(&posted.expect_status(200)?.json()?),
        matches(&second)
    );
    Ok(())
}

#[tokio::test]
async fn a_cursor_is_of_no_use_for_another_interaction() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let next = family.next(&client).await?;
    let cursor = next.split_once("_cursor=").map_or("", |(_, cursor)| cursor);
    let patient = fhir::id(&family.patients[0]);
    let observation = fhir::observation(&family.patients[0]);
    store(&client, &[&observation]).await?;
    for path in [
        format!("/fhir/Practitioner?_cursor={cursor}"),
        format!("/fhir/Observation?_cursor={cursor}"),
        format!("/fhir/Observation?patient={patient}&_cursor={cursor}"),
        format!("/fhir/Observation/_history?_cursor={cursor}"),
        format!("/fhir/Patient/_history?_cursor={cursor}"),
        format!("/fhir/Patient/{patient}/_history?_cursor={cursor}"),
    ] {
        expect_refused(&client.get(&path).await?, &path);
    }
    // And that of a history is none of a search, nor of another resource's history.
    let mut amended = observation.clone();
    amended["status"] = json!("amended");
    store(&client, &[&amended]).await?;
    let path = format!("/fhir/{}/_history", fhir::reference(&observation));
    let history = client.get(&format!("{path}?_count=1")).await?;
    let next = link(&history.expect_status(200)?.json()?, "next").unwrap_or_default();
    let cursor = next.split_once("_cursor=").map_or("", |(_, cursor)| cursor);
    assert!(!cursor.is_empty());
    for path in [
        format!("/fhir/Observation?_cursor={cursor}"),
        format!("/fhir/Observation/_history?patient={patient}&_cursor={cursor}"),
        format!("/fhir/Patient/{patient}/_history?_cursor={cursor}"),
        format!(
            "/fhir/Observation/{}/_history?_cursor={cursor}",
            fhir::random_id()
        ),
    ] {
        expect_refused(&client.get(&path).await?, &path);
    }
    client.get(&next).await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn parameters_that_contradict_a_cursor_are_refused() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let patient = &family.patients[0];
    let observations: Vec<_> = (0..3).map(|_| fhir::observation(patient)).collect();
    store(&client, &observations.iter().collect::<Vec<_>>()).await?;
    let id = fhir::id(patient);
    let first = format!("/fhir/Observation?patient={id}&status=final&_count=1");
    let first = client.get(&first).await?.expect_status(200)?.json()?;
    let next = link(&first, "next").unwrap_or_default();
    let second = client.get(&next).await?.expect_status(200)?.json()?;
    for same in [
        format!("patient={id}"),
        format!("status=final&patient={id}"),
        "_count=1".to_owned(),
        "_count=7&_format=json".to_owned(),
    ] {
        let found = client.get(&format!("{next}&{same}")).await?;
        let found = found.expect_status(200)?.json()?;
        assert_eq!(matches(&found), matches(&second), "{same}");
    }
    for other in [
        format!("patient={}", fhir::id(&family.patients[1])),
        format!("subject={id}"),
        "status=amended".to_owned(),
        "category=laboratory".to_owned(),
        "_sort=-date".to_owned(),
        "_elements=status".to_owned(),
    ] {
        expect_refused(&client.get(&format!("{next}&{other}")).await?, &other);
    }
    let cursor = next.split_once("_cursor=").map_or("", |(_, cursor)| cursor);
    let fields = [("_cursor", cursor), ("code", "8867-4")];
    expect_refused(&search(&client, "Observation", &fields).await?, "code");
    Ok(())
}

#[tokio::test]
async fn an_altered_cursor_is_refused() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let next = family.next(&client).await?;
    let (path, cursor) = next.split_once("_cursor=").unwrap_or_default();
    let other = Family::stored(&client).await?.next(&client).await?;
    let (_, other) = other.split_once("_cursor=").unwrap_or_default();
    assert!(cursor.len() > 100 && cursor != other);
    let length = cursor.len();
    let places = [
        0,
        3,
        10,
        21,
        22,
        23,
        24,
        30,
        43,
        44,
        60,
        61,
        length / 2,
        length - 3,
        length - 2,
    ];
    let altered = places.map(|place| {
        let mut altered = cursor.as_bytes().to_vec();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        String::from_utf8(altered).unwrap_or_default()
    });
    let spliced = format!("{}{}", &cursor[..22], &other[22..]);
    let others = [
        "A".to_owned(),
        cursor[..length - 4].to_owned(),
        format!("{cursor}AAAA"),
        cursor[4..].to_owned(),
        spliced,
        "A".repeat(3_000),
    ];
    for cursor in altered.iter().chain(&others) {
        let response = client.get(&format!("{path}_cursor={cursor}")).await?;
        expect_refused(&response, cursor);
    }
    client.get(&next).await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_cursor_gives_no_access_after_sign_out() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let desk = running
        .sign_in_with_new_token(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let next = family.next(&desk).await?;
    desk.get(&next).await?.expect_status(200)?;
    let ended = desk
        .request(Method::DELETE, "/api/v1/tokens/current", "", "")
        .await?;
    assert!(ended.status.is_success(), "{}", ended.text());
    let refused = desk.get(&next).await?.expect_status(401)?;
    assert!(!refused.text().contains("Number"));
    // It belongs to the person, not to the token.
    let again = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    again.get(&next).await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_next_link_and_the_logs_have_no_value_of_the_search() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let family = Family::stored(&client).await?;
    let next = family.next(&client).await?;
    let patient = created(&client, &fhir::patient()).await?;
    let code = unique_word();
    let observations: Vec<_> = (0..3)
        .map(|_| {
            let mut observation = fhir::observation(&patient);
            observation["code"]["coding"][0]["code"] = json!(code);
            observation
        })
        .collect();
    store(&client, &observations.iter().collect::<Vec<_>>()).await?;
    let id = fhir::id(&patient).to_string();
    let fields = [("patient", &*id), ("code", &*code), ("_count", "1")];
    let first = searchset(&client, "Observation", &fields).await?;
    let next_of_chart = link(&first, "next").unwrap_or_default();
    let own = first["link"].to_string();
    let second = client
        .get(&next_of_chart)
        .await?
        .expect_status(200)?
        .json()?;
    assert_eq!(matches(&second).len(), 1);
    client.get(&next).await?.expect_status(200)?;
    let refused = client
        .get(&format!("/fhir/Patient?family={}", family.name))
        .await?;
    assert_eq!(refused.status, 400);
    let refused = search(
        &client,
        "Patient",
        &[("family", &family.name), (&code, &code)],
    )
    .await?;
    assert_eq!(refused.status, 400);
    assert!(!refused.text().contains(&code) && !refused.text().contains(&family.name));
    let canaries = Canaries::of_values(&[&family.name, &code]);
    let scanner = Scanner::new(&canaries)?;
    let logs = running.logs()?;
    for (source, text) in [
        ("a next link", &next),
        ("a next link in a chart", &next_of_chart),
        ("the links of a searchset", &own),
        ("the logs", &logs),
    ] {
        let found = scanner.scan_bytes(source, text.as_bytes());
        assert!(found.is_empty(), "{found:?}");
    }
    // The cursors themselves stand in no log, either: they are of use for an hour.
    for next in [&next, &next_of_chart] {
        let (_, cursor) = next.split_once("_cursor=").unwrap_or_default();
        assert!(!logs.contains(cursor), "a cursor is logged");
    }
    Ok(())
}
