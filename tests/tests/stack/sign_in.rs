//! Password guessing and sign-in floods, from one client or from many, while other clients work and
//! sign in. Production limits apply.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use futures::future::try_join_all;
use http::Method;
use serde_json::Value;
use serde_json::json;
use stack::Account;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Load;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;
use tests::fhir;

/// The address of the attacking client.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Attempts for one account from one address that are hashed at once (`LIMIT_BY_ADDRESS` of the app).
const BY_ADDRESS: usize = 10;
/// Attempts for one account from all unknown addresses that are hashed at once (`LIMIT_BY_UNKNOWN_ADDRESSES` of the app).
const BY_UNKNOWN_ADDRESSES: usize = 100;

/// Requests a token.
async fn attempt(client: &Client, email: &str, password: &str) -> anyhow::Result<TestResponse> {
    let body = json!({"email": email, "password": password}).to_string();
    client
        .request(Method::POST, "/api/v1/tokens", "application/json", body)
        .await
}

/// Requests a token, again while the queue for password hashing is full.
async fn attempt_until_hashed(
    client: &Client,
    email: &str,
    password: &str,
) -> anyhow::Result<TestResponse> {
    loop {
        let response = attempt(client, email, password).await?;
        if response.status != 503 {
            return Ok(response);
        }
        anyhow::ensure!(!response.header("retry-after").is_empty(), "no Retry-After");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends concurrent attempts with wrong passwords. Returns the responses by status.
async fn guess(
    client: &Client,
    email: &str,
    times: usize,
) -> anyhow::Result<BTreeMap<u16, Vec<TestResponse>>> {
    let guesses: Vec<String> = (0..times).map(|number| format!("guess {number}")).collect();
    let responses = guesses
        .iter()
        .map(|password| attempt_until_hashed(client, email, password));
    let mut by_status: BTreeMap<u16, Vec<TestResponse>> = BTreeMap::new();
    for response in try_join_all(responses).await? {
        let status = response.status.as_u16();
        by_status.entry(status).or_default().push(response);
    }
    Ok(by_status)
}

fn counts(responses: &BTreeMap<u16, Vec<TestResponse>>) -> Vec<(u16, usize)> {
    let count = |(status, responses): (&u16, &Vec<TestResponse>)| (*status, responses.len());
    responses.iter().map(count).collect()
}

/// The body of a problem response without its request id.
fn problem(response: &TestResponse) -> anyhow::Result<Value> {
    let mut body = response.json()?;
    body["request_id"] = Value::Null;
    Ok(body)
}

/// The audit events of an account's refused sign-ins.
async fn refused(officer: &Client, person: &Value) -> anyhow::Result<Vec<Value>> {
    let mut events = audit_trail::latest_events(officer).await?;
    events.retain(|event| {
        event["action"] == "sign-in" && event["outcome"] == "refused" && event["person"] == *person
    });
    Ok(events)
}

/// Guesses from enough addresses to reach the limit of unknown addresses; one address has used its
/// share before.
async fn stop_unknown_addresses(running: &RunningStack, account: &Account) -> anyhow::Result<()> {
    let (email, password) = (account.email.as_str(), account.password.as_str());
    for last in 10..19 {
        let unknown = running
            .from_address(Ipv4Addr::new(127, 0, 0, last))?
            .anonymous();
        let guessed = guess(&unknown, email, BY_ADDRESS).await?;
        assert_eq!(counts(&guessed), [(401, BY_ADDRESS)], "{last}");
    }
    let hashed = BY_ADDRESS * 10;
    assert_eq!(hashed, BY_UNKNOWN_ADDRESSES);
    let mut refused_once = false;
    for last in 20..23 {
        // One attempt may have expired meanwhile: the first of these guesses uses it.
        let unknown = running
            .from_address(Ipv4Addr::new(127, 0, 0, last))?
            .anonymous();
        let guessed = guess(&unknown, email, BY_ADDRESS).await?;
        assert!(
            guessed[&429].len() >= BY_ADDRESS / 2,
            "{:?}",
            counts(&guessed)
        );
        let late = Ipv4Addr::new(127, 0, 1, last);
        let late =
            attempt_until_hashed(&running.from_address(late)?.anonymous(), email, password).await?;
        refused_once |= late.status == 429;
    }
    anyhow::ensure!(refused_once, "unknown addresses are not stopped together");
    Ok(())
}

#[tokio::test]
async fn a_flood_of_sign_ins_with_unknown_addresses_stops_no_other_client_from_reading_or_signing_in()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let victim = isolated.running()?;
    let clinician = victim.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    let id = fhir::id(&patient);
    let bundle = fhir::transaction(&[&patient]);
    clinician.bundle(&bundle).await?.expect_status(200)?;
    let door = victim.status.client()?.with_source(ATTACKER);
    let flood = Load::start(
        door,
        150,
        usize::MAX,
        Duration::from_millis(100),
        |number| {
            let email = format!("invented-{number}@example.org");
            let body = json!({"email": email, "password": "a guess"}).to_string();
            http::Request::post("/api/v1/tokens")
                .header("content-type", "application/json")
                .body(body.into())
                .unwrap()
        },
    );
    // All connections are established, and the queue is full.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let until = Instant::now() + Duration::from_secs(6);
    let reading = async {
        let mut reads = 0;
        while Instant::now() < until {
            clinician.read("Patient", id).await?;
            reads += 1;
        }
        anyhow::Ok(reads)
    };
    let signing_in = async {
        let mut sign_ins = 0;
        while Instant::now() < until {
            victim
                .sign_in_with_new_token(Role::FrontDesk, Clinic::Riverside)
                .await?;
            sign_ins += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(sign_ins)
    };
    let (reads, sign_ins) = tokio::try_join!(reading, signing_in)?;
    assert!(reads >= 10 && sign_ins >= 3, "{reads} {sign_ins}");
    let flood = flood.stop().await?;
    let ended = |status: &str| {
        let failures = flood.failures.iter();
        failures.filter(|(_, how)| how.contains(status)).count()
    };
    // The flood was effective: some attempts were hashed, and far more were refused.
    assert!(ended("401") >= 10, "{:?}", flood.failures.first());
    assert!(
        ended("503") > 3 * ended("401"),
        "{} {}",
        ended("401"),
        ended("503")
    );
    Ok(())
}

#[tokio::test]
async fn guessing_at_one_account_is_stopped_before_it_is_hashed_and_does_not_lock_out_its_owner()
-> anyhow::Result<()> {
    let mut isolated = IsolatedStack::start().await?;
    let home = isolated.running()?;
    let account = home.account(Role::Clinician, Clinic::Riverside)?;
    let (email, password) = (account.email.as_str(), account.password.as_str());
    let attacker = home.from_address(ATTACKER)?.anonymous();
    home.clinician(Clinic::Riverside).await?;

    // Of concurrent guesses only the permitted number is hashed; the same holds for an account that
    // does not exist.
    let expected = [(401, BY_ADDRESS), (429, 40 - BY_ADDRESS)];
    let real = guess(&attacker, email, 40).await?;
    let invented = guess(&attacker, "nobody@example.org", 40).await?;
    assert_eq!(counts(&real), expected);
    assert_eq!(counts(&invented), expected);
    for (responses, of_invented) in real.values().zip(invented.values()) {
        assert_eq!(problem(&responses[0])?, problem(&of_invented[0])?);
    }
    for throttled in &real[&429] {
        let seconds: u64 = throttled.header("retry-after").parse()?;
        assert!((1..=301).contains(&seconds), "{seconds}");
    }
    // The right password does not help the attacker; it does help the owner, from known and from
    // new addresses.
    assert_eq!(attempt(&attacker, email, password).await?.status, 429);
    let elsewhere = home.from_address(Ipv4Addr::new(127, 0, 0, 3))?;
    for place in [&home, &elsewhere] {
        place
            .sign_in_with_new_token(Role::Clinician, Clinic::Riverside)
            .await?;
    }

    // The audit trail has each hashed attempt of the account, and the throttling once.
    let officer = home
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let clinician = home.clinician(Clinic::Riverside).await?;
    let session = clinician.get("/api/v1/session").await?.json()?;
    let person = &session["person"]["id"];
    assert!(person.is_string(), "{session}");
    assert_eq!(refused(&officer, person).await?.len(), BY_ADDRESS + 1);

    // Unknown addresses are throttled together; this does not affect addresses from which the owner
    // has signed in before.
    stop_unknown_addresses(&home, account).await?;
    for place in [&home, &elsewhere] {
        place
            .sign_in_with_new_token(Role::Clinician, Clinic::Riverside)
            .await?;
    }

    // A restart resets nothing: the counters are in the database, and attempts that were only
    // counted are audited at shutdown.
    isolated.stack.stop("app").await?;
    isolated.stack.start("app").await?;
    assert_eq!(attempt(&attacker, email, password).await?.status, 429);
    let events = refused(&officer, person).await?;
    let suppressed = |count: usize| events.iter().any(|event| event["suppressed"] == count);
    assert!(suppressed(40 - BY_ADDRESS), "{events:#?}");
    Ok(())
}

#[tokio::test]
async fn attempts_are_counted_by_all_instances_together_even_if_the_database_loses_counters()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let beside = isolated
        .stack
        .start_second_instance(isolated.stack.binaries())
        .await?;
    let (one, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let account = one.account(Role::FrontDesk, Clinic::Riverside)?;
    let (email, password) = (account.email.as_str(), account.password.as_str());
    let [here, there] = [&one, &other].map(|running| running.from_address(ATTACKER));
    let (here, there) = (here?.anonymous(), there?.anonymous());

    assert_eq!(counts(&guess(&here, email, 6).await?), [(401, 6)]);
    assert_eq!(
        counts(&guess(&there, email, 6).await?),
        [(401, 4), (429, 2)]
    );
    assert_eq!(attempt(&here, email, password).await?.status, 429);

    // An attacker deletes all counters: the attempts that each instance hashed itself still count.
    let mut attacker = one.attacker().await?;
    let removed = attacker
        .execute("DELETE FROM sign_in_attempts", &[])
        .await?;
    assert!(removed > 0);
    assert_eq!(
        counts(&guess(&here, email, 9).await?),
        [(401, BY_ADDRESS - 6), (429, 9 + 6 - BY_ADDRESS)]
    );
    attacker
        .execute("DELETE FROM sign_in_attempts", &[])
        .await?;
    assert_eq!(attempt(&here, email, password).await?.status, 429);
    one.sign_in_with_new_token(Role::FrontDesk, Clinic::Riverside)
        .await?;
    assert_eq!(attempt(&there, email, "guess").await?.status, 401);

    // No row identifies its account by a value of the accounts' own rows.
    for table in ["sign_in_attempts", "sign_in_addresses"] {
        let column = if table == "sign_in_attempts" {
            "limiter"
        } else {
            "evidence"
        };
        let all = format!("SELECT COUNT(*) FROM {table}");
        assert!(attacker.number(&all, &[]).await? > 0, "{table}");
        let named = format!("{all} JOIN people ON email_token IN ({column})");
        assert_eq!(attacker.number(&named, &[]).await?, 0, "{table}");
    }
    Ok(())
}
