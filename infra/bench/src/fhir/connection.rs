//! A connection to a FHIR server, and a request that must succeed.

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::header;
use serde_json::Value;

use https_client::Connection;
use load::PlainConnection;

/// Media type of resources.
pub(super) const FHIR: &str = "application/fhir+json";
/// Media type of search forms.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A kept connection with one request at a time.
pub(super) struct FhirConnection {
    pub(super) base: &'static str,
    pub(super) transport: Transport,
}

/// How a server is reached.
pub(super) enum Transport {
    /// TLS, and a bearer token.
    Protected {
        connection: Connection,
        token: String,
    },
    /// Neither.
    Plain(PlainConnection),
}

impl FhirConnection {
    /// Sends a request and reads the whole response, which must be a success.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> anyhow::Result<(HeaderMap, Bytes)> {
        let uri = format!("{}{path}", self.base);
        let shown = format!("{method} {uri}");
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header(header::ACCEPT, FHIR);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let response = match &mut self.transport {
            Transport::Protected { connection, token } => {
                let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
                connection.send(request.body(body)?).await
            }
            Transport::Plain(connection) => connection.send(request.body(body)?).await,
        };
        let (head, body) = response.with_context(|| shown.clone())?.into_parts();
        if !head.status.is_success() {
            // All data here is synthetic.
            let shown_body = String::from_utf8_lossy(&body);
            let shown_body: String = shown_body.chars().take(500).collect();
            bail!("{shown} was refused: {} {shown_body}", head.status);
        }
        Ok((head.headers, body))
    }

    /// Sends a transaction, all of whose entries must succeed.
    pub(super) async fn transact(&mut self, bundle: Bytes) -> anyhow::Result<()> {
        // The root of the peer's API is its base with a slash.
        let path = if self.base.is_empty() { "/" } else { "" };
        let (_, body) = self.send(Method::POST, path, FHIR, bundle).await?;
        let response: Value = serde_json::from_slice(&body).context("a response")?;
        let entries = response.get("entry").and_then(Value::as_array);
        for entry in entries.context("a response without entries")? {
            let status = entry.pointer("/response/status").and_then(Value::as_str);
            if !status.is_some_and(|status| status.starts_with('2')) {
                bail!("an entry of a transaction was refused: {entry}");
            }
        }
        Ok(())
    }
}
