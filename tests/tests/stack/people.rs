//! The administration of people, and what each person does about the own account.

use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use serde_json::Value;
use serde_json::json;
use stack::Account;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;

use super::enrolled_account::Enrolled;
use super::enrolled_account::is_signed_in;
use super::enrolled_account::person_of;
use super::enrolled_account::sign_in;
use super::enrolled_account::with_token;

/// A password that keeps the rules.
const PASSWORD: &str = "quiet-harbor-lantern-74";

async fn patch(client: &Client, id: &str, body: &Value) -> anyhow::Result<TestResponse> {
    let path = format!("/api/v1/people/{id}");
    client
        .request(Method::PATCH, &path, "application/json", body.to_string())
        .await
}

async fn set_up(
    running: &RunningStack,
    email: &str,
    code: &str,
    password: &str,
) -> anyhow::Result<TestResponse> {
    let fields = [("email", email), ("code", code), ("password", password)];
    running.anonymous().form("/set-up", &fields).await
}

/// Whether a client may still act.
/// Sets up an account with a weak password, and with a wrong code or address.
async fn refuse_wrong_set_ups(
    running: &RunningStack,
    email: &str,
    code: &str,
) -> anyhow::Result<()> {
    for (email, code, password, status, expected) in [
        (email, code, "kx7-wq2m", 400, "at least 15 characters"),
        (email, code, "passwordpassword", 400, "easy to guess"),
        (
            email,
            "00000-00000-00000-00000-00000",
            PASSWORD,
            401,
            "do not match",
        ),
        (
            "nobody@invited.example",
            code,
            PASSWORD,
            401,
            "do not match",
        ),
    ] {
        let refused = set_up(running, email, code, password).await?;
        assert_eq!(refused.status, status, "{password}");
        assert!(refused.text().contains(expected), "{}", refused.text());
        assert!(!refused.text().contains(password));
    }
    Ok(())
}

#[tokio::test]
async fn an_invited_person_sets_a_password_with_a_code_that_works_once() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = running
        .sign_in(Role::SecurityAdmin, Clinic::Riverside)
        .await?;
    let email = format!("{}@invited.example", fhir::random_id().simple());
    let invitation = json!({"name": "Ada Lovelace", "email": email, "role": "clinician"});
    let invited = admin.post_json("/api/v1/people", &invitation).await?;
    let invited = invited.expect_status(201)?.json()?;
    let code = invited["set_up_code"].as_str().context("a code")?;
    let again = admin.post_json("/api/v1/people", &invitation).await?;
    assert_eq!(again.status, 400);

    let account = Account {
        email: email.clone(),
        password: PASSWORD.to_owned(),
        totp: None,
        ..running.account(Role::Clinician, Clinic::Riverside)?.clone()
    };
    assert_eq!(sign_in(&running, &account, "").await?.status, 401);
    // A set-up code is no second factor.
    assert_eq!(sign_in(&running, &account, code).await?.status, 401);
    refuse_wrong_set_ups(&running, &email, code).await?;
    let done = set_up(&running, &email, code, PASSWORD)
        .await?
        .expect_status(303)?;
    assert_eq!(done.header("location"), "/sign-in");
    assert_eq!(set_up(&running, &email, code, PASSWORD).await?.status, 401);
    let client = with_token(&running, sign_in(&running, &account, "").await?)?;
    assert_eq!(json!(person_of(&client).await?), invited["person"]);
    let people = admin
        .get("/api/v1/people")
        .await?
        .expect_status(200)?
        .json()?;
    let people = people["people"].as_array().context("people")?;
    let person = people.iter().find(|it| it["id"] == invited["person"]);
    let person = person.context("the invited person")?;
    assert_eq!(
        (&person["email"], &person["active"]),
        (&json!(email), &json!(true))
    );
    Ok(())
}

#[tokio::test]
async fn a_suspended_person_is_signed_out_at_once_by_every_instance() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let beside = isolated
        .stack
        .start_second_instance(isolated.stack.binaries())
        .await?;
    let (one, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let admin = one.sign_in(Role::SecurityAdmin, Clinic::Riverside).await?;
    let mut enrolled = Enrolled::new(&one, Role::Clinician).await?;
    let client = enrolled.client(&one).await?;
    let elsewhere = other.anonymous().with_token(client.token());
    let id = person_of(&client).await?;
    assert!(is_signed_in(&elsewhere).await?);
    let suspended = patch(&admin, &id, &json!({"active": false})).await?;
    assert_eq!(suspended.expect_status(200)?.json()?["active"], false);
    assert!(!is_signed_in(&client).await?);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!is_signed_in(&elsewhere).await?);
    let code = enrolled.recovery_codes[0].clone();
    assert_eq!(sign_in(&one, &enrolled.account, &code).await?.status, 401);
    // Restored, the person signs in again; what ended stays ended.
    patch(&admin, &id, &json!({"active": true}))
        .await?
        .expect_status(200)?;
    assert!(!is_signed_in(&client).await?);
    assert!(is_signed_in(&enrolled.client(&one).await?).await?);
    Ok(())
}

#[tokio::test]
async fn another_role_ends_the_sessions_of_the_former_one() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = running
        .sign_in(Role::SecurityAdmin, Clinic::Riverside)
        .await?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    let client = enrolled.client(&running).await?;
    let id = person_of(&client).await?;
    for wrong in [
        json!({}),
        json!({"role": "root"}),
        json!({"role": "patient"}),
        json!({"x": 1}),
    ] {
        assert_eq!(patch(&admin, &id, &wrong).await?.status, 400, "{wrong}");
    }
    let changed = patch(&admin, &id, &json!({"role": "privacy_officer"})).await?;
    assert_eq!(
        changed.expect_status(200)?.json()?["role"],
        "privacy_officer"
    );
    assert!(!is_signed_in(&client).await?);
    let client = enrolled.client(&running).await?;
    client
        .get("/api/v1/audit/events")
        .await?
        .expect_status(200)?;
    assert_eq!(client.search(&[("family", "smith")]).await?.status, 403);
    // By the page.
    let page = format!("/people/{id}");
    for (role, status) in [("patient", 400), ("service", 400), ("front_desk", 303)] {
        let changed = admin.form(&page, &[("role", role)]).await?;
        assert_eq!(changed.status, status, "{role}");
    }
    assert!(!is_signed_in(&client).await?);
    let client = enrolled.client(&running).await?;
    let session = client.get("/api/v1/session").await?.expect_status(200)?;
    assert_eq!(session.json()?["role"], "front_desk");
    Ok(())
}

#[tokio::test]
async fn a_reset_removes_password_and_second_factor() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = running
        .sign_in(Role::SecurityAdmin, Clinic::Riverside)
        .await?;
    let mut enrolled = Enrolled::new(&running, Role::FrontDesk).await?;
    let client = enrolled.client(&running).await?;
    let id = person_of(&client).await?;
    let reset = admin.post(&format!("/api/v1/people/{id}/reset")).await?;
    let reset = reset.expect_status(201)?.json()?;
    let code = reset["set_up_code"].as_str().context("a code")?;
    assert!(!is_signed_in(&client).await?);
    for of_before in ["", &enrolled.recovery_codes[0]] {
        let refused = sign_in(&running, &enrolled.account, of_before).await?;
        assert_eq!(refused.status, 401);
    }
    set_up(&running, &enrolled.account.email, code, PASSWORD)
        .await?
        .expect_status(303)?;
    PASSWORD.clone_into(&mut enrolled.account.password);
    // The second factor has to be set up again.
    let single = with_token(&running, sign_in(&running, &enrolled.account, "").await?)?;
    assert_eq!(single.search(&[("family", "smith")]).await?.status, 403);
    single
        .post("/api/v1/account/authenticators")
        .await?
        .expect_status(201)?;
    Ok(())
}

#[tokio::test]
async fn people_are_administered_by_another_administrator_of_their_organization_only()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let admin = running
        .sign_in(Role::SecurityAdmin, Clinic::Riverside)
        .await?;
    let own = person_of(&admin).await?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let person = person_of(&clinician).await?;
    let foreign = person_of(&running.clinician(Clinic::Lakeside).await?).await?;
    let suspend = json!({"active": false});
    let reset =
        async |client: &Client, id: &str| client.post(&format!("/api/v1/people/{id}/reset")).await;
    assert_eq!(patch(&admin, &own, &suspend).await?.status, 400);
    assert_eq!(reset(&admin, &own).await?.status, 400);
    for unknown in [
        foreign.as_str(),
        &fhir::random_id().to_string(),
        "not-an-id",
    ] {
        let refused = patch(&admin, unknown, &suspend).await?.status;
        assert!(
            [400, 404].contains(&refused.as_u16()),
            "{unknown}: {refused}"
        );
        let refused = reset(&admin, unknown).await?.status;
        assert!(
            [400, 404].contains(&refused.as_u16()),
            "{unknown}: {refused}"
        );
    }
    let invitation = json!({"name": "A", "email": "a@b.example", "role": "clinician"});
    for role in [
        Role::Clinician,
        Role::FrontDesk,
        Role::PrivacyOfficer,
        Role::Service,
    ] {
        let client = running.sign_in(role, Clinic::Riverside).await?;
        assert_eq!(
            patch(&client, &person, &suspend).await?.status,
            403,
            "{role}"
        );
        assert_eq!(reset(&client, &person).await?.status, 403, "{role}");
        let invited = client.post_json("/api/v1/people", &invitation).await?;
        assert_eq!(invited.status, 403, "{role}");
    }
    assert!(is_signed_in(&clinician).await?);
    Ok(())
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_and_the_former_password() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    let (client, other) = (
        enrolled.client(&running).await?,
        enrolled.client(&running).await?,
    );
    let former = enrolled.account.password.clone();
    let change = async |client: &Client, present: &str, new: &str| {
        let body = json!({"password": present, "new_password": new});
        client.post_json("/api/v1/account/password", &body).await
    };
    let ended = change(&enrolled.single, &former, PASSWORD).await?.status;
    assert!([401, 403].contains(&ended.as_u16()), "{ended}");
    for (present, new, expected) in [
        (former.as_str(), "kx7-wq2", "at least 8 characters"),
        (&former, "password123", "easy to guess"),
        ("not the password", PASSWORD, "present password is wrong"),
    ] {
        let refused = change(&client, present, new).await?;
        assert_eq!(refused.status, 400, "{new}");
        assert!(refused.text().contains(expected), "{}", refused.text());
    }
    assert!(is_signed_in(&client).await?);
    change(&client, &former, PASSWORD)
        .await?
        .expect_status(204)?;
    for ended in [&client, &other, &enrolled.single] {
        assert!(!is_signed_in(ended).await?);
    }
    let code = enrolled.recovery_codes[0].clone();
    assert_eq!(
        sign_in(&running, &enrolled.account, &code).await?.status,
        401
    );
    PASSWORD.clone_into(&mut enrolled.account.password);
    assert!(is_signed_in(&enrolled.client(&running).await?).await?);
    Ok(())
}

#[tokio::test]
async fn a_person_lists_and_ends_the_own_sessions_and_no_others() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let mut enrolled = Enrolled::new(&running, Role::Clinician).await?;
    let (client, other) = (
        enrolled.client(&running).await?,
        enrolled.client(&running).await?,
    );
    let sessions = async |client: &Client| -> anyhow::Result<Vec<Value>> {
        let listed = client
            .get("/api/v1/account/sessions")
            .await?
            .expect_status(200)?;
        let listed = listed.json()?["sessions"].as_array().cloned();
        listed.context("sessions")
    };
    let listed = sessions(&client).await?;
    // That of the password alone ended with the set-up of the second factor.
    assert_eq!(listed.len(), 2, "{listed:#?}");
    let current: Vec<_> = listed
        .iter()
        .filter(|it| it["is_current"] == true)
        .collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0]["method"], "password-and-code");
    let of_other = sessions(&other).await?;
    let of_other = of_other.iter().find(|it| it["is_current"] == true);
    let of_other = of_other.context("the current session")?["id"].clone();
    let end = async |client: &Client, id: &str| {
        let path = format!("/api/v1/account/sessions/{id}");
        client.request(Method::DELETE, &path, "", "").await
    };
    let id = of_other.as_str().context("an id")?;
    let stranger = running.clinician(Clinic::Riverside).await?;
    assert_eq!(end(&stranger, id).await?.status, 404);
    end(&client, id).await?.expect_status(204)?;
    assert!(!is_signed_in(&other).await?);
    assert_eq!(end(&client, id).await?.status, 404);
    assert_eq!(sessions(&client).await?.len(), 1);
    Ok(())
}
