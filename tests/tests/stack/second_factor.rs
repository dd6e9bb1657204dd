//! The second factor: set up in a session of the password alone, required from then on, each code accepted once.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use futures::future::try_join_all;
use http::Method;
use http::Request;
use http::header;
use https_client::TotpKey;
use https_client::present_step;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;

use super::enrolled_account::Enrolled;
use super::enrolled_account::confirm;
use super::enrolled_account::sign_in;
use super::enrolled_account::with_token;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 92);

#[tokio::test]
async fn a_session_of_one_factor_reaches_nothing_but_its_own_account() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    for role in [
        Role::Clinician,
        Role::FrontDesk,
        Role::PrivacyOfficer,
        Role::SecurityAdmin,
    ] {
        let account = running.provision(role, Clinic::Riverside)?;
        let client = with_token(&running, sign_in(&running, &account, "").await?)?;
        client.get("/api/v1/session").await?.expect_status(200)?;
        for path in ["/fhir/Patient", "/api/v1/people", "/api/v1/audit/events"] {
            let refused = client.get(path).await?;
            assert_ne!(refused.status, 200, "{role} {path}");
            assert!(!refused.status.is_server_error(), "{role} {path}");
        }
        let search = client.search(&[("family", "smith")]).await?;
        assert_eq!(search.status, 403, "{role}");
        let batch = json!({"resourceType": "Bundle", "type": "batch"});
        assert_eq!(client.bundle(&batch).await?.status, 403, "{role}");
        for path in ["/", "/patients", "/people", "/audit"] {
            let page = client.page(path).await?;
            assert_ne!(page.status, 200, "{role} {path}");
        }
        let home = client.page("/").await?.expect_status(303)?;
        assert_eq!(home.header("location"), "/second-factor", "{role}");
        client.page("/second-factor").await?.expect_status(200)?;
    }
    // A machine client has one factor, and no page to set up another.
    let service = running.sign_in(Role::Service, Clinic::Riverside).await?;
    service.page("/second-factor").await?.expect_status(403)?;
    Ok(())
}

#[tokio::test]
async fn once_a_second_factor_is_set_up_the_password_alone_is_refused_and_changes_nothing()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    assert_eq!(enrolled.recovery_codes.len(), 10);
    let account = enrolled.account.clone();
    for wrong in [
        "",
        "000000",
        "0",
        "not a code",
        "00000-00000-00000-00000-00000",
    ] {
        let refused = sign_in(&running, &account, wrong).await?;
        assert_eq!(refused.status, 401, "{wrong}");
    }
    // The code that confirmed the app was used by that.
    let (step, _) = present_step()?;
    let confirmed_with = sign_in(&running, &account, &enrolled.key.code(step)?).await?;
    assert_eq!(confirmed_with.status, 401);
    with_token(
        &running,
        sign_in(&running, &account, &enrolled.key.code(step + 1)?).await?,
    )?;
    // The token of the password alone has ended.
    for path in [
        "/api/v1/account/authenticators",
        "/api/v1/account/recovery-codes",
    ] {
        let refused = enrolled.single.post(path).await?;
        assert!([401, 403].contains(&refused.status.as_u16()), "{path}");
    }
    let client = enrolled.client(&running).await?;
    let search = client.search(&[("family", "nobody")]).await?;
    search.expect_status(200)?;
    // Recovery codes are replaced, all of them.
    let renewed = client.post("/api/v1/account/recovery-codes");
    let renewed = renewed.await?.expect_status(201)?.json()?;
    let former = &enrolled.recovery_codes[0];
    assert_eq!(sign_in(&running, &account, former).await?.status, 401);
    let current = renewed["recovery_codes"][0].as_str().context("a code")?;
    let typed = current.to_uppercase().replace('-', " ");
    with_token(&running, sign_in(&running, &account, &typed).await?)?;
    assert_eq!(sign_in(&running, &account, current).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn of_many_uses_of_one_code_at_the_same_moment_one_succeeds() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    let code = enrolled.recovery_codes.pop().context("a recovery code")?;
    let next = enrolled.key.code(present_step()?.0 + 1)?;
    for code in [code, next] {
        let attempts = (0..6).map(|_| sign_in(&running, &enrolled.account, &code));
        let responses = try_join_all(attempts).await?;
        let issued = responses.iter().filter(|it| it.status == 201).count();
        assert_eq!(
            issued,
            1,
            "{:?}",
            responses.iter().map(|it| it.status).collect::<Vec<_>>()
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_app_is_confirmed_by_its_own_person_only() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let [one, other] = [
        running.provision(Role::FrontDesk, Clinic::Riverside)?,
        running.provision(Role::FrontDesk, Clinic::Riverside)?,
    ];
    let one = with_token(&running, sign_in(&running, &one, "").await?)?;
    let other = with_token(&running, sign_in(&running, &other, "").await?)?;
    let new = one.post("/api/v1/account/authenticators");
    let new = new.await?.expect_status(201)?.json()?;
    let key = TotpKey::from_base32(new["key"].as_str().context("a key")?);
    let uri = new["uri"].as_str().context("a URI")?;
    assert!(
        uri.starts_with("otpauth://totp/") && uri.contains("provisioned.example"),
        "{uri}"
    );
    let code = key.code(present_step()?.0)?;
    assert_eq!(confirm(&other, &new["id"], &code).await?.status, 404);
    assert_eq!(confirm(&one, &json!("not-an-id"), &code).await?.status, 404);
    assert_eq!(confirm(&one, &new["id"], "000000").await?.status, 400);
    confirm(&one, &new["id"], &code).await?.expect_status(200)?;
    let again = confirm(&one, &new["id"], &code).await?.status;
    assert!([401, 403].contains(&again.as_u16()), "{again}");
    Ok(())
}

#[tokio::test]
async fn authenticators_that_are_missing_from_the_database_lock_the_person_out()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    let client = enrolled.client(&running).await?;
    let session = client.get("/api/v1/session").await?.json()?;
    let person: uuid::Uuid = session["person"]["id"].as_str().context("an id")?.parse()?;
    let mut attacker = running.attacker().await?;
    let delete = "DELETE FROM authenticators WHERE person = ?";
    assert!(attacker.execute(delete, &[person.as_bytes()]).await? >= 10);
    let code = enrolled.recovery_codes[0].clone();
    for code in ["", &code] {
        let refused = sign_in(&running, &enrolled.account, code).await?;
        assert_eq!(refused.status, 401, "{code}");
    }
    // The column that requires a code is authenticated.
    let forge = "UPDATE credentials SET second_factor_at = NULL WHERE person = ?";
    assert_eq!(attacker.execute(forge, &[person.as_bytes()]).await?, 1);
    let refused = sign_in(&running, &enrolled.account, "").await?;
    assert_eq!(refused.status, 401);
    running.expect_reported(&refused, &["credentials"]).await
}

#[tokio::test]
async fn a_credential_that_is_put_back_to_before_the_second_factor_signs_no_one_in()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.provision(Role::Clinician, Clinic::Riverside)?;
    let single = with_token(&running, sign_in(&running, &account, "").await?)?;
    let session = single.get("/api/v1/session").await?.json()?;
    let person: uuid::Uuid = session["person"]["id"].as_str().context("an id")?.parse()?;
    let mut attacker = running.attacker().await?;
    let mut former = Vec::new();
    for column in ["mac", "mac_key"] {
        let sql = format!("SELECT {column} FROM credentials WHERE person = ?");
        former.push(attacker.bytes(&sql, &[person.as_bytes()]).await?);
    }
    let new = single.post("/api/v1/account/authenticators").await?;
    let new = new.expect_status(201)?.json()?;
    let key = TotpKey::from_base32(new["key"].as_str().context("a key")?);
    let code = key.code(present_step()?.0)?;
    confirm(&single, &new["id"], &code)
        .await?
        .expect_status(200)?;
    assert_eq!(sign_in(&running, &account, "").await?.status, 401);
    let back = "UPDATE credentials SET second_factor_at = NULL, authenticator_changes = NULL, \
                recovery_codes_at = NULL, mac = ?, mac_key = ? WHERE person = ?";
    let values: [&[u8]; 3] = [&former[0], &former[1], person.as_bytes()];
    assert_eq!(attacker.execute(back, &values).await?, 1);
    let refused = sign_in(&running, &account, "").await?;
    assert_eq!(refused.status, 500);
    running.expect_reported(&refused, &["credentials"]).await
}

#[tokio::test]
async fn each_change_is_an_event_and_a_refused_sign_in_names_its_account() -> anyhow::Result<()> {
    // From an address of its own: refusals of an address are recorded one by one up to a limit only.
    let running = RunningStack::shared()?.from_address(ADDRESS)?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    sign_in(&running, &enrolled.account, "").await?;
    let client = enrolled.client(&running).await?;
    let session = client.get("/api/v1/session").await?.json()?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let events = audit_trail::latest_events(&officer).await?;
    let of_person = events
        .iter()
        .filter(|it| it["person"] == session["person"]["id"]);
    let summary = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        [text("action"), text("outcome"), text("assurance")].join(" ")
    };
    let all: Vec<_> = of_person.map(summary).collect();
    for expected in [
        "issue-token success token",
        "change-credential success token",
        "sign-in refused ",
        "issue-token success password-and-code",
    ] {
        assert!(all.iter().any(|it| it == expected), "{expected}: {all:#?}");
    }
    let changes = all.iter().filter(|it| it.starts_with("change-credential"));
    assert_eq!(changes.count(), 2, "{all:#?}");
    Ok(())
}

#[tokio::test]
async fn a_person_sets_up_an_app_on_the_pages() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.provision(Role::Clinician, Clinic::Riverside)?;
    let anonymous = running.anonymous();
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
        ("code", ""),
    ];
    let signed_in = anonymous
        .form("/sign-in", &fields)
        .await?
        .expect_status(303)?;
    let cookie = pair(signed_in.header("set-cookie"));
    let home = browse(&anonymous, Method::GET, "/", "", &cookie).await?;
    assert_eq!(home.header("location"), "/second-factor");
    let scan = browse(&anonymous, Method::POST, "/second-factor", "", &cookie).await?;
    let page = scan.expect_status(200)?.text();
    assert!(page.contains("<svg role=\"img\""), "{page}");
    let between = |text: &str, start: &str, end: &str| {
        let rest = text.split(start).nth(1).unwrap_or_default();
        rest.split(end).next().unwrap_or_default().to_owned()
    };
    let key = TotpKey::from_base32(&between(&page, "class=\"key\">", "<").replace(' ', ""));
    let id = between(&page, "name=\"authenticator\" value=\"", "\"");
    let confirm = async |code: &str| {
        let form = format!("authenticator={id}&code={code}");
        browse(
            &anonymous,
            Method::POST,
            "/second-factor/confirm",
            &form,
            &cookie,
        )
        .await
    };
    let wrong = confirm("000000").await?.expect_status(400)?.text();
    assert!(
        wrong.contains("That code was not right") && wrong.contains(&id),
        "{wrong}"
    );
    let code = key.code(present_step()?.0)?;
    let done = confirm(&code).await?.expect_status(200)?;
    assert_eq!(done.text().matches("<li><code>").count(), 10);
    let raised = pair(done.header("set-cookie"));
    let patients = browse(&anonymous, Method::GET, "/patients", "", &raised).await?;
    patients.expect_status(200)?;
    let former = browse(&anonymous, Method::GET, "/patients", "", &cookie).await?;
    assert_eq!(former.header("location"), "/sign-in?next=/patients");
    Ok(())
}

fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap_or_default().to_owned()
}

/// A request as a browser sends it.
async fn browse(
    client: &Client,
    method: Method,
    path: &str,
    form: &str,
    cookie: &str,
) -> anyhow::Result<TestResponse> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "text/html")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookie)
        .body(form.to_owned().into())?;
    client.send(request).await
}
