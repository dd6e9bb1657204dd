//! The floods: what one client sends, and how many connections it sends it on.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::future::join_all;
use http::Request;
use http::header;
use load::StalledConnection;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use https_client::HttpsClient;
use https_client::issue_token;
use stack::Accounts;

/// The address of the client that floods.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// Pause of a connection after a refusal, or before it is opened again.
const PAUSE: Duration = Duration::from_millis(100);

/// The attacked stack, and the tokens of the attacker.
#[derive(Clone)]
pub(super) struct Target {
    client: Arc<HttpsClient>,
    /// The path of a style sheet, which is public.
    style: String,
    clinician: String,
    officer: String,
    /// The address of an account.
    email: String,
    /// A patient of about 1 MB.
    large: String,
}

/// A flood of one client.
#[derive(Clone, Copy)]
pub(super) enum Attack {
    /// HTTP/2 streams that grant no flow-control credit.
    StalledStreams,
    /// Request bodies that stop after 70 KB.
    SlowBodies,
    /// A request again and again, on a number of connections.
    Requests {
        title: &'static str,
        connections: usize,
        request: fn(&Target) -> anyhow::Result<Request<Bytes>>,
    },
}

impl Attack {
    /// Every flood.
    pub(super) const ALL: [Self; 9] = [
        Self::StalledStreams,
        Self::SlowBodies,
        Self::Requests {
            title: "sign-ins with invented addresses",
            connections: 150,
            request: |_| sign_in(&format!("{}@example.org", random_id()?)),
        },
        Self::Requests {
            title: "wrong passwords for one account",
            connections: 40,
            request: |target| sign_in(&target.email),
        },
        Self::Requests {
            title: "batches of 150 reads of 1 MB",
            connections: 5,
            request: |target| {
                let entry = json!({"request": {"method": "GET", "url": target.large}});
                bundle(&target.clinician, &vec![entry; 150])
            },
        },
        Self::Requests {
            title: "bodies of 3.9 MB without permission",
            connections: 5,
            request: |target| bundle(&target.officer, &vec![json!({"a": 1}); 490_000]),
        },
        Self::Requests {
            title: "searches of 4,500 parameters",
            connections: 20,
            request: |target| search(&target.clinician, "identifier=a&".repeat(4_500)),
        },
        Self::Requests {
            title: "batches of 200 refused writes",
            connections: 5,
            request: |target| bundle(&target.clinician, &vec![orphan()?; 200]),
        },
        Self::Requests {
            title: "refused reads",
            connections: 20,
            request: |target| {
                let request = Request::get(format!("/fhir/{}", target.large));
                body(request, &target.officer, String::new())
            },
        },
    ];

    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::StalledStreams => "streams without credit",
            Self::SlowBodies => "slow bodies",
            Self::Requests { title, .. } => title,
        }
    }

    /// Floods until it is dropped.
    pub(super) async fn run(self, target: Target) {
        let connections = match self {
            Self::StalledStreams => 18,
            Self::SlowBodies => 600,
            Self::Requests { connections, .. } => connections,
        };
        join_all((0..connections).map(|_| self.keep_on(&target))).await;
    }

    /// One connection of the flood, opened again when the server ends it.
    async fn keep_on(&self, target: &Target) {
        loop {
            // The server is expected to refuse the flood.
            let _ended = match self {
                Self::StalledStreams => target.stall().await,
                Self::SlowBodies => target.send_slowly().await,
                Self::Requests { request, .. } => target.repeat(*request).await,
            };
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Target {
    pub(super) async fn prepare(accounts: &Accounts, client: HttpsClient) -> anyhow::Result<Self> {
        // Of another organization than the client that is measured.
        let organization = accounts.organizations.last().map(|it| it.name.as_str());
        let account = accounts.person("clinician", organization)?;
        let clinician = issue_token(&client, &account.credentials()).await?;
        let officer = accounts.person("privacy_officer", organization)?;
        let page = Request::get("/sign-in")
            .body(Bytes::new())
            .context("/sign-in")?;
        let page = client.send(page).await?.into_body();
        let page = String::from_utf8_lossy(&page);
        let style = page
            .split('"')
            .find(|text| text.starts_with("/assets/style."));
        let id = random_id()?;
        let contact = json!({"name": {"use": "old", "text": "x".repeat(200)}});
        let patient = json!({
            "resourceType": "Patient",
            "id": id,
            "identifier": [{
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
                "value": id.simple().to_string()
            }],
            "contact": vec![contact; 4_000],
        });
        let large = format!("Patient/{id}");
        let write = json!({"resource": patient, "request": {"method": "PUT", "url": large}});
        let written = client.send(bundle(&clinician, &[write])?).await?;
        let (head, written) = written.into_parts();
        let written: Value = serde_json::from_slice(&written).context("a response")?;
        let status = written.pointer("/entry/0/response/status");
        let is_created = status.is_some_and(|status| status == "201 Created");
        anyhow::ensure!(is_created, "{}: {written}", head.status);
        Ok(Self {
            style: style.context("a page without a style sheet")?.to_owned(),
            clinician,
            officer: issue_token(&client, &officer.credentials()).await?,
            email: account.email.clone(),
            large,
            client: Arc::new(client),
        })
    }

    async fn stall(&self) -> anyhow::Result<()> {
        let stream = self.client.tls_from(ATTACKER, b"h2").await?;
        let uri = format!("https://{}{}", self.client.authority(), self.style);
        StalledConnection::open(stream)
            .await?
            .stall(&uri, 100)
            .await;
        Ok(())
    }

    async fn send_slowly(&self) -> anyhow::Result<()> {
        let mut stream = self.client.tls_from(ATTACKER, b"http/1.1").await?;
        let head = format!(
            "POST /fhir HTTP/1.1\r\nHost: {}\r\nContent-Type: application/fhir+json\r\n\
             Authorization: Bearer {}\r\nContent-Length: 8000000\r\n\r\n",
            self.client.authority(),
            self.clinician
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![b' '; 70 << 10]).await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        Ok(())
    }

    async fn repeat(
        &self,
        request: fn(&Self) -> anyhow::Result<Request<Bytes>>,
    ) -> anyhow::Result<()> {
        let mut connection = self.client.connect_from(ATTACKER).await?;
        loop {
            let response = connection.send(request(self)?).await?;
            if matches!(response.status().as_u16(), 429 | 503) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn sign_in(email: &str) -> anyhow::Result<Request<Bytes>> {
    let body = json!({"email": email, "password": "a wrong password"});
    Request::post("/api/v1/tokens")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .context("a sign-in")
}

fn bundle(token: &str, entries: &[Value]) -> anyhow::Result<Request<Bytes>> {
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
    let request = Request::post("/fhir").header(header::CONTENT_TYPE, "application/fhir+json");
    body(request, token, batch.to_string())
}

fn search(token: &str, form: String) -> anyhow::Result<Request<Bytes>> {
    let request = Request::post("/fhir/Patient/_search");
    let form_type = "application/x-www-form-urlencoded";
    body(request.header(header::CONTENT_TYPE, form_type), token, form)
}

/// A write that is refused: an observation of a patient that does not exist.
fn orphan() -> anyhow::Result<Value> {
    let id = random_id()?;
    let observation = json!({
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": {"text": "a measurement"},
        "subject": {"reference": format!("Patient/{}", random_id()?)},
    });
    let url = format!("Observation/{id}");
    Ok(json!({"resource": observation, "request": {"method": "PUT", "url": url}}))
}

fn random_id() -> anyhow::Result<Uuid> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

fn body(
    request: http::request::Builder,
    token: &str,
    body: String,
) -> anyhow::Result<Request<Bytes>> {
    request
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Bytes::from(body))
        .context("a request")
}
