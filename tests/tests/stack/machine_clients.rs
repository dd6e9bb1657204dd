//! The administration of machine clients by a security administrator.

use std::time::Duration;

use anyhow::Context;
use http::Method;
use https_client::ClientCredentials;
use https_client::ClientKey;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;

use super::enrolled_account::is_signed_in;
use super::machine_client_tokens::request_token;
use super::machine_client_tokens::token_of;

/// Registers a client with a new key.
pub(crate) async fn register(
    admin: &Client,
    name: &str,
    scopes: &str,
) -> anyhow::Result<ClientCredentials> {
    let key = ClientKey::generate()?;
    let body = json!({"name": name, "scopes": scopes, "jwks": key.public_keys()?});
    let registered = admin.post_json("/api/v1/clients", &body).await?;
    let registered = registered.expect_status(201)?.json()?;
    let id = registered["client_id"]
        .as_str()
        .context("an id")?
        .to_owned();
    Ok(ClientCredentials { id, key })
}

async fn administrator(running: &RunningStack) -> anyhow::Result<Client> {
    let role = Role::SecurityAdmin;
    running.sign_in(role, Clinic::Riverside).await
}

async fn change(admin: &Client, id: &str, change: &Value) -> anyhow::Result<TestResponse> {
    let path = format!("/api/v1/clients/{id}");
    let body = change.to_string();
    admin
        .request(Method::PATCH, &path, "application/json", body)
        .await
}

async fn remove(admin: &Client, id: &str) -> anyhow::Result<TestResponse> {
    let path = format!("/api/v1/clients/{id}");
    admin.request(Method::DELETE, &path, "", "").await
}

async fn listed(admin: &Client, id: &str) -> anyhow::Result<Option<Value>> {
    let clients = admin.get("/api/v1/clients").await?;
    let clients = clients.expect_status(200)?.json()?;
    let clients = clients["clients"].as_array().context("a list")?;
    Ok(clients.iter().find(|it| it["client_id"] == id).cloned())
}

#[tokio::test]
async fn a_registered_client_signs_in_until_it_is_suspended_or_removed() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = administrator(&running).await?;
    let credentials = register(&admin, "Claims export", "system/*.rs").await?;
    let id = credentials.id.as_str();
    let shown = listed(&admin, id).await?.context("the client")?;
    assert_eq!(shown["name"], "Claims export");
    assert_eq!(shown["active"], true);
    assert_eq!(shown["keys"], json!([{"kid": "demo", "alg": "ES384"}]));
    // A client is no person.
    let people = admin.get("/api/v1/people").await?.expect_status(200)?;
    assert!(!people.text().contains(id), "{}", people.text());
    let path = format!("/api/v1/people/{id}");
    let role = json!({"role": "clinician"}).to_string();
    let kind = "application/json";
    let changed = admin.request(Method::PATCH, &path, kind, role).await?;
    let reset = admin.post(&format!("{path}/reset")).await?;
    assert_eq!((changed.status.as_u16(), reset.status.as_u16()), (404, 404));

    let client = token_of(&running, &credentials, "system/*.rs").await?;
    assert!(is_signed_in(&client).await?);
    let suspended = change(&admin, id, &json!({"active": false})).await?;
    assert_eq!(suspended.expect_status(200)?.json()?["active"], false);
    assert!(!is_signed_in(&client).await?);
    let refused = request_token(&running, &credentials, "system/*.rs").await?;
    assert_eq!(
        refused.expect_status(400)?.json()?["error"],
        "invalid_client"
    );
    change(&admin, id, &json!({"active": true}))
        .await?
        .expect_status(200)?;
    // What ended stays ended.
    assert!(!is_signed_in(&client).await?);
    let client = token_of(&running, &credentials, "system/*.rs").await?;
    assert!(is_signed_in(&client).await?);

    remove(&admin, id).await?.expect_status(204)?;
    assert!(!is_signed_in(&client).await?);
    assert_eq!(listed(&admin, id).await?, None);
    let refused = request_token(&running, &credentials, "system/*.rs").await?;
    assert_eq!(
        refused.expect_status(400)?.json()?["error"],
        "invalid_client"
    );
    for change in [json!({"active": true}), json!({"scopes": "system/*.rs"})] {
        let path = format!("/api/v1/clients/{id}");
        let body = change.to_string();
        let again = admin.request(Method::PATCH, &path, "application/json", body);
        assert_eq!(again.await?.status, 404, "{change}");
    }
    assert_eq!(remove(&admin, id).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn new_keys_take_the_place_of_all_others() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = administrator(&running).await?;
    let credentials = register(&admin, "Key rotation", "system/*.rs").await?;
    let client = token_of(&running, &credentials, "system/*.rs").await?;
    let successor = ClientCredentials {
        key: ClientKey::generate()?,
        ..credentials.clone()
    };
    let refused = request_token(&running, &successor, "system/*.rs").await?;
    assert_eq!(refused.status, 400);
    let keys = json!({"jwks": successor.key.public_keys()?});
    change(&admin, &credentials.id, &keys)
        .await?
        .expect_status(200)?;
    assert!(!is_signed_in(&client).await?);
    let former = request_token(&running, &credentials, "system/*.rs").await?;
    assert_eq!(former.status, 400);
    let client = token_of(&running, &successor, "system/*.rs").await?;
    assert!(is_signed_in(&client).await?);
    remove(&admin, &credentials.id).await?.expect_status(204)?;
    Ok(())
}

#[tokio::test]
async fn only_a_security_administrator_of_the_organization_administers_clients()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let known = running.machine_client("Data warehouse", Clinic::Riverside)?;
    let elsewhere = running.machine_client("Data warehouse", Clinic::Lakeside)?;
    let suspend = json!({"active": false});
    let registration = json!({
        "name": "Another", "scopes": "system/*.rs", "jwks": known.key.public_keys()?
    });
    for role in [
        Role::Clinician,
        Role::FrontDesk,
        Role::PrivacyOfficer,
        Role::Service,
    ] {
        let client = running.sign_in(role, Clinic::Riverside).await?;
        let refused = [
            client.get("/api/v1/clients").await?,
            client.page("/clients").await?,
            client.post_json("/api/v1/clients", &registration).await?,
            change(&client, &known.id, &suspend).await?,
            remove(&client, &known.id).await?,
        ];
        for response in refused {
            assert_eq!(response.status, 403, "{role}: {}", response.text());
        }
    }
    let admin = administrator(&running).await?;
    assert_eq!(listed(&admin, &elsewhere.id).await?, None);
    for unknown in [
        elsewhere.id.as_str(),
        "0b6f2f5e-3a52-4c0b-9d0e-7d6a3c1f9b10",
    ] {
        assert_eq!(change(&admin, unknown, &suspend).await?.status, 404);
        assert_eq!(remove(&admin, unknown).await?.status, 404);
    }
    token_of(&running, &known, "system/*.rs").await?;
    token_of(&running, &elsewhere, "system/*.rs").await?;
    Ok(())
}

#[tokio::test]
async fn a_registration_with_other_keys_or_scopes_is_refused() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = administrator(&running).await?;
    let key = ClientKey::generate()?;
    let (public, private) = (key.public_keys()?, key.private_keys()?);
    let mut weak = public.clone();
    weak["keys"][0]["crv"] = "P-256".into();
    for (scopes, jwks, expected) in [
        ("system/*.rs", &private, "private key"),
        ("system/*.rs", &weak, "ES384"),
        ("system/*.rs", &json!({"keys": []}), "one to five keys"),
        (
            "system/*.rs",
            &json!("https://client.example/jwks"),
            "Key Set",
        ),
        ("system/*.cud", &public, "scope"),
        ("system/Robot.rs", &public, "scope"),
        ("user/*.rs", &public, "scope"),
        ("", &public, "scope"),
    ] {
        let body = json!({"name": "Refused", "scopes": scopes, "jwks": jwks});
        let refused = admin.post_json("/api/v1/clients", &body).await?;
        let refused = refused.expect_status(400)?;
        assert!(refused.text().contains(expected), "{}", refused.text());
    }
    let clients = admin.get("/api/v1/clients").await?.expect_status(200)?;
    assert!(!clients.text().contains("Refused"));
    Ok(())
}

#[tokio::test]
async fn a_suspended_client_is_signed_out_within_a_second_on_every_instance() -> anyhow::Result<()>
{
    let isolated = IsolatedStack::start().await?;
    let beside = isolated
        .stack
        .start_second_instance(isolated.stack.binaries())
        .await?;
    let (one, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let admin = administrator(&one).await?;
    let credentials = one.machine_client("Disease registry", Clinic::Riverside)?;
    let client = token_of(&other, &credentials, "system/*.rs").await?;
    assert!(is_signed_in(&client).await?);
    change(&admin, &credentials.id, &json!({"active": false}))
        .await?
        .expect_status(200)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!is_signed_in(&client).await?);
    let refused = request_token(&other, &credentials, "system/*.rs").await?;
    assert_eq!(refused.status, 400);
    Ok(())
}

#[tokio::test]
async fn each_change_of_a_client_is_on_record() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = administrator(&running).await?;
    let officer = Role::PrivacyOfficer;
    let officer = running.sign_in(officer, Clinic::Riverside).await?;
    let credentials = register(&admin, "On record", "system/Patient.rs").await?;
    let changed = change(&admin, &credentials.id, &json!({"active": false})).await?;
    let removed = remove(&admin, &credentials.id).await?;
    let events = audit_trail::latest_events(&officer).await?;
    for response in [changed.expect_status(200)?, removed.expect_status(204)?] {
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.context("an event")?;
        assert_eq!(event["action"], "provision", "{event}");
        assert_eq!(event["records"][0]["kind"], "client", "{event}");
        assert_eq!(
            event["records"][0]["id"],
            credentials.id.as_str(),
            "{event}"
        );
    }
    Ok(())
}
