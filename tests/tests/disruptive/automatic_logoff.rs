//! Automatic logoff (45 CFR 164.312(a)(2)(iii)): a session ends after a time without requests, and
//! after an absolute time even if it is in use.

use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use http::header;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::PageSession;
use tests::Role;
use tests::RunningStack;
use tests::audit_trail;

const IDLE_LIMIT: Duration = Duration::from_secs(4);
const ABSOLUTE_LIMIT: Duration = Duration::from_secs(12);

async fn start() -> IsolatedStack {
    let changed = IsolatedStack::start_with(|settings| {
        settings.options.session_idle_seconds = 4;
        settings.options.session_absolute_seconds = 12;
    });
    changed.await.unwrap()
}

/// Signs in as a browser does, and returns the cookie to send.
async fn sign_in(running: &RunningStack) -> String {
    let account = running.account(Role::Clinician, Clinic::Riverside).unwrap();
    let code = running.code(account).await.unwrap();
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
        ("code", &code),
    ];
    let response = running.anonymous().form("/sign-in", &fields).await.unwrap();
    assert_eq!(response.status, 303, "{}", response.text());
    response
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

async fn is_signed_in(client: &Client, cookie: &str) -> bool {
    let request = Request::get("/patients")
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookie)
        .body(Bytes::new())
        .unwrap();
    let response = client.send(request).await.unwrap();
    match response.status.as_u16() {
        200 => true,
        303 => false,
        other => panic!("{other}: {}", response.text()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_replaces_another_ends_an_idle_session_on_record_and_uses_none() {
    let isolated = start().await;
    let running = isolated.running().unwrap();
    let account = running.account(Role::Clinician, Clinic::Riverside).unwrap();
    let browser = PageSession::sign_in(&running, account).await.unwrap();
    let begun = Instant::now();
    // Neither the request for the page nor that for the chart behind it is a use.
    while begun.elapsed() < IDLE_LIMIT {
        for path in ["/signed-out?next=/patients", "/patients"] {
            browser.get_by_itself(path).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!is_signed_in(&running.anonymous(), &browser.cookie).await);
    let mut attacker = running.attacker().await.unwrap();
    let ended = "SELECT COUNT(*) FROM sessions WHERE kind = 'session' AND ended_at IS NOT NULL";
    assert_eq!(attacker.number(ended, &[]).await.unwrap(), 0);
    for _ in 0..2 {
        let page = browser
            .get_by_itself("/signed-out?next=/patients")
            .await
            .unwrap();
        let page = page.expect_status(200).unwrap();
        assert!(page.header("set-cookie").contains("Max-Age=0"));
        assert_eq!(page.header("clear-site-data"), "\"cache\"");
        assert!(page.text().contains("href=\"/sign-in?next=/patients\""));
        assert_eq!(attacker.number(ended, &[]).await.unwrap(), 1);
    }
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await
        .unwrap();
    let events = audit_trail::latest_events(&officer).await.unwrap();
    let sign_outs = events.iter().filter(|event| event["action"] == "sign-out");
    let sign_outs: Vec<_> = sign_outs.collect();
    assert_eq!(sign_outs.len(), 1, "{events:#?}");
    assert!(sign_outs[0]["person"].is_string() && sign_outs[0]["session"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_its_idle_time_and_after_its_absolute_time() {
    let isolated = start().await;
    let running = isolated.running().unwrap();
    let client = running.anonymous();

    let unused = sign_in(&running).await;
    assert!(is_signed_in(&client, &unused).await);
    tokio::time::sleep(IDLE_LIMIT + Duration::from_secs(1)).await;
    assert!(!is_signed_in(&client, &unused).await);

    let used = sign_in(&running).await;
    let begun = Instant::now();
    while begun.elapsed() < IDLE_LIMIT + IDLE_LIMIT / 2 {
        assert!(
            is_signed_in(&client, &used).await,
            "a session in use was ended"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    while is_signed_in(&client, &used).await {
        assert!(
            begun.elapsed() < ABSOLUTE_LIMIT * 5,
            "a session in use does not end"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(begun.elapsed() + Duration::from_secs(1) > ABSOLUTE_LIMIT);
}
