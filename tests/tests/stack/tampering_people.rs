//! Whoever writes the database's rows gets no access by it. These tests use the accounts of Lakeside that no
//! other test signs in with, one test at a time, and put back what they change.

use anyhow::Context;
use bytes::Bytes;
use http::{Request, header};
use serde_json::json;
use tests::{Answer, Client, Clinic, Intruder, Role, Running, fhir};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

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

    /// The hash of the newest session or token of a person.
    async fn newest(&mut self, table: &str, person: Uuid) -> anyhow::Result<Vec<u8>> {
        let sql = format!(
            "SELECT token_hash FROM {table} WHERE person = ? ORDER BY created_at DESC LIMIT 1"
        );
        self.intruder.bytes(&sql, &[person.as_bytes()]).await
    }

    async fn change(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<()> {
        let touched = self.intruder.execute(sql, values).await?;
        anyhow::ensure!(touched == 1, "{touched} rows were touched: {sql}");
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
    scene.change(sql, &raised).await?;
    let with_token = desk.get("/api/v1/session").await?;
    let search = desk.search(&[("family", "Testperson")]).await?;
    let afresh = scene.attempt(Role::FrontDesk, Role::FrontDesk).await?;
    scene.change(sql, &before).await?;
    for answer in [with_token, search, afresh] {
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    desk.get("/api/v1/session").await?.expecting(200)?;
    assert!(
        scene
            .running
            .logs()?
            .contains("somebody wrote to the database")
    );
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
            "email_index = REVERSE(email_index)",
            "email_index = REVERSE(email_index)",
        ),
        ("name = REVERSE(name)", "name = REVERSE(name)"),
    ] {
        let sql = |change| format!("UPDATE people SET {change} WHERE id = ?");
        scene.change(&sql(change), &[person.as_bytes()]).await?;
        let answer = desk.get("/api/v1/session").await?;
        scene.change(&sql(back), &[person.as_bytes()]).await?;
        assert_eq!(answer.status, 401, "{change}: {}", answer.text());
    }
    desk.get("/api/v1/session").await?.expecting(200)?;
    Ok(())
}

#[tokio::test]
async fn a_token_prolonged_raised_or_given_to_another_is_refused() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let (desk, person) = scene.sign_in(Role::FrontDesk).await?;
    let (_, admin) = scene.sign_in(Role::SecurityAdmin).await?;
    let hash = scene.newest("tokens", person).await?;
    let riverside = scene.intruder.organization("Riverside").await?;
    let here = scene.organization;
    let hexed = |id: Uuid| format!("X'{}'", id.simple());
    for (change, back) in [
        (
            "expires_at = expires_at + INTERVAL 1 YEAR".to_owned(),
            "expires_at = expires_at - INTERVAL 1 YEAR".to_owned(),
        ),
        (
            "created_at = created_at + INTERVAL 1 HOUR".to_owned(),
            "created_at = created_at - INTERVAL 1 HOUR".to_owned(),
        ),
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
        let sql = |change: &str| format!("UPDATE tokens SET {change} WHERE token_hash = ?");
        scene.change(&sql(&change), &[&hash]).await?;
        let answer = desk.get("/api/v1/session").await?;
        let search = desk.search(&[("family", "Testperson")]).await?;
        scene.change(&sql(&back), &[&hash]).await?;
        assert_eq!(answer.status, 401, "{change}: {}", answer.text());
        assert_eq!(search.status, 401, "{change}");
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
async fn a_session_inserted_moved_or_prolonged_is_refused() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let nobody = scene.running.nobody();
    let account = scene
        .running
        .account(Role::FrontDesk, Clinic::Lakeside)?
        .clone();
    let fields = [
        ("email", account.email.as_str()),
        ("password", &account.password),
    ];
    let answer = nobody.form("/sign-in", &fields).await?.expecting(303)?;
    let cookie = answer
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(page(&nobody, &cookie).await?.status, 200);
    let (_, person) = scene.sign_in(Role::FrontDesk).await?;
    let (_, admin) = scene.sign_in(Role::SecurityAdmin).await?;
    let hash = scene.newest("sessions", person).await?;
    let hexed = |id: Uuid| format!("X'{}'", id.simple());
    for (change, back) in [
        (
            format!("person = {}", hexed(admin)),
            format!("person = {}", hexed(person)),
        ),
        (
            "created_at = created_at + INTERVAL 1 DAY".to_owned(),
            "created_at = created_at - INTERVAL 1 DAY".to_owned(),
        ),
        (
            "seen_at = seen_at + INTERVAL 1 DAY".to_owned(),
            "seen_at = seen_at - INTERVAL 1 DAY".to_owned(),
        ),
    ] {
        let sql = |change: &str| format!("UPDATE sessions SET {change} WHERE token_hash = ?");
        scene.change(&sql(&change), &[&hash]).await?;
        let answer = page(&nobody, &cookie).await?;
        scene.change(&sql(&back), &[&hash]).await?;
        assert_eq!(answer.status, 401, "{change}: {}", answer.text());
    }
    assert_eq!(page(&nobody, &cookie).await?.status, 200);
    // A row of one's own, with everything else as it stands in a good one.
    let own = "A".repeat(43);
    let raw = [0_u8; 32];
    for forged in [
        raw.to_vec(),
        own.as_bytes().get(..32).context("32 bytes")?.to_vec(),
    ] {
        let sql = "INSERT INTO sessions (token_hash, organization, person, created_at, seen_at, mac) \
                   SELECT ?, organization, person, created_at, seen_at, mac FROM sessions WHERE token_hash = ?";
        scene.change(sql, &[&forged, &hash]).await?;
        let answer = page(&nobody, &format!("__Host-session={own}")).await?;
        scene
            .change("DELETE FROM sessions WHERE token_hash = ?", &[&forged])
            .await?;
        assert_eq!(answer.status, 401);
    }
    // A good row under another hash: the cookie of that hash belongs to somebody else.
    let own = nobody.form("/sign-in", &fields).await?.expecting(303)?;
    let own = own
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let mine = scene.newest("sessions", person).await?;
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
    assert_eq!(answer.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_password_swapped_with_another_persons_opens_for_neither() -> anyhow::Result<()> {
    let mut scene = Scene::set().await?;
    let (_, desk) = scene.sign_in(Role::FrontDesk).await?;
    let (_, admin) = scene.sign_in(Role::SecurityAdmin).await?;
    let mut own = Vec::new();
    let mut stolen = Vec::new();
    for column in ["password", "row_id", "mac", "CAST(changed_at AS CHAR)"] {
        let sql = format!("SELECT {column} FROM credentials WHERE person = ?");
        own.push(scene.intruder.bytes(&sql, &[admin.as_bytes()]).await?);
        stolen.push(scene.intruder.bytes(&sql, &[desk.as_bytes()]).await?);
    }
    let some = |values: &[Vec<u8>]| values.to_vec();
    let part = "UPDATE credentials SET password = ? WHERE person = ?";
    scene.change(part, &[&stolen[0], admin.as_bytes()]).await?;
    let first = scene.attempt(Role::SecurityAdmin, Role::FrontDesk).await?;
    let second = scene
        .attempt(Role::SecurityAdmin, Role::SecurityAdmin)
        .await?;
    // The whole row: the one it was copied from gives its unique row id up.
    scene
        .change(
            "UPDATE credentials SET row_id = ? WHERE person = ?",
            &[fhir::random_id().as_bytes(), desk.as_bytes()],
        )
        .await?;
    let whole =
        "UPDATE credentials SET password = ?, row_id = ?, mac = ?, changed_at = ? WHERE person = ?";
    let values = some(&stolen);
    scene
        .change(
            whole,
            &[
                &values[0],
                &values[1],
                &values[2],
                &values[3],
                admin.as_bytes(),
            ],
        )
        .await?;
    let third = scene.attempt(Role::SecurityAdmin, Role::FrontDesk).await?;
    scene
        .change(
            whole,
            &[&own[0], &own[1], &own[2], &own[3], admin.as_bytes()],
        )
        .await?;
    scene
        .change(
            whole,
            &[
                &stolen[0],
                &stolen[1],
                &stolen[2],
                &stolen[3],
                desk.as_bytes(),
            ],
        )
        .await?;
    for answer in [first, second, third] {
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    scene
        .attempt(Role::SecurityAdmin, Role::SecurityAdmin)
        .await?
        .expecting(201)?;
    scene
        .attempt(Role::FrontDesk, Role::FrontDesk)
        .await?
        .expecting(201)?;
    Ok(())
}

#[tokio::test]
async fn the_apps_account_can_neither_change_the_trail_nor_the_schema() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let mut app = Intruder::connect(&running.status, "app").await?;
    assert!(app.number("SELECT COUNT(*) FROM audit_events", &[]).await? > 0);
    for sql in [
        "UPDATE audit_events SET at = at",
        "UPDATE audit_events SET body = '' WHERE counter = 0",
        "DELETE FROM audit_events",
        "REPLACE INTO audit_events SELECT * FROM audit_events LIMIT 1",
        "TRUNCATE TABLE audit_events",
        "DROP TABLE audit_events",
        "ALTER TABLE audit_events DROP COLUMN mac",
        "CREATE TABLE intruder (id INT)",
        "CREATE TRIGGER intruder BEFORE INSERT ON audit_events FOR EACH ROW SET NEW.at = NOW()",
        "DELETE FROM resource_versions",
        "UPDATE resource_versions SET body = ''",
        "DELETE FROM `keys`",
        "DELETE FROM people",
        "GRANT ALL ON stack.* TO 'app'@'%'",
        "SELECT * FROM mysql.user",
        "SET GLOBAL general_log = 1",
        "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/intruder'",
    ] {
        assert!(app.execute(sql, &[]).await.is_err(), "{sql}");
    }
    let mut auditor = Intruder::connect(&running.status, "auditor").await?;
    assert!(
        auditor
            .number("SELECT COUNT(*) FROM audit_events", &[])
            .await?
            > 0
    );
    for table in [
        "resource_versions",
        "demographics",
        "people",
        "credentials",
        "`keys`",
        "sessions",
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        assert!(auditor.rows(&sql, &[]).await.is_err(), "{table}");
    }
    assert!(
        auditor
            .execute("DELETE FROM audit_events", &[])
            .await
            .is_err()
    );
    let mut backup = Intruder::connect(&running.status, "backup").await?;
    assert!(
        backup
            .number("SELECT COUNT(*) FROM resource_versions", &[])
            .await?
            > 0
    );
    assert!(
        backup
            .execute("UPDATE people SET role = 'clinician'", &[])
            .await
            .is_err()
    );
    Ok(())
}
