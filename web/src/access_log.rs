//! The access log.

use std::net::IpAddr;
use std::time::Instant;

use http::Method;
use http::StatusCode;
use telemetry::RequestId;

use crate::api_schema;
use crate::problem::Reason;
use crate::screen;

/// One request's line in the access log, written at the end of its response or when its client has
/// disconnected.
///
/// It holds no path, no query string, no header and no person: the template of the route, the
/// client's address, the outcome, and the request id.
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
    /// Begins the line of a request for a route's template.
    pub(crate) fn begin(
        method: &Method,
        route: &'static str,
        client: IpAddr,
        id: RequestId,
    ) -> Self {
        Self {
            started: Instant::now(),
            // An unknown method is the client's text, and is not logged.
            method: screen::method_name(method).unwrap_or("*"),
            route,
            client: client.to_canonical(),
            request: id,
            status: None,
            refused: None,
            bytes: 0,
        }
    }

    /// Begins the line of bytes that are not a request.
    pub(crate) fn malformed(client: IpAddr, id: RequestId) -> Self {
        let nothing = Method::default();
        let mut entry = Self::begin(&nothing, api_schema::UNKNOWN, client, id);
        entry.method = "*";
        entry
    }

    /// Notes the status of the response.
    pub(crate) fn on_response(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Notes why this tier refused the request.
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
            // 499, as nginx writes it: the client disconnected before the response.
            status = self.status.map_or(499, |status| status.as_u16()),
            refused = self.refused.map(Reason::name),
            bytes = self.bytes,
            us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}
