use std::{net::IpAddr, time::Instant};

use http::{Method, StatusCode};
use telemetry::RequestId;

use crate::{api_schema, problem::Reason, screen};

/// One request's line in the log, written when its answer has ended or its client has gone.
///
/// It holds no path as it came, no query string, no header and no person: the template of the
/// route, the client's address, the outcome, and the request id that leads to the rest.
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
    /// Begins the line of a request for `route`, a template of the surface.
    pub(crate) fn begin(
        method: &Method,
        route: &'static str,
        client: IpAddr,
        id: RequestId,
    ) -> Self {
        Self {
            started: Instant::now(),
            // A method that a client made up is not repeated.
            method: screen::method_name(method).unwrap_or("*"),
            route,
            client: client.to_canonical(),
            request: id,
            status: None,
            refused: None,
            bytes: 0,
        }
    }

    /// Begins the line of what is no request.
    pub(crate) fn malformed(client: IpAddr, id: RequestId) -> Self {
        let nothing = Method::default();
        let mut entry = Self::begin(&nothing, api_schema::UNKNOWN, client, id);
        entry.method = "*";
        entry
    }

    /// The answer's head is known.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// It was not done, and this tier says so.
    pub(crate) fn refused(&mut self, reason: Reason) {
        self.refused = Some(reason);
    }

    /// So much of the answer's body went out.
    pub(crate) fn sent(&mut self, bytes: usize) {
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
            // 499, as others write it: the client did not wait for an answer.
            status = self.status.map_or(499, |status| status.as_u16()),
            refused = self.refused.map(Reason::name),
            bytes = self.bytes,
            us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}
