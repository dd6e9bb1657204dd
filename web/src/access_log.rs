//! The access log.

use std::net::IpAddr;
use std::time::Instant;

use http::Method;
use http::StatusCode;
use telemetry::RequestId;

use crate::api_schema;
use crate::problem::Reason;
use crate::screen;

/// The line of one request in the access log, written when the response ends or the client
/// disconnects.
///
/// It has the route's template, the client's address, the outcome and the request id; no path, no
/// query string, no header and no person.
pub(crate) struct Entry {
    started: Instant,
    method: &'static str,
    route: &'static str,
    client: IpAddr,
    request: RequestId,
    status: Option<StatusCode>,
    refused: Option<Reason>,
    bytes: u64,
}

impl Entry {
    /// Begins the line of a request to the route with this template.
    pub(crate) fn begin(
        method: &Method,
        route: &'static str,
        client: IpAddr,
        id: RequestId,
    ) -> Self {
        Self {
            started: Instant::now(),
            // An unknown method is arbitrary text of the client, and is not logged.
            method: screen::method_name(method).unwrap_or("*"),
            route,
            client: client.to_canonical(),
            request: id,
            status: None,
            refused: None,
            bytes: 0,
        }
    }

    /// Begins the line of a malformed request.
    pub(crate) fn malformed(client: IpAddr, id: RequestId) -> Self {
        let method = Method::default();
        let mut entry = Self::begin(&method, api_schema::UNKNOWN, client, id);
        entry.method = "*";
        entry
    }

    /// Records the status of the response.
    pub(crate) fn on_response(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Records the reason of a refusal.
    pub(crate) fn on_refused(&mut self, reason: Reason) {
        self.refused = Some(reason);
    }

    /// Counts bytes of the response's body.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        tracing::info!(
            request_id = %self.request,
            client = %self.client,
            method = self.method,
            route = self.route,
            // 499 is nginx's code for a client that disconnected before the response.
            status = self.status.map_or(499, |status| status.as_u16()),
            refused = self.refused.map(Reason::name),
            bytes = self.bytes,
            us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}
