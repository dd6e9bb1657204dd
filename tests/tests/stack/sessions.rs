//! Browser sessions: cookies, cross-site forms and sign-out.

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use url::form_urlencoded;

/// Posts a form with these additional header fields.
async fn post(
    client: &Client,
    path: &str,
    fields: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> anyhow::Result<TestResponse> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(Bytes::from(body))?).await
}

async fn get(client: &Client, path: &str, cookie: &str) -> anyhow::Result<TestResponse> {
    let request = Request::get(path)
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookie)
        .body(Bytes::new())?;
    client.send(request).await
}

/// Signs in and returns the whole `Set-Cookie`.
async fn sign_in(running: &RunningStack, role: Role) -> anyhow::Result<String> {
    let account = running.account(role, Clinic::Riverside)?;
    let code = running.code(account).await?;
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
        ("code", &code),
    ];
    let origin = running.status.web.address.as_str();
    let response = post(
        &running.anonymous(),
        "/sign-in",
        &fields,
        &[("origin", origin)],
    )
    .await?;
    assert_eq!(response.status, 303, "{}", response.text());
    let cookies: Vec<_> = response
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .collect();
    assert_eq!(cookies.len(), 1);
    Ok(cookies[0].to_str()?.to_owned())
}

fn pair(set_cookie: &str) -> &str {
    set_cookie.split(';').next().unwrap_or_default()
}

#[tokio::test]
async fn the_session_cookie_is_bound_to_the_host_and_hidden_from_scripts() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let cookie = sign_in(&running, Role::Clinician).await?;
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    let attributes: Vec<String> = cookie
        .split(';')
        .skip(1)
        .map(|part| part.trim().to_lowercase())
        .collect();
    for wanted in ["secure", "httponly", "samesite=strict", "path=/"] {
        assert!(
            attributes.iter().any(|attribute| attribute == wanted),
            "{wanted}: {attributes:?}"
        );
    }
    assert!(
        !attributes
            .iter()
            .any(|attribute| attribute.starts_with("domain"))
    );
    assert!(
        !attributes
            .iter()
            .any(|attribute| attribute.starts_with("expires"))
    );
    let page = get(&running.anonymous(), "/patients", pair(&cookie)).await?;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert_eq!(page.header("cache-control"), "no-store");
    Ok(())
}

#[tokio::test]
async fn a_cross_site_form_has_no_effect() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let anonymous = running.anonymous();
    let cookie = sign_in(&running, Role::Clinician).await?;
    let cookie = pair(&cookie);
    let foreign: [&[(&str, &str)]; 5] = [
        &[("cookie", cookie), ("origin", "https://evil.example")],
        &[("cookie", cookie), ("origin", "null")],
        &[("cookie", cookie), ("sec-fetch-site", "cross-site")],
        &[("cookie", cookie), ("sec-fetch-site", "same-site")],
        &[("cookie", cookie)],
    ];
    for headers in foreign {
        for path in ["/patients/search", "/sign-out"] {
            let response = post(&anonymous, path, &[("q", "Testperson")], headers).await?;
            assert_eq!(response.status, 403, "{path} {:?}", headers.last());
        }
        // A form is refused for its media type; a cross-site Bundle is refused, too.
        let response = post(&anonymous, "/fhir", &[("q", "Testperson")], headers).await?;
        assert_eq!(response.status, 415, "{:?}", headers.last());
        let mut request = Request::post("/fhir");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .header(header::CONTENT_TYPE, "application/fhir+json")
            .body(Bytes::from_static(
                br#"{"resourceType":"Bundle","type":"batch"}"#,
            ))?;
        let response = anonymous.send(request).await?;
        assert_eq!(response.status, 403, "{:?}", headers.last());
    }
    let account = running.account(Role::Clinician, Clinic::Riverside)?;
    let code = running.code(account).await?;
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
        ("code", &code),
    ];
    let response = post(
        &anonymous,
        "/sign-in",
        &fields,
        &[("origin", "https://evil.example")],
    )
    .await?;
    assert_eq!(response.status, 403);
    assert!(response.headers.get(header::SET_COOKIE).is_none());
    assert_eq!(
        get(&anonymous, "/patients", cookie).await?.status,
        200,
        "the session is still valid"
    );
    Ok(())
}

#[tokio::test]
async fn sign_out_ends_the_session_on_the_server() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let anonymous = running.anonymous();
    let cookie = sign_in(&running, Role::Clinician).await?;
    let cookie = pair(&cookie);
    assert_eq!(get(&anonymous, "/patients", cookie).await?.status, 200);
    let origin = running.status.web.address.as_str();
    let response = post(
        &anonymous,
        "/sign-out",
        &[],
        &[("cookie", cookie), ("origin", origin)],
    )
    .await?;
    assert_eq!(response.status, 303, "{}", response.text());
    assert!(
        response.header("set-cookie").contains("Max-Age=0"),
        "{}",
        response.header("set-cookie")
    );
    let after = get(&anonymous, "/patients", cookie).await?;
    assert_eq!(
        (after.status.as_u16(), after.header("location")),
        (303, "/sign-in?next=/patients")
    );
    Ok(())
}

#[tokio::test]
async fn the_database_has_only_hashes_of_cookies_and_tokens() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let cookie = sign_in(&running, Role::FrontDesk).await?;
    let cookie = pair(&cookie)
        .trim_start_matches("__Host-session=")
        .to_owned();
    let client = running
        .sign_in_with_new_token(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let mut raw = Vec::new();
    for secret in [cookie.as_str(), client.token()] {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(secret);
        raw.push(bytes.context("a token of 32 bytes in base64url")?);
    }
    let mut attacker = running.attacker().await?;
    for (kind, secret, bytes) in [
        ("session", cookie.as_str(), &raw[0]),
        ("bearer", client.token(), &raw[1]),
    ] {
        let sql = "SELECT COUNT(*) FROM sessions WHERE token_hash = ? OR token_hash = ? OR LEFT(token_hash, 16) = LEFT(?, 16)";
        let found = attacker
            .number(sql, &[bytes, secret.as_bytes(), bytes])
            .await?;
        assert_eq!(found, 0, "{kind}");
        let sql = "SELECT COUNT(*) FROM sessions WHERE kind = ?";
        assert!(
            attacker.number(sql, &[kind.as_bytes()]).await? > 0,
            "{kind}"
        );
    }
    // Neither cookie nor token is in any file, including the logs.
    let canaries = tests::Canaries::of_values(&[&cookie, client.token()]);
    let scanner = tests::Scanner::new(&canaries)?;
    for folder in [&running.status.database.folder, &running.status.logs] {
        assert_eq!(scanner.scan_folder(folder)?.0, []);
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_shows_the_form_and_sets_no_cookie() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.account(Role::FrontDesk, Clinic::Riverside)?;
    let fields = [
        ("email", account.email.as_str()),
        ("password", "wrong-password"),
    ];
    let response = post(&running.anonymous(), "/sign-in", &fields, &[]).await?;
    assert_eq!(response.status, 401);
    assert!(response.headers.get(header::SET_COOKIE).is_none());
    assert!(!response.text().contains("wrong-password"));
    assert!(!running.logs()?.contains("wrong-password"));
    Ok(())
}
