//! Automatic logoff (45 CFR 164.312(a)(2)(iii)): a session ends when nobody uses it, and ends all the same when
//! somebody does for too long.

use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use http::header;
use tests::Apart;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::Running;

const IDLE: Duration = Duration::from_secs(4);
const ABSOLUTE: Duration = Duration::from_secs(12);

async fn up() -> Apart {
    let changed = Apart::up_with(|settings| {
        settings.options.session_idle_seconds = 4;
        settings.options.session_absolute_seconds = 12;
    });
    changed.await.unwrap()
}

/// Signs in as a browser does, and gives the cookie to send.
async fn sign_in(running: &Running) -> String {
    let account = running.account(Role::Clinician, Clinic::Riverside).unwrap();
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
    ];
    let answer = running.nobody().form("/sign-in", &fields).await.unwrap();
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer
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
    let answer = client.send(request).await.unwrap();
    match answer.status.as_u16() {
        200 => true,
        303 => false,
        other => panic!("{other}: {}", answer.text()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_nobody_uses_it_and_at_the_latest_after_its_longest_time() {
    let apart = up().await;
    let running = apart.running().unwrap();
    let client = running.nobody();

    let unused = sign_in(&running).await;
    assert!(is_signed_in(&client, &unused).await);
    tokio::time::sleep(IDLE + Duration::from_secs(1)).await;
    assert!(!is_signed_in(&client, &unused).await);

    let used = sign_in(&running).await;
    let begun = Instant::now();
    while begun.elapsed() < IDLE + IDLE / 2 {
        assert!(
            is_signed_in(&client, &used).await,
            "a session in use was ended"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    while is_signed_in(&client, &used).await {
        assert!(
            begun.elapsed() < ABSOLUTE * 5,
            "a session in use is never ended"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(begun.elapsed() + Duration::from_secs(1) > ABSOLUTE);
}
