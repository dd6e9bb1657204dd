//! Tokens of machine clients: assertions that are accepted, and attacks on the token endpoint.

use std::net::Ipv4Addr;

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Method;
use https_client::ClientCredentials;
use https_client::ClientKey;
use https_client::token_form;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;
use tests::fhir;

const FORM: &str = "application/x-www-form-urlencoded";
const ALL: &str = "system/*.rs";

fn audience(running: &RunningStack) -> String {
    format!("{}/oauth/token", running.status.web.address)
}

/// Sends an assertion.
async fn send(
    running: &RunningStack,
    assertion: &str,
    scope: &str,
) -> anyhow::Result<TestResponse> {
    let form = token_form(assertion, scope);
    let anonymous = running.anonymous();
    anonymous
        .request(Method::POST, "/oauth/token", FORM, form)
        .await
}

/// Requests a token with a new assertion.
pub(crate) async fn request_token(
    running: &RunningStack,
    credentials: &ClientCredentials,
    scope: &str,
) -> anyhow::Result<TestResponse> {
    let assertion = credentials.assertion(&audience(running))?;
    send(running, &assertion, scope).await
}

/// A client with a new token.
pub(crate) async fn token_of(
    running: &RunningStack,
    credentials: &ClientCredentials,
    scope: &str,
) -> anyhow::Result<Client> {
    let issued = request_token(running, credentials, scope).await?;
    let issued = issued.expect_status(200)?.json()?;
    let token = issued["access_token"].as_str().context("a token")?;
    Ok(running.anonymous().with_token(token))
}

fn warehouse(running: &RunningStack) -> anyhow::Result<ClientCredentials> {
    running.machine_client("Data warehouse", Clinic::Riverside)
}

#[tokio::test]
async fn a_token_is_issued_as_smart_backend_services_require() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let credentials = warehouse(&running)?;
    let issued = request_token(
        &running,
        &credentials,
        "system/Patient.read system/Group.rs",
    );
    let issued = issued.await?.expect_status(200)?;
    assert_eq!(issued.header("cache-control"), "no-store");
    assert_eq!(issued.header("content-type"), "application/json");
    let issued = issued.json()?;
    assert_eq!(issued["token_type"], "bearer");
    assert_eq!(issued["expires_in"], 300);
    assert_eq!(issued["scope"], "system/Group.rs system/Patient.rs");
    let token = issued["access_token"].as_str().context("a token")?;
    let client = running.anonymous().with_token(token);
    let session = client.get("/api/v1/session").await?.expect_status(200)?;
    let session = session.json()?;
    assert_eq!(session["person"]["id"], credentials.id.as_str());
    // It can be revoked like any other.
    let revoked = client.request(Method::DELETE, "/api/v1/tokens/current", "", "");
    revoked.await?.expect_status(204)?;
    assert_eq!(client.get("/api/v1/session").await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn the_configuration_names_what_the_server_does() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let anonymous = running.anonymous();
    let origin = running.status.web.address.as_str();
    let smart = anonymous
        .get("/fhir/.well-known/smart-configuration")
        .await?;
    let smart = smart.expect_status(200)?;
    assert_eq!(smart.header("content-type"), "application/json");
    let smart = smart.json()?;
    let metadata = anonymous.get("/.well-known/oauth-authorization-server");
    let metadata = metadata.await?.expect_status(200)?.json()?;
    for document in [&smart, &metadata] {
        assert_eq!(document["token_endpoint"], format!("{origin}/oauth/token"));
        assert_eq!(
            document["grant_types_supported"],
            json!(["client_credentials"])
        );
        let methods = &document["token_endpoint_auth_methods_supported"];
        assert_eq!(methods, &json!(["private_key_jwt"]));
        let algorithms = &document["token_endpoint_auth_signing_alg_values_supported"];
        assert_eq!(algorithms, &json!(["ES384", "RS384"]));
    }
    let capabilities = smart["capabilities"].as_array().context("a list")?;
    assert!(capabilities.contains(&json!("client-confidential-asymmetric")));
    assert_eq!(metadata["issuer"], origin);
    let statement = anonymous.get("/fhir/metadata").await?.expect_status(200)?;
    let security = &statement.json()?["rest"][0]["security"];
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    let uris = &security["extension"][0]["extension"][0];
    assert_eq!(uris["valueUri"], format!("{origin}/oauth/token"));
    Ok(())
}

/// An assertion that must be refused, and why.
struct Attack {
    what: &'static str,
    assertion: String,
}

/// Assertions that differ from a valid one in one claim, or in one member of the header.
fn wrong_members(
    credentials: &ClientCredentials,
    audience: &str,
    other: &ClientCredentials,
) -> anyhow::Result<Vec<Attack>> {
    let claims = credentials.claims(audience)?;
    let now = claims["iat"].as_i64().context("a time")?;
    let with = |mut object: Value, name: &str, value: Value| {
        object[name] = value;
        object
    };
    let signed = |what, header: Value, claims: Value| {
        let assertion = credentials.key.sign(&header, &claims)?;
        anyhow::Ok(Attack { what, assertion })
    };
    let claim = |what, name: &str, value: Value| {
        signed(
            what,
            credentials.header(),
            with(credentials.claims(audience)?, name, value),
        )
    };
    let member = |what, name: &str, value: Value| {
        signed(
            what,
            with(credentials.header(), name, value),
            credentials.claims(audience)?,
        )
    };
    let elsewhere = "https://other.example/oauth/token";
    Ok(vec![
        claim("another audience", "aud", json!(elsewhere))?,
        claim(
            "the origin as the audience",
            "aud",
            json!(audience.trim_end_matches("/oauth/token")),
        )?,
        claim(
            "two audiences",
            "aud",
            json!([audience, "https://other.example"]),
        )?,
        claim("expired", "exp", json!(now - 31))?,
        claim("an expiry in an hour", "exp", json!(now + 3600))?,
        claim("not valid yet", "nbf", json!(now + 120))?,
        claim("issued in the future", "iat", json!(now + 120))?,
        claim("another issuer", "iss", json!(other.id))?,
        claim("another subject", "sub", json!(other.id))?,
        claim("no id", "jti", json!(""))?,
        member("an unknown kid", "kid", json!("other"))?,
        member("RS384 for an EC key", "alg", json!("RS384"))?,
        member("ES256", "alg", json!("ES256"))?,
        member(
            "an extension that must be understood",
            "crit",
            json!(["exp"]),
        )?,
        member(
            "the address of a key set",
            "jku",
            json!("https://other.example/jwks"),
        )?,
    ])
}

/// Assertions that are not signed with the client's private key.
fn wrong_keys(
    credentials: &ClientCredentials,
    audience: &str,
    other: &ClientCredentials,
) -> anyhow::Result<Vec<Attack>> {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |algorithm: &str| {
        let mut header = credentials.header();
        header["alg"] = algorithm.into();
        anyhow::Ok(format!(
            "{}.{}",
            part(&header),
            part(&credentials.claims(audience)?)
        ))
    };
    let stranger = ClientKey::generate()?;
    let mut own_key = credentials.header();
    own_key["jwk"] = stranger.public_keys()?["keys"][0].clone();
    let valid = credentials.assertion(audience)?;
    let (signed, signature) = valid.rsplit_once('.').context("a signature")?;
    let attack = |what, assertion| Attack { what, assertion };
    let public = credentials.key.public_keys()?.to_string();
    let hmac = hmac_sha256(public.as_bytes(), unsigned("HS256")?.as_bytes());
    let unknown = ClientCredentials {
        id: fhir::random_id().to_string(),
        key: credentials.key.clone(),
    };
    Ok(vec![
        attack("alg none", format!("{}.", unsigned("none")?)),
        attack(
            "alg none with a signature",
            format!("{}.{signature}", unsigned("none")?),
        ),
        attack(
            "HS256 with the public key as the secret",
            format!(
                "{}.{}",
                unsigned("HS256")?,
                BASE64_URL_SAFE_NO_PAD.encode(hmac)
            ),
        ),
        attack("no signature", format!("{signed}.")),
        attack("another signature", format!("{signed}.{}", "A".repeat(128))),
        attack(
            "another client's key",
            other
                .key
                .sign(&credentials.header(), &credentials.claims(audience)?)?,
        ),
        attack(
            "a stranger's key in the header",
            stranger.sign(&own_key, &credentials.claims(audience)?)?,
        ),
        attack("an unknown client", unknown.assertion(audience)?),
        attack(
            "a longer assertion than any",
            format!("{valid}{}", "A".repeat(8192)),
        ),
        attack("no token", "no-token".to_owned()),
    ])
}

/// HMAC with SHA-256 (RFC 2104), for a key longer than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    use sha2::Sha256;
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(&Sha256::digest(key));
    let keyed = |pad: u8, message: &[u8]| {
        let padded = block.map(|byte| byte ^ pad);
        Sha256::digest([&padded[..], message].concat()).to_vec()
    };
    keyed(0x5c, &keyed(0x36, message))
}

#[tokio::test]
async fn a_wrong_assertion_is_refused_without_saying_why() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let (credentials, audience) = (warehouse(&running)?, audience(&running));
    let other = running.machine_client("Disease registry", Clinic::Riverside)?;
    let mut attacks = wrong_members(&credentials, &audience, &other)?;
    attacks.extend(wrong_keys(&credentials, &audience, &other)?);
    let mut bodies = std::collections::BTreeSet::new();
    for Attack { what, assertion } in attacks {
        let refused = send(&running, &assertion, ALL).await?;
        assert_eq!(refused.status, 400, "{what}: {}", refused.text());
        assert_eq!(refused.json()?["error"], "invalid_client", "{what}");
        assert_eq!(refused.header("cache-control"), "no-store", "{what}");
        bodies.insert(refused.text());
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    token_of(&running, &credentials, ALL).await?;
    Ok(())
}

#[tokio::test]
async fn an_assertion_is_accepted_once() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let credentials = warehouse(&running)?;
    let assertion = credentials.assertion(&audience(&running))?;
    // Also of many at the same moment.
    let sent = (0..8).map(|_| send(&running, &assertion, ALL));
    let responses = futures::future::try_join_all(sent).await?;
    let accepted = responses.iter().filter(|it| it.status == 200).count();
    assert_eq!(accepted, 1);
    for refused in responses.iter().filter(|it| it.status != 200) {
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert_eq!(refused.json()?["error"], "invalid_client");
    }
    assert_eq!(send(&running, &assertion, ALL).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn the_id_of_an_assertion_is_used_once_by_all_instances_together() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let beside = isolated
        .stack
        .start_second_instance(isolated.stack.binaries())
        .await?;
    let (one, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let credentials = warehouse(&one)?;
    let mut claims = credentials.claims(&audience(&one))?;
    let here = credentials.key.sign(&credentials.header(), &claims)?;
    // The instances have addresses of their own here.
    claims["aud"] = audience(&other).into();
    let there = credentials.key.sign(&credentials.header(), &claims)?;
    send(&one, &here, ALL).await?.expect_status(200)?;
    assert_eq!(send(&other, &there, ALL).await?.status, 400);
    assert_eq!(send(&other, &here, ALL).await?.status, 400);
    token_of(&other, &credentials, ALL).await?;
    Ok(())
}

#[tokio::test]
async fn a_request_without_an_assertion_is_refused_by_oauth_s_errors() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let credentials = warehouse(&running)?;
    let valid = || {
        anyhow::Ok(token_form(
            &credentials.assertion(&audience(&running))?,
            ALL,
        ))
    };
    let client = running.anonymous();
    let post = |form: String| client.request(Method::POST, "/oauth/token", FORM, form);
    for (form, expected) in [
        (String::new(), "invalid_request"),
        (
            "grant_type=client_credentials".to_owned(),
            "invalid_request",
        ),
        (
            valid()?.replace("client_credentials", "password"),
            "unsupported_grant_type",
        ),
        (
            valid()?.replace("jwt-bearer", "saml2-bearer"),
            "invalid_request",
        ),
        (
            valid()?.replace("client_assertion=", "x="),
            "invalid_request",
        ),
        (valid()?.replace("&scope=", "&x="), "invalid_request"),
        (format!("{}&client_secret=x", valid()?), "invalid_request"),
        (
            format!("{}&scope=system/Patient.rs", valid()?),
            "invalid_request",
        ),
        (valid()?.replace(ALL, "user/*.rs"), "invalid_scope"),
        (valid()?.replace(ALL, "system/*.cud"), "invalid_scope"),
    ] {
        let refused = post(form.clone()).await?;
        assert_eq!(refused.status, 400, "{form}: {}", refused.text());
        assert_eq!(refused.json()?["error"], expected, "{form}");
    }
    let json = client.post_json("/oauth/token", &json!({})).await?;
    assert_eq!(json.status, 415);
    let get = client.get("/oauth/token").await?;
    assert_eq!(get.status, 405);
    let long = "x".repeat(100_000);
    assert_eq!(post(format!("{}&x={long}", valid()?)).await?.status, 413);
    // Two ways to authenticate at once.
    let known = running.sign_in(Role::Clinician, Clinic::Riverside).await?;
    let both = known.request(Method::POST, "/oauth/token", FORM, valid()?);
    assert_eq!(both.await?.status, 400);
    // Another client's id beside the assertion.
    let other = format!("{}&client_id={}", valid()?, fhir::random_id());
    let other = post(other).await?.expect_status(400)?.json()?;
    assert_eq!(other["error"], "invalid_client");
    let same = format!("{}&client_id={}", valid()?, credentials.id);
    post(same).await?.expect_status(200)?;
    // A parameter that is not known is ignored.
    let more = post(format!("{}&resource=x", valid()?)).await?;
    more.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_machine_client_has_no_password() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let credentials = warehouse(&running)?;
    let body = json!({"email": credentials.id, "password": "a long passphrase"});
    let refused = running
        .anonymous()
        .post_json("/api/v1/tokens", &body)
        .await?;
    assert_eq!(refused.status, 401);
    Ok(())
}

#[tokio::test]
async fn tokens_and_refusals_are_on_record_with_the_client() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let officer = Role::PrivacyOfficer;
    let officer = running.sign_in(officer, Clinic::Riverside).await?;
    // Refusals of one address are recorded one by one up to a number a minute.
    let running = running.from_address(Ipv4Addr::new(127, 0, 6, 1))?;
    let credentials = warehouse(&running)?;
    let issued = request_token(&running, &credentials, ALL).await?;
    let stranger = ClientCredentials {
        key: ClientKey::generate()?,
        ..credentials.clone()
    };
    let refused = request_token(&running, &stranger, ALL).await?;
    let events = audit_trail::latest_events(&officer).await?;
    let event = |response: &TestResponse| {
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        event.cloned().context("an event")
    };
    let (issued, refused) = (event(&issued)?, event(&refused)?);
    assert_eq!(issued["action"], "issue-token", "{issued}");
    assert_eq!(issued["person"], credentials.id.as_str(), "{issued}");
    assert_eq!(issued["assurance"], "client-assertion", "{issued}");
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert_eq!(refused["person"], credentials.id.as_str(), "{refused}");
    Ok(())
}
