//! Sessions of browsers: cookies, forms of other sites, signing out.

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use tests::Answer;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::Running;
use url::form_urlencoded;

/// A form, as a browser posts it from a page of `origin`.
async fn post(
    client: &Client,
    path: &str,
    fields: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> anyhow::Result<Answer> {
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

async fn get(client: &Client, path: &str, cookie: &str) -> anyhow::Result<Answer> {
    let request = Request::get(path)
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookie)
        .body(Bytes::new())?;
    client.send(request).await
}

/// Signs in and gives the whole `Set-Cookie`.
async fn sign_in(running: &Running, role: Role) -> anyhow::Result<String> {
    let account = running.account(role, Clinic::Riverside)?;
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
    ];
    let origin = running.status.web.address.as_str();
    let answer = post(
        &running.nobody(),
        "/sign-in",
        &fields,
        &[("origin", origin)],
    )
    .await?;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookies: Vec<_> = answer.headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies.len(), 1);
    Ok(cookies[0].to_str()?.to_owned())
}

fn pair(set_cookie: &str) -> &str {
    set_cookie.split(';').next().unwrap_or_default()
}

#[tokio::test]
async fn the_cookie_is_for_this_host_only_and_out_of_reach_of_script() -> anyhow::Result<()> {
    let running = Running::shared()?;
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
    let page = get(&running.nobody(), "/patients", pair(&cookie)).await?;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert_eq!(page.header("cache-control"), "no-store");
    Ok(())
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let nobody = running.nobody();
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
            let answer = post(&nobody, path, &[("q", "Testperson")], headers).await?;
            assert_eq!(answer.status, 403, "{path} {:?}", headers.last());
        }
        // A form is refused by its type already; a Bundle from another site is refused too.
        let answer = post(&nobody, "/fhir", &[("q", "Testperson")], headers).await?;
        assert_eq!(answer.status, 415, "{:?}", headers.last());
        let mut request = Request::post("/fhir");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .header(header::CONTENT_TYPE, "application/fhir+json")
            .body(Bytes::from_static(
                br#"{"resourceType":"Bundle","type":"batch"}"#,
            ))?;
        let answer = nobody.send(request).await?;
        assert_eq!(answer.status, 403, "{:?}", headers.last());
    }
    let account = running.account(Role::Clinician, Clinic::Riverside)?;
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
    ];
    let answer = post(
        &nobody,
        "/sign-in",
        &fields,
        &[("origin", "https://evil.example")],
    )
    .await?;
    assert_eq!(answer.status, 403);
    assert!(answer.headers.get(header::SET_COOKIE).is_none());
    assert_eq!(
        get(&nobody, "/patients", cookie).await?.status,
        200,
        "the session goes on"
    );
    Ok(())
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let nobody = running.nobody();
    let cookie = sign_in(&running, Role::Clinician).await?;
    let cookie = pair(&cookie);
    assert_eq!(get(&nobody, "/patients", cookie).await?.status, 200);
    let origin = running.status.web.address.as_str();
    let answer = post(
        &nobody,
        "/sign-out",
        &[],
        &[("cookie", cookie), ("origin", origin)],
    )
    .await?;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(
        answer.header("set-cookie").contains("Max-Age=0"),
        "{}",
        answer.header("set-cookie")
    );
    let after = get(&nobody, "/patients", cookie).await?;
    assert_eq!(
        (after.status.as_u16(), after.header("location")),
        (303, "/sign-in")
    );
    Ok(())
}

#[tokio::test]
async fn the_database_holds_only_hashes_of_cookies_and_tokens() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let cookie = sign_in(&running, Role::FrontDesk).await?;
    let cookie = pair(&cookie)
        .trim_start_matches("__Host-session=")
        .to_owned();
    let client = running
        .sign_in_afresh(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let mut raw = Vec::new();
    for secret in [cookie.as_str(), client.token()] {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(secret);
        raw.push(bytes.context("a token of 32 bytes in base64url")?);
    }
    let mut intruder = running.intruder().await?;
    for (kind, secret, bytes) in [
        ("session", cookie.as_str(), &raw[0]),
        ("bearer", client.token(), &raw[1]),
    ] {
        let sql = "SELECT COUNT(*) FROM sessions WHERE token_hash = ? OR token_hash = ? OR LEFT(token_hash, 16) = LEFT(?, 16)";
        let found = intruder
            .number(sql, &[bytes, secret.as_bytes(), bytes])
            .await?;
        assert_eq!(found, 0, "{kind}");
        let sql = "SELECT COUNT(*) FROM sessions WHERE kind = ?";
        assert!(
            intruder.number(sql, &[kind.as_bytes()]).await? > 0,
            "{kind}"
        );
    }
    // Nor do they stand in any file, a log among them.
    let needles = tests::Needles::of_values(&[&cookie, client.token()]);
    let hunt = tests::Hunt::for_all(&needles)?;
    for folder in [&running.status.database.folder, &running.status.logs] {
        assert_eq!(hunt.folder(folder)?.0, []);
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_answered_with_the_form_and_no_cookie() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let account = running.account(Role::FrontDesk, Clinic::Riverside)?;
    let fields = [
        ("email", account.email.as_str()),
        ("password", "wrong-password"),
    ];
    let answer = post(&running.nobody(), "/sign-in", &fields, &[]).await?;
    assert_eq!(answer.status, 401);
    assert!(answer.headers.get(header::SET_COOKIE).is_none());
    assert!(!answer.text().contains("wrong-password"));
    assert!(!running.logs()?.contains("wrong-password"));
    Ok(())
}
