//! Every route except the public ones requires valid credentials.

use http::Method;
use serde_json::json;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;

/// Every route that requires authentication, with a method that it supports.
const PROTECTED_ROUTES: [(&str, &str); 52] = [
    ("POST", "/fhir"),
    ("POST", "/fhir/"),
    ("POST", "/fhir/Patient/_search"),
    ("POST", "/fhir/Claim/_search"),
    ("POST", "/fhir/Patient"),
    ("GET", "/fhir/Patient/_history"),
    ("PUT", "/fhir/Patient/11111111-2222-4333-8444-555555555555"),
    (
        "PATCH",
        "/fhir/Patient/11111111-2222-4333-8444-555555555555",
    ),
    (
        "DELETE",
        "/fhir/Patient/11111111-2222-4333-8444-555555555555",
    ),
    (
        "GET",
        "/fhir/Patient/11111111-2222-4333-8444-555555555555/_history",
    ),
    (
        "GET",
        "/fhir/Patient/11111111-2222-4333-8444-555555555555/_history/1",
    ),
    (
        "GET",
        "/fhir/Observation?patient=11111111-2222-4333-8444-555555555555",
    ),
    ("GET", "/fhir/Patient"),
    ("GET", "/fhir/Patient/11111111-2222-4333-8444-555555555555"),
    (
        "GET",
        "/fhir/Observation/11111111-2222-4333-8444-555555555555",
    ),
    ("GET", "/"),
    ("GET", "/patients"),
    ("POST", "/patients/search"),
    ("GET", "/patients/11111111-2222-4333-8444-555555555555"),
    ("GET", "/people"),
    ("GET", "/audit"),
    ("POST", "/sign-out"),
    ("POST", "/session"),
    ("GET", "/second-factor"),
    ("POST", "/second-factor"),
    ("POST", "/second-factor/confirm"),
    ("POST", "/second-factor/passkey/options"),
    ("POST", "/second-factor/passkey"),
    ("POST", "/step-up/passkey/options"),
    ("POST", "/step-up/passkey"),
    ("GET", "/security"),
    ("POST", "/security/password"),
    ("POST", "/security/end"),
    ("POST", "/security/devices/remove"),
    ("POST", "/security/recovery-codes"),
    ("POST", "/people/11111111-2222-4333-8444-555555555555"),
    ("POST", "/people/11111111-2222-4333-8444-555555555555/reset"),
    ("GET", "/api/v1/account/sessions"),
    ("POST", "/api/v1/account/authenticators"),
    ("POST", "/api/v1/account/recovery-codes"),
    (
        "POST",
        "/api/v1/people/11111111-2222-4333-8444-555555555555/reset",
    ),
    ("GET", "/clients"),
    ("POST", "/clients/11111111-2222-4333-8444-555555555555"),
    ("POST", "/clients/11111111-2222-4333-8444-555555555555/keys"),
    (
        "POST",
        "/clients/11111111-2222-4333-8444-555555555555/remove",
    ),
    ("GET", "/api/v1/clients"),
    (
        "PATCH",
        "/api/v1/clients/11111111-2222-4333-8444-555555555555",
    ),
    (
        "DELETE",
        "/api/v1/clients/11111111-2222-4333-8444-555555555555",
    ),
    ("GET", "/api/v1/session"),
    ("GET", "/api/v1/people"),
    ("GET", "/api/v1/audit/events"),
    ("DELETE", "/api/v1/tokens/current"),
];

#[tokio::test]
async fn a_client_without_valid_credentials_gets_nothing() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let ended = running
        .sign_in_with_new_token(Role::Clinician, Clinic::Riverside)
        .await?;
    ended
        .request(Method::DELETE, "/api/v1/tokens/current", "", "")
        .await?
        .expect_status(204)?;
    let anonymous = running.anonymous();
    let random = "A".repeat(43);
    let clients = [
        ("no token", anonymous.clone()),
        ("garbage", anonymous.with_token("garbage")),
        ("a token never issued", anonymous.with_token(&random)),
        ("a token given back", ended),
    ];
    for (method, path) in PROTECTED_ROUTES {
        for (what, client) in &clients {
            let response = client.request(method.parse()?, path, "", "").await?;
            assert_eq!(
                response.status,
                401,
                "{method} {path} with {what}: {}",
                response.text()
            );
            assert_eq!(
                response.header("www-authenticate"),
                "Bearer",
                "{method} {path}"
            );
        }
        if method == "GET" && !path.starts_with("/fhir") && !path.starts_with("/api") {
            let response = anonymous.page(path).await?;
            assert_eq!(response.status, 303, "{path} in a browser");
            let next = if path == "/" {
                String::new()
            } else {
                format!("?next={path}")
            };
            assert_eq!(response.header("location"), format!("/sign-in{next}"));
        }
    }
    for path in [
        "/healthz",
        "/readyz",
        "/sign-in",
        "/signed-out",
        "/developers",
    ] {
        assert_eq!(anonymous.page(path).await?.status, 200, "{path}");
    }
    assert_eq!(anonymous.get("/fhir/metadata").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn every_documented_route_requires_authentication_unless_it_is_documented_as_public()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let anonymous = running.anonymous();
    let described = anonymous
        .get("/api/v1/openapi.json")
        .await?
        .expect_status(200)?
        .json()?;
    let paths = described["paths"].as_object().expect("paths");
    let mut protected = 0;
    for (path, item) in paths {
        let operations = item.as_object().expect("methods").iter();
        // Parameters that all methods of a path share are beside the methods.
        for (method, operation) in operations.filter(|(name, _)| *name != "parameters") {
            if operation["security"] == json!([]) {
                continue;
            }
            protected += 1;
            let method: Method = method.to_uppercase().parse()?;
            let of_groups = path.ends_with("/{id}/$export");
            let path = path
                .replace("{type}", if of_groups { "Group" } else { "Patient" })
                .replace("{id}", "c757873d-ec9a-4326-a141-556f43239520")
                .replace("{compartment}", "Observation")
                .replace("{version}", "1")
                .replace("{person}", "c757873d-ec9a-4326-a141-556f43239520")
                .replace("{file}", "0");
            let response = anonymous.request(method, &path, "", "").await?;
            assert_eq!(response.status, 401, "{path}");
            let kind = response.header("content-type");
            if path.starts_with("/fhir") {
                response.issues()?;
            } else {
                assert_eq!(kind, "application/problem+json", "{path}");
            }
        }
    }
    assert!(protected > 20);
    Ok(())
}
