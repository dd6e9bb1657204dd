//! Passkeys, with an authenticator in software: set up in a session, usable alone from then on, each response accepted once.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use futures::future::try_join_all;
use https_client::Authenticator;
use https_client::PasskeyAlgorithm;
use serde_json::Value;
use stack::Account;
use tests::Clinic;
use tests::PageSession;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;

use super::enrolled_account::Enrolled;
use super::enrolled_account::sign_in;

/// An address of these tests alone: refusals of an address are recorded one by one up to a limit only.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 91);

fn running() -> anyhow::Result<RunningStack> {
    RunningStack::shared()?.from_address(ADDRESS)
}

/// A person with a passkey.
struct Holder<'r> {
    running: &'r RunningStack,
    account: Account,
    authenticator: Authenticator,
    /// The session in which the passkey was set up.
    browser: PageSession,
    recovery_codes: Vec<String>,
}

impl<'r> Holder<'r> {
    async fn new(running: &'r RunningStack, role: Role) -> anyhow::Result<Self> {
        let account = running.provision(role, Clinic::Riverside)?;
        let mut browser = PageSession::anonymous(running);
        browser.submit_sign_in(&account, "", "").await?;
        let (authenticator, page) = set_up(running, &mut browser).await?;
        let page = page.expect_status(200)?.text();
        let codes = page.split("<li><code>").skip(1);
        let codes = codes.filter_map(|code| code.split_once("</code>"));
        Ok(Self {
            recovery_codes: codes.map(|(code, _)| code.to_owned()).collect(),
            running,
            account,
            authenticator,
            browser,
        })
    }

    /// The id of the person.
    async fn person(&self) -> anyhow::Result<String> {
        let session = self.browser.get("/api/v1/session").await?;
        let session = session.expect_status(200)?.json()?;
        let id = session["person"]["id"].as_str().context("an id")?;
        Ok(id.to_owned())
    }

    /// The response of the authenticator to new options of a page.
    async fn respond(&mut self, browser: &PageSession, page: &str) -> anyhow::Result<String> {
        let options = options(browser, page).await?;
        self.authenticator
            .assertion(&origin(self.running), &options)
    }

    /// The response to new options of the sign-in page.
    async fn respond_to_sign_in(&mut self) -> anyhow::Result<String> {
        let browser = PageSession::anonymous(self.running);
        self.respond(&browser, "/sign-in/passkey").await
    }
}

fn origin(running: &RunningStack) -> String {
    running.status.web.address.clone()
}

/// The options of a page's script.
async fn options(browser: &PageSession, page: &str) -> anyhow::Result<Value> {
    let response = browser.post(&format!("{page}/options"), &[]).await?;
    let response = response.expect_status(200)?;
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.header("cache-control"), "no-store");
    response.json()
}

/// Sets up a passkey in a session, which takes the new cookie.
async fn set_up(
    running: &RunningStack,
    browser: &mut PageSession,
) -> anyhow::Result<(Authenticator, TestResponse)> {
    let options = options(browser, "/second-factor/passkey").await?;
    let (algorithm, origin) = (PasskeyAlgorithm::Es256, origin(running));
    let (authenticator, response) = Authenticator::create(algorithm, &origin, &options)?;
    let page = send(browser, "/second-factor/passkey", &response).await?;
    Ok((authenticator, page))
}

/// Sends the response of an authenticator, and takes the cookie of a new session.
async fn send(
    browser: &mut PageSession,
    path: &str,
    response: &str,
) -> anyhow::Result<TestResponse> {
    submit(browser, path, ("response", response)).await
}

/// Sends a form with one field, and takes the cookie of a new session.
async fn submit(
    browser: &mut PageSession,
    path: &str,
    field: (&str, &str),
) -> anyhow::Result<TestResponse> {
    let sent = browser.post(path, &[field]).await?;
    if let Some((cookie, _)) = sent.header("set-cookie").split_once(';') {
        cookie.clone_into(&mut browser.cookie);
    }
    Ok(sent)
}

/// Signs in with the response of a passkey.
async fn sign_in_with(running: &RunningStack, response: &str) -> anyhow::Result<TestResponse> {
    send(
        &mut PageSession::anonymous(running),
        "/sign-in/passkey",
        response,
    )
    .await
}

#[tokio::test]
async fn a_passkey_signs_in_alone_and_the_password_alone_no_longer_does() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    // The session in which it was set up goes on with two factors.
    holder.browser.get("/patients").await?.expect_status(200)?;
    assert_eq!(holder.recovery_codes.len(), 10);
    let mut browser = PageSession::anonymous(&running);
    let response = holder.respond(&browser, "/sign-in/passkey").await?;
    let fields = [("response", response.as_str()), ("next", "/security")];
    let signed_in = browser.post("/sign-in/passkey", &fields).await?;
    let signed_in = signed_in.expect_status(303)?;
    assert_eq!(signed_in.header("location"), "/security");
    let cookie = signed_in.header("set-cookie").split(';').next();
    cookie.unwrap_or_default().clone_into(&mut browser.cookie);
    browser.get("/patients").await?.expect_status(200)?;
    let security = browser.get("/security").await?.expect_status(200)?.text();
    assert!(security.contains("<strong>Passkey</strong>"), "{security}");
    assert!(security.contains("with passkey"), "{security}");
    // The only device cannot be removed.
    assert!(!security.contains("/security/devices/remove"), "{security}");
    let single = sign_in(&running, &holder.account, "").await?;
    assert_eq!(single.status, 401);
    let code = holder.recovery_codes.pop().context("a recovery code")?;
    sign_in(&running, &holder.account, &code)
        .await?
        .expect_status(201)?;
    // The privacy officer reads by what the person was authenticated.
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let events = audit_trail::latest_events(&officer).await?;
    let event = audit_trail::event_of_request(&events, signed_in.header("x-request-id"));
    let event = event.context("an event")?;
    assert_eq!(
        (&event["action"], &event["assurance"]),
        (&"sign-in".into(), &"passkey".into())
    );
    Ok(())
}

#[tokio::test]
async fn a_response_is_accepted_once_even_by_two_requests_at_the_same_time() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    let (earlier, response) = (
        holder.respond_to_sign_in().await?,
        holder.respond_to_sign_in().await?,
    );
    let attempts = [(); 6].map(|()| sign_in_with(&running, &response));
    let statuses = try_join_all(attempts).await?;
    let accepted = statuses.iter().filter(|it| it.status == 303).count();
    assert_eq!(accepted, 1);
    assert!(
        statuses
            .iter()
            .all(|it| [303, 401].contains(&it.status.as_u16()))
    );
    // Nor one to a challenge that is older than the one that was answered last.
    for response in [&response, &earlier] {
        let replayed = sign_in_with(&running, response).await?;
        assert_eq!(replayed.status, 401);
    }
    let response = holder.respond_to_sign_in().await?;
    sign_in_with(&running, &response)
        .await?
        .expect_status(303)?;
    Ok(())
}

#[tokio::test]
async fn a_response_that_is_not_of_the_accounts_passkey_is_refused() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    let other = Holder::new(&running, Role::FrontDesk).await?;
    let anonymous = PageSession::anonymous(&running);
    let good = holder.respond_to_sign_in().await?;
    let mut refused = vec![String::new(), "{}".to_owned(), "x".repeat(40_000)];
    // Of another page, of a person that was not verified, and for another account.
    let request = options(&anonymous, "/sign-in/passkey").await?;
    let evil = "https://evil.example";
    refused.push(holder.authenticator.assertion(evil, &request)?);
    holder.authenticator.flags = 1;
    refused.push(holder.respond_to_sign_in().await?);
    holder.authenticator.flags = https_client::USER_VERIFIED_FLAGS;
    let handle = holder.authenticator.user_handle.clone();
    holder
        .authenticator
        .user_handle
        .clone_from(&other.authenticator.user_handle);
    refused.push(holder.respond_to_sign_in().await?);
    holder.authenticator.user_handle = vec![0; 32];
    refused.push(holder.respond_to_sign_in().await?);
    holder.authenticator.user_handle = handle;
    // To challenges that are not those of a sign-in, or that were not made here.
    let creation = options(&other.browser, "/second-factor/passkey").await?;
    for challenge in [
        creation["challenge"].clone(),
        options(&other.browser, "/step-up/passkey").await?["challenge"].clone(),
        "Y2hhbGxlbmdl".into(),
        "".into(),
    ] {
        let mut request = request.clone();
        request["challenge"] = challenge;
        refused.push(
            holder
                .authenticator
                .assertion(&origin(&running), &request)?,
        );
    }
    let mut pages = Vec::new();
    for response in &refused {
        let response = sign_in_with(&running, response).await?;
        let response = response.expect_status(401)?;
        assert!(response.header("set-cookie").is_empty());
        pages.push(response.text());
    }
    // A refusal does not say what was wrong.
    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:?}");
    sign_in_with(&running, &good).await?.expect_status(303)?;
    Ok(())
}

#[tokio::test]
async fn a_session_is_stepped_up_by_a_passkey_of_its_person_alone() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    let mut other = Holder::new(&running, Role::FrontDesk).await?;
    let request = options(&other.browser, "/step-up/passkey").await?;
    let mut open_request = request.clone();
    open_request["allowCredentials"] = Value::Array(Vec::new());
    let foreign = holder
        .authenticator
        .assertion(&origin(&running), &open_request)?;
    let refused = send(&mut other.browser, "/step-up/passkey", &foreign).await?;
    assert_eq!(refused.status, 400);
    let own = other.authenticator.assertion(&origin(&running), &request)?;
    let cookie = other.browser.cookie.clone();
    send(&mut other.browser, "/step-up/passkey", &own)
        .await?
        .expect_status(303)?;
    assert_ne!(other.browser.cookie, cookie);
    Ok(())
}

#[tokio::test]
async fn a_copy_of_an_authenticator_is_refused_and_reported() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    for count in [5, 6] {
        holder.authenticator.sign_count = Some(count);
        let response = holder.respond_to_sign_in().await?;
        sign_in_with(&running, &response)
            .await?
            .expect_status(303)?;
    }
    holder.authenticator.sign_count = Some(3);
    let response = holder.respond_to_sign_in().await?;
    let refused = sign_in_with(&running, &response).await?;
    assert_eq!(refused.status, 401);
    running.expect_alert(&refused, "a copy of").await
}

#[tokio::test]
async fn a_device_is_added_and_removed_with_a_recent_factor_and_the_last_one_stays()
-> anyhow::Result<()> {
    let running = running()?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    let mut browser = PageSession::anonymous(&running);
    let code = enrolled.recovery_codes.pop().context("a recovery code")?;
    browser.submit_sign_in(&enrolled.account, &code, "").await?;
    let (mut first, page) = set_up(&running, &mut browser).await?;
    // Recovery codes are made with the first device only.
    assert!(
        !page
            .expect_status(200)?
            .text()
            .contains("recovery codes now")
    );
    let again = options(&browser, "/second-factor/passkey").await?;
    assert_eq!(
        again["excludeCredentials"].as_array().map(Vec::len),
        Some(1)
    );
    let known = first.attestation(&origin(&running), &again)?;
    let refused = send(&mut browser, "/second-factor/passkey", &known).await?;
    assert_eq!(refused.status, 400);
    let page = browser.get("/security").await?.expect_status(200)?.text();
    let devices = page.split("name=\"device\" value=\"").skip(1);
    let devices: Vec<&str> = devices.filter_map(|it| it.get(..36)).collect();
    assert_eq!(devices.len(), 2, "{page}");
    let remove = async |browser: &mut PageSession, device: &str| {
        let removed = submit(browser, "/security/devices/remove", ("device", device));
        anyhow::Ok(removed.await?.status.as_u16())
    };
    let stranger = Holder::new(&running, Role::Clinician).await?;
    let fields = [("device", devices[0])];
    let foreign = stranger.browser.post("/security/devices/remove", &fields);
    assert_eq!(foreign.await?.status, 404);
    // A session that was begun with the device may be in other hands: all others end.
    let request = options(&PageSession::anonymous(&running), "/sign-in/passkey").await?;
    let response = first.assertion(&origin(&running), &request)?;
    let mut elsewhere = PageSession::anonymous(&running);
    send(&mut elsewhere, "/sign-in/passkey", &response)
        .await?
        .expect_status(303)?;
    assert_eq!(remove(&mut browser, devices[1]).await?, 303);
    assert_eq!(elsewhere.get("/security").await?.status, 303);
    assert_eq!(remove(&mut browser, devices[1]).await?, 404);
    assert_eq!(remove(&mut browser, devices[0]).await?, 400);
    let request = options(&PageSession::anonymous(&running), "/sign-in/passkey").await?;
    let response = first.assertion(&origin(&running), &request)?;
    assert_eq!(sign_in_with(&running, &response).await?.status, 401);
    let former = enrolled.recovery_codes.pop().context("a recovery code")?;
    let page = browser.post("/security/recovery-codes", &[]).await?;
    let page = page.expect_status(200)?.text();
    assert_eq!(page.matches("<li><code>").count(), 10, "{page}");
    let refused = sign_in(&running, &enrolled.account, &former).await?;
    assert_eq!(refused.status, 401);
    // A session of the password alone changes nothing on an account that has a device.
    let options = enrolled
        .single
        .post("/second-factor/passkey/options")
        .await?;
    assert_ne!(options.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_reset_removes_passkeys() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    let person = holder.person().await?;
    let administrator = running
        .sign_in(Role::SecurityAdmin, Clinic::Riverside)
        .await?;
    let path = format!("/api/v1/people/{person}/reset");
    administrator.post(&path).await?.expect_status(201)?;
    let response = holder.respond_to_sign_in().await?;
    assert_eq!(sign_in_with(&running, &response).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_suspended_person_signs_in_by_no_passkey() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    let administrator = running
        .sign_in(Role::SecurityAdmin, Clinic::Riverside)
        .await?;
    let path = format!("/people/{}", holder.person().await?);
    let suspended = administrator.form(&path, &[("active", "false")]).await?;
    suspended.expect_status(303)?;
    let response = holder.respond_to_sign_in().await?;
    assert_eq!(sign_in_with(&running, &response).await?.status, 401);
    administrator.form(&path, &[("active", "true")]).await?;
    let response = holder.respond_to_sign_in().await?;
    sign_in_with(&running, &response)
        .await?
        .expect_status(303)?;
    Ok(())
}

#[tokio::test]
async fn a_credential_that_is_put_back_steps_no_session_up() -> anyhow::Result<()> {
    let running = running()?;
    let mut holder = Holder::new(&running, Role::Clinician).await?;
    let person: uuid::Uuid = holder.person().await?.parse()?;
    let mut attacker = running.attacker().await?;
    let mut former = Vec::new();
    for column in ["mac", "mac_key"] {
        let sql = format!("SELECT {column} FROM credentials WHERE person = ?");
        former.push(attacker.bytes(&sql, &[person.as_bytes()]).await?);
    }
    let renewed = holder.browser.post("/security/recovery-codes", &[]).await?;
    renewed.expect_status(200)?;
    let back = "UPDATE credentials SET authenticator_changes = authenticator_changes - 1, \
                recovery_codes_at = second_factor_at, mac = ?, mac_key = ? WHERE person = ?";
    let values: [&[u8]; 3] = [&former[0], &former[1], person.as_bytes()];
    assert_eq!(attacker.execute(back, &values).await?, 1);
    let browser = holder.browser.clone();
    let response = holder.respond(&browser, "/step-up/passkey").await?;
    let refused = send(&mut holder.browser, "/step-up/passkey", &response).await?;
    assert_eq!(refused.status, 500, "{}", refused.text());
    running.expect_reported(&refused, &["credentials"]).await
}
