//! Guessing and flooding: sign-ins of one client, or of many, while others work and sign in. The limits are those of
//! production.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use futures::future::try_join_all;
use http::Method;
use serde_json::Value;
use serde_json::json;
use stack::Account;
use stack::FrontDoor;
use tests::Answer;
use tests::Apart;
use tests::Client;
use tests::Clinic;
use tests::Load;
use tests::Role;
use tests::Running;
use tests::audited;
use tests::fhir;

/// The client that attacks.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Attempts for one account from one address that are hashed at once (`LIMIT_BY_ADDRESS` of the app).
const BY_ADDRESS: usize = 10;
/// Attempts for one account from all unknown addresses that are hashed at once (`LIMIT_BY_UNKNOWN_ADDRESSES` of the app).
const BY_UNKNOWN_ADDRESSES: usize = 100;

/// Asks for a token.
async fn attempt(client: &Client, email: &str, password: &str) -> anyhow::Result<Answer> {
    let body = json!({"email": email, "password": password}).to_string();
    client
        .request(Method::POST, "/api/v1/tokens", "application/json", body)
        .await
}

/// Asks for a token, again when the queue for hashing was full.
async fn attempt_in_turn(client: &Client, email: &str, password: &str) -> anyhow::Result<Answer> {
    loop {
        let answer = attempt(client, email, password).await?;
        if answer.status != 503 {
            return Ok(answer);
        }
        anyhow::ensure!(!answer.header("retry-after").is_empty(), "no Retry-After");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends concurrent attempts with wrong passwords, and counts the statuses.
async fn guess(
    client: &Client,
    email: &str,
    times: usize,
) -> anyhow::Result<BTreeMap<u16, Vec<Answer>>> {
    let guesses: Vec<String> = (0..times).map(|number| format!("guess {number}")).collect();
    let answers = guesses
        .iter()
        .map(|password| attempt_in_turn(client, email, password));
    let mut by_status: BTreeMap<u16, Vec<Answer>> = BTreeMap::new();
    for answer in try_join_all(answers).await? {
        let status = answer.status.as_u16();
        by_status.entry(status).or_default().push(answer);
    }
    Ok(by_status)
}

fn counts(answers: &BTreeMap<u16, Vec<Answer>>) -> Vec<(u16, usize)> {
    let count = |(status, answers): (&u16, &Vec<Answer>)| (*status, answers.len());
    answers.iter().map(count).collect()
}

/// A problem's body without the request id.
fn problem(answer: &Answer) -> anyhow::Result<Value> {
    let mut body = answer.json()?;
    body["request_id"] = Value::Null;
    Ok(body)
}

/// The events of refused sign-ins that an organization's trail has of a person.
async fn refused(officer: &Client, person: &Value) -> anyhow::Result<Vec<Value>> {
    let mut events = audited::latest(officer).await?;
    events.retain(|event| {
        event["action"] == "sign-in" && event["outcome"] == "refused" && event["person"] == *person
    });
    Ok(events)
}

/// Guesses from enough addresses to fill the limiter of unknown addresses; one address has used its share.
async fn stop_unknown_addresses(running: &Running, account: &Account) -> anyhow::Result<()> {
    let (email, password) = (account.email.as_str(), account.password.as_str());
    for last in 10..19 {
        let stranger = running.seen_from(Ipv4Addr::new(127, 0, 0, last))?.nobody();
        let guessed = guess(&stranger, email, BY_ADDRESS).await?;
        assert_eq!(counts(&guessed), [(401, BY_ADDRESS)], "{last}");
    }
    let hashed = BY_ADDRESS * 10;
    assert_eq!(hashed, BY_UNKNOWN_ADDRESSES);
    let mut refused_once = false;
    for last in 20..23 {
        // One attempt may have been forgotten meanwhile: the first of these takes it.
        let stranger = running.seen_from(Ipv4Addr::new(127, 0, 0, last))?.nobody();
        let guessed = guess(&stranger, email, BY_ADDRESS).await?;
        assert!(
            guessed[&429].len() >= BY_ADDRESS / 2,
            "{:?}",
            counts(&guessed)
        );
        let late = Ipv4Addr::new(127, 0, 1, last);
        let late = attempt_in_turn(&running.seen_from(late)?.nobody(), email, password).await?;
        refused_once |= late.status == 429;
    }
    anyhow::ensure!(refused_once, "unknown addresses are not stopped together");
    Ok(())
}

#[tokio::test]
async fn a_flood_of_sign_ins_with_invented_addresses_keeps_no_other_client_from_reading_or_signing_in()
-> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let victim = apart.running()?;
    let clinician = victim.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    let id = fhir::id(&patient);
    let bundle = fhir::transaction(&[&patient]);
    clinician.bundle(&bundle).await?.expecting(200)?;
    let door = FrontDoor::of(&victim.status)?.with_source(ATTACKER);
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
    // Every connection is there, and the queue is full.
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
                .sign_in_afresh(Role::FrontDesk, Clinic::Riverside)
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
    // The flood was one: it got its turns of hashing, and was refused far more often.
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
async fn guessing_at_one_account_is_stopped_before_it_is_hashed_and_locks_no_owner_out()
-> anyhow::Result<()> {
    let mut apart = Apart::up().await?;
    let home = apart.running()?;
    let account = home.account(Role::Clinician, Clinic::Riverside)?;
    let (email, password) = (account.email.as_str(), account.password.as_str());
    let attacker = home.seen_from(ATTACKER)?.nobody();
    home.clinician(Clinic::Riverside).await?;

    // At once, of which no more than allowed are hashed; just so for an account that does not exist.
    let expected = [(401, BY_ADDRESS), (429, 40 - BY_ADDRESS)];
    let real = guess(&attacker, email, 40).await?;
    let invented = guess(&attacker, "nobody@example.org", 40).await?;
    assert_eq!(counts(&real), expected);
    assert_eq!(counts(&invented), expected);
    for (answers, of_invented) in real.values().zip(invented.values()) {
        assert_eq!(problem(&answers[0])?, problem(&of_invented[0])?);
    }
    for throttled in &real[&429] {
        let seconds: u64 = throttled.header("retry-after").parse()?;
        assert!((1..=301).contains(&seconds), "{seconds}");
    }
    // Not even the right password helps the guesser; it helps the owner, where known and where not.
    assert_eq!(attempt(&attacker, email, password).await?.status, 429);
    let elsewhere = home.seen_from(Ipv4Addr::new(127, 0, 0, 3))?;
    for place in [&home, &elsewhere] {
        place
            .sign_in_afresh(Role::Clinician, Clinic::Riverside)
            .await?;
    }

    // On record with the account: each hashed attempt, and the wait once.
    let officer = home
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let clinician = home.clinician(Clinic::Riverside).await?;
    let session = clinician.get("/api/v1/session").await?.json()?;
    let person = &session["person"]["id"];
    assert!(person.is_string(), "{session}");
    assert_eq!(refused(&officer, person).await?.len(), BY_ADDRESS + 1);

    // Unknown addresses are stopped together; where the owner has signed in before, this does not matter.
    stop_unknown_addresses(&home, account).await?;
    for place in [&home, &elsewhere] {
        place
            .sign_in_afresh(Role::Clinician, Clinic::Riverside)
            .await?;
    }

    // A restart forgets nothing: the counters are in the database, and what was only counted is recorded at its end.
    apart.stack.stop("app").await?;
    apart.stack.start("app").await?;
    assert_eq!(attempt(&attacker, email, password).await?.status, 429);
    let events = refused(&officer, person).await?;
    let suppressed = |count: usize| events.iter().any(|event| event["suppressed"] == count);
    assert!(suppressed(40 - BY_ADDRESS), "{events:#?}");
    Ok(())
}

#[tokio::test]
async fn attempts_are_counted_by_all_instances_together_whatever_the_database_forgets()
-> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let beside = apart.stack.start_beside(apart.stack.binaries()).await?;
    let (one, other) = (apart.running()?, Running::of(beside.status())?);
    let account = one.account(Role::FrontDesk, Clinic::Riverside)?;
    let (email, password) = (account.email.as_str(), account.password.as_str());
    let [here, there] = [&one, &other].map(|running| running.seen_from(ATTACKER));
    let (here, there) = (here?.nobody(), there?.nobody());

    assert_eq!(counts(&guess(&here, email, 6).await?), [(401, 6)]);
    assert_eq!(
        counts(&guess(&there, email, 6).await?),
        [(401, 4), (429, 2)]
    );
    assert_eq!(attempt(&here, email, password).await?.status, 429);

    // A writer of the database who removes every counter: what each instance hashed by itself still counts.
    let mut intruder = one.intruder().await?;
    let removed = intruder
        .execute("DELETE FROM sign_in_attempts", &[])
        .await?;
    assert!(removed > 0);
    assert_eq!(
        counts(&guess(&here, email, 9).await?),
        [(401, BY_ADDRESS - 6), (429, 9 + 6 - BY_ADDRESS)]
    );
    intruder
        .execute("DELETE FROM sign_in_attempts", &[])
        .await?;
    assert_eq!(attempt(&here, email, password).await?.status, 429);
    one.sign_in_afresh(Role::FrontDesk, Clinic::Riverside)
        .await?;
    assert_eq!(attempt(&there, email, "guess").await?.status, 401);

    // No row names its account as the accounts' own rows do.
    for table in ["sign_in_attempts", "sign_in_addresses"] {
        let column = if table == "sign_in_attempts" {
            "limiter"
        } else {
            "evidence"
        };
        let all = format!("SELECT COUNT(*) FROM {table}");
        assert!(intruder.number(&all, &[]).await? > 0, "{table}");
        let named = format!("{all} JOIN people ON email_token IN ({column})");
        assert_eq!(intruder.number(&named, &[]).await?, 0, "{table}");
    }
    Ok(())
}
