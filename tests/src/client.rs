//! An HTTPS client of web, signed in or anonymous.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use https_client::ClientCredentials;
use https_client::HttpsClient;
use https_client::issue_client_token;
use serde_json::Value;
use tokio::sync::Mutex;
use url::form_urlencoded;
use uuid::Uuid;

use crate::response::TestResponse;

/// The scopes of a token that may export every type.
const ALL_SCOPES: &str = "system/*.rs";

/// The age at which the token of a machine client, which is valid for five minutes, is replaced by a new one.
const RENEWAL_AGE: Duration = Duration::from_mins(3);

/// Sends requests to web, with or without a bearer token.
#[derive(Clone, Debug)]
pub struct Client {
    door: Arc<HttpsClient>,
    token: Option<String>,
    machine: Option<Arc<MachineClient>>,
}

/// A machine client, which signs in again when its token becomes old.
#[derive(Debug)]
struct MachineClient {
    credentials: ClientCredentials,
    token: Mutex<(String, Instant)>,
}

impl MachineClient {
    async fn token(&self, door: &HttpsClient) -> anyhow::Result<String> {
        let mut token = self.token.lock().await;
        if token.1.elapsed() > RENEWAL_AGE {
            let new = issue_client_token(door, &self.credentials, ALL_SCOPES).await?;
            *token = (new, Instant::now());
        }
        Ok(token.0.clone())
    }
}

impl Client {
    pub(crate) fn new(door: Arc<HttpsClient>, token: Option<String>) -> Self {
        Self {
            door,
            token,
            machine: None,
        }
    }

    /// A machine client with a new token of all scopes.
    pub(crate) async fn of_machine(
        door: Arc<HttpsClient>,
        credentials: ClientCredentials,
    ) -> anyhow::Result<Self> {
        let token = issue_client_token(&door, &credentials, ALL_SCOPES).await?;
        let machine = MachineClient {
            credentials,
            token: Mutex::new((token.clone(), Instant::now())),
        };
        Ok(Self {
            door,
            token: Some(token),
            machine: Some(Arc::new(machine)),
        })
    }

    /// The same client with another token, valid or not.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self::new(Arc::clone(&self.door), Some(token.to_owned()))
    }

    /// The bearer token, empty if there is none.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// Sends a request whose URI is a path, and adds the token.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn send(&self, mut request: Request<Bytes>) -> anyhow::Result<TestResponse> {
        let token = match &self.machine {
            Some(machine) => Some(machine.token(&self.door).await?),
            None => self.token.clone(),
        };
        if let Some(token) = token {
            let value = format!("Bearer {token}")
                .parse()
                .context("a token is a header value")?;
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let (head, body) = self.door.send(request).await?.into_parts();
        Ok(TestResponse {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// Sends a request with a body of this media type.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<TestResponse> {
        let mut request = Request::builder().method(method).uri(path);
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request
            .body(body.into())
            .context("the request cannot be made")?;
        self.send(request).await
    }

    /// `GET`.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn get(&self, path: &str) -> anyhow::Result<TestResponse> {
        self.request(Method::GET, path, "", Bytes::new()).await
    }

    /// `GET` that accepts HTML, as a browser sends it.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn page(&self, path: &str) -> anyhow::Result<TestResponse> {
        let request = Request::get(path)
            .header(header::ACCEPT, "text/html")
            .body(Bytes::new())
            .context("the request cannot be made")?;
        self.send(request).await
    }

    /// `POST` without a body.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn post(&self, path: &str) -> anyhow::Result<TestResponse> {
        self.request(Method::POST, path, "", Bytes::new()).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// When no response is received.
    pub fn post_json<'c>(
        &'c self,
        path: &'c str,
        body: &Value,
    ) -> impl Future<Output = anyhow::Result<TestResponse>> + use<'c> {
        self.request(Method::POST, path, "application/json", body.to_string())
    }

    /// `POST /fhir` with any bytes.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn post_fhir(&self, body: impl Into<Bytes>) -> anyhow::Result<TestResponse> {
        self.request(Method::POST, "/fhir", "application/fhir+json", body)
            .await
    }

    /// `POST /fhir` with a Bundle.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn bundle(&self, bundle: &Value) -> anyhow::Result<TestResponse> {
        self.post_fhir(bundle.to_string()).await
    }

    /// Reads a resource that exists.
    ///
    /// # Errors
    /// When the status is not 200.
    pub async fn read(&self, kind: &str, id: Uuid) -> anyhow::Result<Value> {
        self.get(&format!("/fhir/{kind}/{id}"))
            .await?
            .expect_status(200)?
            .json()
    }

    /// `POST` of a form.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<TestResponse> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.request(
            Method::POST,
            path,
            "application/x-www-form-urlencoded",
            body,
        )
        .await
    }

    /// `POST /fhir/Patient/_search`.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn search(&self, fields: &[(&str, &str)]) -> anyhow::Result<TestResponse> {
        self.form("/fhir/Patient/_search", fields).await
    }

    /// The patients that a search finds.
    ///
    /// # Errors
    /// When the status is not 200.
    pub async fn found(&self, fields: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let bundle = self.search(fields).await?.expect_status(200)?.json()?;
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        Ok(entries
            .into_iter()
            .map(|entry| entry["resource"].clone())
            .collect())
    }
}
