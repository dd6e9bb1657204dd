//! Automatic logoff in the browser, and the way back after signing in again.

use anyhow::Context;
use http::Method;
use tests::Clinic;
use tests::PageSession;
use tests::Role;
use tests::RunningStack;

/// The idle limit of the shared stack, in seconds, with the margin after it.
const REPLACED_AFTER: u64 = 902;

#[tokio::test]
async fn each_page_of_a_session_is_replaced_at_its_end_and_no_other_response_is()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.account(Role::Clinician, Clinic::Riverside)?;
    let browser = PageSession::sign_in(&running, clinician).await?;
    for path in ["/patients", "/security", "/second-factor"] {
        let page = browser.get(path).await?.expect_status(200)?;
        let refresh = page.header("refresh").to_owned();
        let (seconds, url) = refresh.split_once("; url=").unwrap_or_default();
        let seconds: u64 = seconds.parse()?;
        assert!(
            (REPLACED_AFTER - 60..=REPLACED_AFTER).contains(&seconds),
            "{path}: {refresh}"
        );
        assert_eq!(url, format!("/signed-out?next={path}"));
    }
    // The results of a search have no path to which one could return.
    let search = browser
        .post("/patients/search", &[("q", "Testperson")])
        .await?;
    assert!(search.header("refresh").ends_with("; url=/signed-out"));
    for path in ["/audit", "/nothing"] {
        let problem = browser.get(path).await?;
        assert!(problem.headers.get("refresh").is_none(), "{path}");
    }
    let anonymous = running.anonymous();
    for path in ["/sign-in", "/set-up", "/signed-out", "/developers"] {
        let page = anonymous.page(path).await?.expect_status(200)?;
        assert!(page.headers.get("refresh").is_none(), "{path}");
    }
    let program = running.sign_in(Role::Clinician, Clinic::Riverside).await?;
    for path in ["/api/v1/session", "/fhir/metadata"] {
        let response = program.get(path).await?.expect_status(200)?;
        assert!(response.headers.get("refresh").is_none(), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_another_window_uses_is_not_ended_and_the_page_is_shown_again()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.account(Role::Clinician, Clinic::Riverside)?;
    let browser = PageSession::sign_in(&running, account).await?;
    let again = browser.get_by_itself("/signed-out?next=/patients").await?;
    assert_eq!(
        (again.status.as_u16(), again.header("location")),
        (303, "/patients")
    );
    assert!(again.headers.get("set-cookie").is_none());
    // A browser that does not state its user gets the page, since a redirect would use the session.
    let headers = [("sec-fetch-site", "same-origin")];
    let page = browser
        .send(Method::GET, "/signed-out", "", &headers)
        .await?;
    let page = page.expect_status(200)?;
    assert!(page.headers.get("set-cookie").is_none());
    assert!(
        page.text().contains("You are still signed in"),
        "{}",
        page.text()
    );
    browser.get("/patients").await?.expect_status(200)?;
    let time = browser
        .post("/session", &[])
        .await?
        .expect_status(200)?
        .json()?;
    let seconds = time["seconds"].as_u64().unwrap_or_default();
    assert!(
        (REPLACED_AFTER - 60..=REPLACED_AFTER).contains(&seconds),
        "{time}"
    );
    Ok(())
}

#[tokio::test]
async fn after_signing_in_one_is_back_on_the_page() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.account(Role::FrontDesk, Clinic::Riverside)?;
    let chart = "/patients/11111111-2222-4333-8444-555555555555";
    let mut browser = PageSession::anonymous(&running);
    let away = browser.get(&format!("{chart}?kind=Condition")).await?;
    let sign_in = away.expect_status(303)?.header("location").to_owned();
    assert_eq!(sign_in, format!("/sign-in?next={chart}"));
    let form = browser.get(&sign_in).await?.expect_status(200)?.text();
    assert!(
        form.contains(&format!("name=\"next\" value=\"{chart}\"")),
        "{form}"
    );
    // A refused attempt keeps it.
    let wrong = [
        ("email", account.email.as_str()),
        ("password", "wrong"),
        ("next", chart),
    ];
    let refused = browser
        .post("/sign-in", &wrong)
        .await?
        .expect_status(401)?
        .text();
    assert!(
        refused.contains(&format!("name=\"next\" value=\"{chart}\"")),
        "{refused}"
    );
    assert!(refused.contains("aria-invalid=\"true\"") && refused.contains(&account.email));
    let code = running.code(account).await?;
    assert_eq!(browser.submit_sign_in(account, &code, chart).await?, chart);
    // With a session in force, the page redirects.
    let page = browser.get(&sign_in).await?;
    assert_eq!(
        (page.status.as_u16(), page.header("location")),
        (303, chart)
    );
    Ok(())
}

#[tokio::test]
async fn no_other_address_is_returned_to() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.provision(Role::Clinician, Clinic::Riverside)?;
    let others = [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/%2Fevil.example",
        "/patients%0d%0aset-cookie:%20a=b",
        "/patients\r\nset-cookie: a=b",
        "/patients/..//evil.example",
        "/patients/Cruz",
        "/patients?sort=family",
        "/api/v1/session",
        "/fhir/Patient",
        "/sign-out",
    ];
    for next in others {
        let mut browser = PageSession::anonymous(&running);
        let location = browser.submit_sign_in(&account, "", next).await?;
        assert_eq!(location, "/", "{next}");
        let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        for page in ["/sign-in", "/signed-out", "/set-up"] {
            let answer = browser.get(&format!("{page}?next={encoded}")).await?;
            assert_eq!(answer.status, 400, "{page} {next}");
            assert!(answer.headers.get("location").is_none(), "{page} {next}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_is_back_on_the_page_after_setting_up_an_account_and_its_app() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.provision(Role::Clinician, Clinic::Riverside)?;
    let mut browser = PageSession::anonymous(&running);
    let form = browser.get("/sign-in?next=/patients").await?.text();
    assert!(form.contains("href=\"/set-up?next=/patients\""), "{form}");
    let location = browser.submit_sign_in(&account, "", "/patients").await?;
    assert_eq!(location, "/patients");
    let set_up = browser.get(&location).await?.expect_status(303)?;
    assert_eq!(set_up.header("location"), "/second-factor?next=/patients");
    let hidden = "<input type=\"hidden\" name=\"next\" value=\"/patients\">";
    let start = browser.get("/second-factor?next=/patients").await?.text();
    assert!(start.contains(hidden), "{start}");
    let scan = browser
        .post("/second-factor", &[("next", "/patients")])
        .await?
        .text();
    assert!(scan.contains(hidden), "{scan}");
    Ok(())
}

/// Sends a form with the cookie of a session that has ended. Returns what the browser keeps of it.
async fn send_late(browser: &PageSession, text: &str) -> anyhow::Result<String> {
    browser.post("/sign-out", &[]).await?.expect_status(303)?;
    let late = browser.post("/patients/search", &[("q", text)]).await?;
    let page = late.expect_status(401)?.text();
    assert!(!page.contains(text), "{page}");
    let kept = page
        .split("name=\"kept\" value=\"")
        .nth(1)
        .context("a kept form")?;
    Ok(kept.split('"').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_form_that_was_sent_after_the_end_of_its_session_is_kept_for_its_person_alone()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let account = running.provision(Role::Clinician, Clinic::Riverside)?;
    let colleague = running.provision(Role::Clinician, Clinic::Riverside)?;
    let stranger = running.provision(Role::Clinician, Clinic::Lakeside)?;
    let mut browser = PageSession::anonymous(&running);
    browser.submit_sign_in(&account, "", "").await?;
    let text = "<Quillfeather & \"sons\">";
    let kept = send_late(&browser, text).await?;
    // Neither a wrong password nor an attempt of another person loses it, and others do not get it.
    let wrong = [
        ("email", "nobody@example.org"),
        ("password", "wrong"),
        ("kept", &kept),
    ];
    let refused = browser
        .post("/sign-in", &wrong)
        .await?
        .expect_status(401)?
        .text();
    assert!(refused.contains(&kept), "{refused}");
    for other in [&colleague, &stranger] {
        let mut browser = PageSession::anonymous(&running);
        let response = browser
            .submit_sign_in_with(other, "", ("kept", &kept))
            .await?;
        assert_eq!(
            (response.status.as_u16(), response.header("location")),
            (303, "/")
        );
    }
    let mut altered = kept.clone().into_bytes();
    altered[40] ^= 1;
    for kept in [String::from_utf8(altered)?, "A".repeat(300), "?".to_owned()] {
        let mut browser = PageSession::anonymous(&running);
        let response = browser
            .submit_sign_in_with(&account, "", ("kept", &kept))
            .await?;
        assert_eq!(response.status, 303, "{kept}");
    }
    let response = browser
        .submit_sign_in_with(&account, "", ("kept", &kept))
        .await?;
    let response = response.expect_status(200)?;
    assert!(response.header("refresh").ends_with("; url=/signed-out"));
    let page = response.text();
    let value = "value=\"&#60;Quillfeather &#38; &#34;sons&#34;&#62;\"";
    for part in ["action=\"/patients/search\"", "name=\"q\"", value] {
        assert!(page.contains(part), "{part}: {page}");
    }
    Ok(())
}

#[tokio::test]
async fn a_form_without_a_former_session_and_one_with_a_secret_are_not_kept() -> anyhow::Result<()>
{
    let running = RunningStack::shared()?;
    let mut browser = PageSession::anonymous(&running);
    browser.cookie = format!("__Host-session={}", "A".repeat(43));
    let late = browser
        .post("/patients/search", &[("q", "Quillfeather")])
        .await?;
    let page = late.expect_status(401)?.text();
    assert!(!page.contains("name=\"kept\""), "{page}");
    let account = running.provision(Role::Clinician, Clinic::Riverside)?;
    browser.submit_sign_in(&account, "", "").await?;
    browser.post("/sign-out", &[]).await?.expect_status(303)?;
    let fields = [
        ("password", "one"),
        ("new_password", "other"),
        ("code", "123456"),
    ];
    for path in ["/security/password", "/second-factor/confirm", "/sign-out"] {
        let late = browser.post(path, &fields).await?;
        let page = late.expect_status(401)?.text();
        assert!(!page.contains("name=\"kept\""), "{path}: {page}");
    }
    Ok(())
}
