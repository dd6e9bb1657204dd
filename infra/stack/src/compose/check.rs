//! The compose step of `cargo stack test`: builds the images, starts the containers, confirms what
//! `infra/compose/README.md` claims, and removes everything.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use https_client::HttpsClient;
use https_client::issue_token;
use progress::Progress;
use serde_json::Value;
use tokio::sync::Mutex;
use tools::workspace;

use super::Checked;
use super::READY_TIMEOUT;
use super::binaries::Programs;
use super::confinement;
use super::engine::Engine;
use super::examples;
use super::is_ready;
use super::project::Project;
use super::wait_until_ready;
use crate::accounts::Accounts;
use crate::home::Home;
use crate::seed::import_patients;
use crate::settings::Ports;
use crate::state::State;

/// The project of this step, beside one that may be in use.
fn project_name() -> String {
    format!("{}-test", product::NAME)
}

/// A trust domain other than the default, which must not remain anywhere.
const TRUST_DOMAIN: &str = "compose.test";

/// A medical record number of the synthetic patients, and its patient's family name.
const PATIENT: (&str, &str) = ("3982481", "Hermiston");

/// Requests of a client in a container: only the listed hosts are served, and a browser there signs in
/// from a page of the stack and from no other. No other check uses a code of this person, and each code is accepted once.
const HOSTS: &str = r#"/opt/tests/bin/python - <<'END'
import json, requests
from test_patients import code
session = requests.Session()
session.verify = "/secrets/ca.pem"
hosts = {"web:8443": 200, "localhost:1": 200, "web": 421, "web:443": 421, "other:8443": 421}
for host, status in hosts.items():
    response = session.get("https://web:8443/sign-in", headers={"Host": host})
    assert response.status_code == status, (host, response.status_code)
people = json.load(open("/secrets/people.json"))["organizations"][0]["people"]
person = next(person for person in people if person["role"] == "front_desk")
form = {"email": person["email"], "password": person["password"], "code": code(person["totp"])}
for site, status in {"same-origin": 303, "same-site": 403, "cross-site": 403}.items():
    headers = {"Sec-Fetch-Site": site}
    response = session.post("https://web:8443/sign-in", form, headers=headers, allow_redirects=False)
    assert response.status_code == status, (site, response.status_code)
END"#;

/// Builds, starts, checks and removes the containers. Without an engine it is skipped.
///
/// # Errors
/// When a check fails; the logs stay in `target/compose/`.
pub async fn check(progress: Progress) -> anyhow::Result<Checked> {
    let engine = match Engine::obtain(progress).await {
        Ok(engine) => engine,
        Err(unavailable) => return Ok(Checked::Skipped(unavailable.to_string())),
    };
    let checked = check_on(&engine, progress).await;
    engine.release().await?;
    checked.map(Checked::Passed)
}

async fn check_on(engine: &Engine, progress: Progress) -> anyhow::Result<Vec<String>> {
    let mut project = Project::new(&project_name(), engine, Ports::free()?)?;
    project.set("TRUST_DOMAIN", TRUST_DOMAIN.to_owned());
    project.down(true).await?;
    project
        .build(engine, Programs::for_tests(), progress)
        .await?;
    let mut outcome = check_project(&project, progress).await;
    if outcome.is_err()
        && let Ok(path) = project.save_logs()
    {
        outcome = outcome
            .with_context(|| format!("the logs of the containers are in {}", path.display()));
    }
    // A failed check is reported rather than a failure to remove the containers after it.
    let removed = project.down(true).await;
    let passed = outcome?;
    removed?;
    Ok(passed)
}

async fn check_project(project: &Project, progress: Progress) -> anyhow::Result<Vec<String>> {
    let started = Instant::now();
    project.up(progress).await?;
    let seconds = started.elapsed().as_secs_f64();
    let mut passed = vec![format!(
        "the containers serve {seconds:.1} s after `docker compose up --wait --no-build web`"
    )];
    let clients = Clients::new(project)?;
    ensure!(
        is_ready(&clients.client).await,
        "web is healthy and not ready"
    );
    passed.push(clients.seed(progress).await?);
    passed.push(check_instances(project, &clients).await?);
    passed.push(examples::python(project)?);
    project.run_tests(Some(HOSTS))?;
    passed.push("web serves the hosts `localhost` and `web:8443`, and no other".to_owned());
    passed.push(examples::rust(project, &clients.home).await?);
    passed.extend(confinement::check(project)?);
    passed.extend(confinement::check_networks(project)?);
    passed.push(check_trust_domain(project)?);
    project.restart("kms").await?;
    project.restart("app").await?;
    wait_until_ready(&clients.client).await?;
    clients.find(true).await?;
    passed.push("after a restart of app and kms the patients can be opened".to_owned());
    passed.push(check_reset(project, &clients, progress).await?);
    Ok(passed)
}

/// Stops each instance of app in turn: the other one serves all requests.
async fn check_instances(project: &Project, clients: &Clients) -> anyhow::Result<String> {
    let token = clients.token().await?;
    let id = clients.find(true).await?;
    for instance in [1, 2] {
        tokio::select! {
            stopped = project.instance("stop", "app", instance) => stopped?,
            read = clients.read_for(&token, &id, Duration::from_mins(1)) => {
                read.with_context(|| format!("while instance {instance} of app is stopped"))?;
                bail!("instance {instance} of app does not stop within a minute");
            }
        }
        let read = clients.read_for(&token, &id, Duration::from_secs(3)).await;
        read.with_context(|| format!("after instance {instance} of app was stopped"))?;
        project.instance("start", "app", instance).await?;
        wait_for_endpoints(project, 2).await?;
    }
    Ok("either instance of app can be stopped while requests are served".to_owned())
}

/// Waits until web sends requests to this number of instances.
async fn wait_for_endpoints(project: &Project, number: usize) -> anyhow::Result<()> {
    let script = "exec 3<>/dev/tcp/127.0.0.1/9100 && printf 'GET /metrics HTTP/1.1\\r\\n\
                  Host:localhost\\r\\nConnection:close\\r\\n\\r\\n' >&3 && \
                  grep -c '^web_upstream_up{.*} 1' <&3";
    let begun = Instant::now();
    while begun.elapsed() < READY_TIMEOUT {
        let up = project.exec_output("web", script).unwrap_or_default();
        if up.trim() == number.to_string() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    bail!("web does not use {number} instances of app")
}

/// Confirms that no trace of the default domain is left, and that the identities have the other one.
/// Mutual TLS and the database accounts work with it, or the containers would not have started.
fn check_trust_domain(project: &Project) -> anyhow::Result<String> {
    ensure!(
        !project.resolved()?.contains(product::TRUST_DOMAIN),
        "the compose file names another trust domain than the variable TRUST_DOMAIN"
    );
    let identity = format!(
        "sed '/-----/d' /secrets/app.pem | head --lines=20 | base64 --decode --ignore-garbage | \
         grep --quiet --text 'spiffe://{TRUST_DOMAIN}/app'"
    );
    ensure!(
        project.exec("app", 1, &identity)?,
        "the certificate of app has another trust domain"
    );
    Ok(format!("the trust domain is {TRUST_DOMAIN} everywhere"))
}

async fn check_reset(
    project: &Project,
    clients: &Clients,
    progress: Progress,
) -> anyhow::Result<String> {
    let begun = Instant::now();
    project.reset(progress).await?;
    wait_until_ready(&clients.client).await?;
    let seconds = begun.elapsed().as_secs_f64();
    *clients.token.lock().await = None;
    clients.find(false).await?;
    Ok(format!(
        "a reset leaves an empty database, with the same sign-ins, after {seconds:.1} s"
    ))
}

/// The clients of the containers on this machine.
struct Clients {
    home: Home,
    client: HttpsClient,
    /// The clinician's token. A code of the second factor is accepted once, so that each sign-in but the first would wait.
    token: Mutex<Option<String>>,
}

impl Clients {
    fn new(project: &Project) -> anyhow::Result<Self> {
        let folder = workspace::root()?.join("target/compose/home");
        let _ = std::fs::remove_dir_all(&folder);
        let home = Home::at(&folder)?;
        project.write_home(&home)?;
        let client = HttpsClient::new(project.ports().web, &home.certificate("public/ca.pem"))?;
        let token = Mutex::new(None);
        Ok(Self {
            home,
            client,
            token,
        })
    }

    async fn token(&self) -> anyhow::Result<String> {
        let mut token = self.token.lock().await;
        if let Some(token) = &*token {
            return Ok(token.clone());
        }
        let issued = self.new_token().await?;
        Ok(token.insert(issued).clone())
    }

    async fn new_token(&self) -> anyhow::Result<String> {
        let accounts = Accounts::read(&self.home)?.context("there are no sign-ins")?;
        let person = accounts.person("clinician", Some("Riverside"))?;
        issue_token(&self.client, &person.credentials()).await
    }

    async fn seed(&self, progress: Progress) -> anyhow::Result<String> {
        let state = State::read(&self.home)?.context("the project has no state")?;
        import_patients(&state.settings, &self.home, progress).await?;
        self.find(true).await?;
        Ok(
            "a demo clinician signs in, and the synthetic patients are imported and found"
                .to_owned(),
        )
    }

    /// Searches the patient and returns the id; with `expected` false there must be none.
    async fn find(&self, expected: bool) -> anyhow::Result<String> {
        let request = Request::post("/fhir/Patient/_search")
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token().await?),
            )
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(format!("identifier={}", PATIENT.0)))
            .context("the request cannot be built")?;
        let (head, body) = self.client.send(request).await?.into_parts();
        let body = String::from_utf8_lossy(&body);
        ensure!(
            head.status == StatusCode::OK,
            "the search is refused ({}): {body}",
            head.status
        );
        let bundle: Value = serde_json::from_str(&body).context("the bundle is not JSON")?;
        let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str);
        let family = text("/entry/0/resource/name/0/family");
        ensure!(
            family == expected.then_some(PATIENT.1),
            "the search finds the wrong patients: {body}"
        );
        Ok(text("/entry/0/resource/id").unwrap_or_default().to_owned())
    }

    /// Reads a patient again and again: every request must succeed.
    async fn read_for(&self, token: &str, id: &str, time: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            let request = Request::get(format!("/fhir/Patient/{id}"))
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .body(Bytes::new())
                .context("the request cannot be built")?;
            let response = self.client.send(request).await?;
            ensure!(
                response.status() == StatusCode::OK,
                "a patient cannot be read: {}",
                response.status()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
