//! Whoever writes the database's rows gets no access by it. These tests use the accounts of Lakeside that no
//! other test signs in with, one test at a time, and put back what they change.

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::header;
use serde_json::json;
use tests::Answer;
use tests::Client;
use tests::Clinic;
use tests::Intruder;
use tests::Role;
use tests::Running;
use tests::fhir;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;
use uuid::Uuid;

use super::attack::FORGOTTEN;

static ACCOUNTS: Mutex<()> = Mutex::const_new(());

/// What every test here begins with.
struct Scene {
    running: Running,
    intruder: Intruder,
    organization: Uuid,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    async fn set() -> anyhow::Result<Self> {
        let alone = ACCOUNTS.lock().await;
        let running = Running::shared()?;
        let mut intruder = running.intruder().await?;
        let organization = intruder.organization("Lakeside").await?;
        Ok(Self {
            running,
            intruder,
            organization,
            _alone: alone,
        })
    }

    /// A client with a token of its own, and its person's id.
    async fn sign_in(&self, role: Role) -> anyhow::Result<(Client, Uuid)> {
        let client = self.running.sign_in_afresh(role, Clinic::Lakeside).await?;
        let me = client
            .get("/api/v1/session")
            .await?
            .expecting(200)?
            .json()?;
        let id = me["person"]["id"].as_str().context("an id")?.parse()?;
        Ok((client, id))
    }

    /// The hash of the newest row of a person, `session` or `bearer`.
    async fn newest(&mut self, kind: &str, person: Uuid) -> anyhow::Result<Vec<u8>> {
        let sql = "SELECT token_hash FROM sessions WHERE kind = ? AND person = ? \
                   ORDER BY authenticated_at DESC LIMIT 1";
        let key: [&[u8]; 2] = [kind.as_bytes(), person.as_bytes()];
        self.intruder.bytes(sql, &key).await
    }

    /// Asserts that nobody is signed in by this answer, and that the row was reported.
    async fn stays_out(&self, answer: &Answer, table: &str, what: &str) -> anyhow::Result<()> {
        anyhow::ensure!(
            answer.status == 401,
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        self.running
            .reported(answer, &[table])
            .await
            .with_context(|| what.to_owned())
    }

    /// Signs a browser of the front desk in and gives its cookie.
    async fn browse(&self) -> anyhow::Result<String> {
        let account = self.running.account(Role::FrontDesk, Clinic::Lakeside)?;
        let fields = [
            ("email", account.email.as_str()),
            ("password", &account.password),
        ];
        let nobody = self.running.nobody();
        let answer = nobody.form("/sign-in", &fields).await?.expecting(303)?;
        let cookie = answer.header("set-cookie").split(';').next();
        Ok(cookie.unwrap_or_default().to_owned())
    }

    async fn change(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<()> {
        let touched = self.intruder.execute(sql, values).await?;
        anyhow::ensure!(touched == 1, "{touched} rows were touched: {sql}");
        Ok(())
    }

    /// Makes a change, and waits until no instance keeps what it had verified before.
    async fn change_unseen(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<()> {
        self.change(sql, values).await?;
        tokio::time::sleep(FORGOTTEN).await;
        Ok(())
    }

    /// Tries a password at the front door.
    async fn attempt(&self, role: Role, password_of: Role) -> anyhow::Result<Answer> {
        let email = &self.running.account(role, Clinic::Lakeside)?.email;
        let password = &self
            .running
            .account(password_of, Clinic::Lakeside)?
            .password;
        let body = json!({"email": email, "password": password}).to_string();
        let nobody = self.running.nobody();
        nobody
            .request(
                http::Method::POST,
                "/api/v1/tokens",
                "application/json",
                body,
            )
            .await
    }
}

#[tokio::test]
async fn a_role_raised_in_the_database_lets_nobody_in() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let (desk, person) = scene.sign_in(Role::FrontDesk).await?;
    let (organization, person) = (scene.organization, person);
    let sql = "UPDATE people SET role = ? WHERE organization = ? AND id = ?";
    let key = |role: &'static str| {
        [
            role.as_bytes().to_vec(),
            organization.as_bytes().to_vec(),
            person.as_bytes().to_vec(),
        ]
    };
    let raised = key("clinician");
    let before = key("front_desk");
    let raised: Vec<&[u8]> = raised.iter().map(Vec::as_slice).collect();
    let before: Vec<&[u8]> = before.iter().map(Vec::as_slice).collect();
    scene.change_unseen(sql, &raised).await?;
    let with_token = desk.get("/api/v1/session").await?;
    let search = desk.search(&[("family", "Testperson")]).await?;
    let afresh = scene.attempt(Role::FrontDesk, Role::FrontDesk).await?;
    scene.change(sql, &before).await?;
    for answer in [with_token, search, afresh] {
        scene.stays_out(&answer, "people", "a role raised").await?;
    }
    desk.get("/api/v1/session").await?.expecting(200)?;
    Ok(())
}

#[tokio::test]
async fn any_other_column_of_a_person_is_bound_as_well() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let (desk, person) = scene.sign_in(Role::FrontDesk).await?;
    for (change, back) in [
        ("active = 1 - active", "active = 1 - active"),
        (
            "created_at = created_at + INTERVAL 1 DAY",
            "created_at = created_at - INTERVAL 1 DAY",
        ),
        (
            "email_token = REVERSE(email_token)",
            "email_token = REVERSE(email_token)",
        ),
        ("name = REVERSE(name)", "name = REVERSE(name)"),
        ("row_id = REVERSE(row_id)", "row_id = REVERSE(row_id)"),
        ("mac_key = REVERSE(mac_key)", "mac_key = REVERSE(mac_key)"),
        ("mac = REVERSE(mac)", "mac = REVERSE(mac)"),
    ] {
        let sql = |change| format!("UPDATE people SET {change} WHERE id = ?");
        scene
            .change_unseen(&sql(change), &[person.as_bytes()])
            .await?;
        let answer = desk.get("/api/v1/session").await?;
        scene.change(&sql(back), &[person.as_bytes()]).await?;
        scene.stays_out(&answer, "people", change).await?;
    }
    desk.get("/api/v1/session").await?.expecting(200)?;
    Ok(())
}

#[tokio::test]
async fn a_token_prolonged_raised_or_given_to_another_is_refused() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let (desk, person) = scene.sign_in(Role::FrontDesk).await?;
    let (_, admin) = scene.sign_in(Role::SecurityAdmin).await?;
    let hash = scene.newest("bearer", person).await?;
    let riverside = scene.intruder.organization("Riverside").await?;
    let here = scene.organization;
    let hexed = |id: Uuid| format!("X'{}'", id.simple());
    for (change, back) in [
        (
            "expires_at = expires_at + INTERVAL 1 YEAR".to_owned(),
            "expires_at = expires_at - INTERVAL 1 YEAR".to_owned(),
        ),
        (
            "authenticated_at = authenticated_at + INTERVAL 1 HOUR".to_owned(),
            "authenticated_at = authenticated_at - INTERVAL 1 HOUR".to_owned(),
        ),
        (
            "method = 'passkey'".to_owned(),
            "method = 'token'".to_owned(),
        ),
        ("id = REVERSE(id)".to_owned(), "id = REVERSE(id)".to_owned()),
        (
            "role = 'clinician'".to_owned(),
            "role = 'front_desk'".to_owned(),
        ),
        (
            format!("person = {}", hexed(admin)),
            format!("person = {}", hexed(person)),
        ),
        (
            format!("organization = {}", hexed(riverside)),
            format!("organization = {}", hexed(here)),
        ),
    ] {
        let sql = |change: &str| format!("UPDATE sessions SET {change} WHERE token_hash = ?");
        scene.change_unseen(&sql(&change), &[&hash]).await?;
        let answer = desk.get("/api/v1/session").await?;
        let search = desk.search(&[("family", "Testperson")]).await?;
        scene.change(&sql(&back), &[&hash]).await?;
        scene.stays_out(&answer, "sessions", &change).await?;
        scene.stays_out(&search, "sessions", &change).await?;
    }
    desk.get("/api/v1/session").await?.expecting(200)?;
    Ok(())
}

async fn page(client: &Client, cookie: &str) -> anyhow::Result<Answer> {
    let request = Request::get("/patients")
        .header(header::COOKIE, cookie)
        .body(Bytes::new())?;
    client.send(request).await
}

#[tokio::test]
async fn a_session_moved_or_prolonged_is_refused() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let nobody = scene.running.nobody();
    let cookie = scene.browse().await?;
    assert_eq!(page(&nobody, &cookie).await?.status, 200);
    let (_, person) = scene.sign_in(Role::FrontDesk).await?;
    let (_, admin) = scene.sign_in(Role::SecurityAdmin).await?;
    let hash = scene.newest("session", person).await?;
    let hexed = |id: Uuid| format!("X'{}'", id.simple());
    for (change, back) in [
        (
            format!("person = {}", hexed(admin)),
            format!("person = {}", hexed(person)),
        ),
        (
            "expires_at = expires_at + INTERVAL 1 DAY".to_owned(),
            "expires_at = expires_at - INTERVAL 1 DAY".to_owned(),
        ),
        ("kind = 'bearer'".to_owned(), "kind = 'session'".to_owned()),
        (
            "seen_at = seen_at + INTERVAL 1 DAY".to_owned(),
            "seen_at = seen_at - INTERVAL 1 DAY".to_owned(),
        ),
    ] {
        let sql = |change: &str| format!("UPDATE sessions SET {change} WHERE token_hash = ?");
        scene.change_unseen(&sql(&change), &[&hash]).await?;
        let answer = page(&nobody, &cookie).await?;
        scene.change(&sql(&back), &[&hash]).await?;
        scene.stays_out(&answer, "sessions", &change).await?;
    }
    assert_eq!(page(&nobody, &cookie).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_revived() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let (desk, person) = scene.sign_in(Role::FrontDesk).await?;
    let hash = scene.newest("bearer", person).await?;
    let current = "/api/v1/tokens/current";
    let ended = desk.request(http::Method::DELETE, current, "", "").await?;
    ended.expecting(204)?;
    assert_eq!(desk.get("/api/v1/session").await?.status, 401);
    let sql = "UPDATE sessions SET ended_at = NULL WHERE token_hash = ?";
    scene.change_unseen(sql, &[&hash]).await?;
    let answer = desk.get("/api/v1/session").await?;
    scene.stays_out(&answer, "sessions", "revived").await
}

#[tokio::test]
async fn a_session_inserted_in_the_database_lets_nobody_in() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let nobody = scene.running.nobody();
    let (_, person) = scene.sign_in(Role::FrontDesk).await?;
    scene.browse().await?;
    let hash = scene.newest("session", person).await?;
    // A row of one's own, with everything else as it stands in a good one.
    let own = "A".repeat(43);
    let raw = [0_u8; 32];
    for forged in [
        raw.to_vec(),
        own.as_bytes().get(..32).context("32 bytes")?.to_vec(),
    ] {
        let sql = "INSERT INTO sessions SELECT ?, organization, ?, kind, person, role, method, authenticated_at, \
                   expires_at, seen_at, ended_at, mac_key, mac FROM sessions WHERE token_hash = ?";
        let id = fhir::random_id();
        scene.change(sql, &[&forged, id.as_bytes(), &hash]).await?;
        let answer = page(&nobody, &format!("__Host-session={own}")).await?;
        scene
            .change("DELETE FROM sessions WHERE token_hash = ?", &[&forged])
            .await?;
        assert_eq!(answer.status, 401);
    }
    // A good row under another hash: the cookie of that hash belongs to somebody else.
    let own = scene.browse().await?;
    let mine = scene.newest("session", person).await?;
    assert_ne!(mine, hash);
    scene
        .change("DELETE FROM sessions WHERE token_hash = ?", &[&mine])
        .await?;
    scene
        .change(
            "UPDATE sessions SET token_hash = ? WHERE token_hash = ?",
            &[&mine, &hash],
        )
        .await?;
    let answer = page(&nobody, &own).await?;
    scene
        .change("DELETE FROM sessions WHERE token_hash = ?", &[&mine])
        .await?;
    scene
        .stays_out(&answer, "sessions", "a row under another hash")
        .await
}

/// What a row of credentials holds beside its key.
const CREDENTIALS: [&str; 5] = ["password", "mac", "changed_at", "row_id", "mac_key"];

impl Scene {
    async fn credentials(&mut self, person: Uuid) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        for column in CREDENTIALS {
            // A time as text, so that it can be written back.
            let column = column.replace("changed_at", "CAST(changed_at AS CHAR)");
            let sql = format!("SELECT {column} FROM credentials WHERE person = ?");
            values.push(self.intruder.bytes(&sql, &[person.as_bytes()]).await?);
        }
        Ok(values)
    }

    /// Overwrites the first so many of [`CREDENTIALS`].
    async fn overwrite(&mut self, person: Uuid, values: &[Vec<u8>]) -> anyhow::Result<()> {
        for (column, value) in CREDENTIALS.iter().zip(values) {
            let sql = format!("UPDATE credentials SET {column} = ? WHERE person = ?");
            self.intruder
                .execute(&sql, &[value, person.as_bytes()])
                .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_password_swapped_with_another_persons_opens_for_neither() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let (_, desk) = scene.sign_in(Role::FrontDesk).await?;
    let (_, admin) = scene.sign_in(Role::SecurityAdmin).await?;
    let own = scene.credentials(admin).await?;
    let stolen = scene.credentials(desk).await?;
    // Row ids are unique, so the row that is copied gives its own up.
    let mut bereft = stolen.clone();
    bereft[3] = fhir::random_id().as_bytes().to_vec();
    scene.overwrite(desk, &bereft).await?;
    scene.overwrite(admin, &stolen[..1]).await?;
    let part = scene.attempt(Role::SecurityAdmin, Role::FrontDesk).await?;
    let neither = scene
        .attempt(Role::SecurityAdmin, Role::SecurityAdmin)
        .await?;
    scene.overwrite(admin, &stolen).await?;
    let whole = scene.attempt(Role::SecurityAdmin, Role::FrontDesk).await?;
    let bereft = scene.attempt(Role::FrontDesk, Role::FrontDesk).await?;
    scene.overwrite(admin, &own).await?;
    scene.overwrite(desk, &stolen).await?;
    for answer in [part, neither, whole, bereft] {
        scene
            .stays_out(&answer, "credentials", "a password swapped")
            .await?;
    }
    for role in [Role::SecurityAdmin, Role::FrontDesk] {
        scene.attempt(role, role).await?.expecting(201)?;
    }
    Ok(())
}
