use std::{net::IpAddr, time::Instant};

use http::{Method, Request, StatusCode};
use telemetry::RequestId;

use crate::{route, screen};

/// One request's line in the log, written when its answer has ended or its client has gone.
///
/// It holds no path as it came, no query string, no header and no person: the route, the client's
/// address, the outcome, and the request id that leads to the rest.
pub(crate) struct Entry {
    started: Instant,
    method: Method,
    route: String,
    client: IpAddr,
    request: RequestId,
    status: Option<StatusCode>,
    bytes: u64,
}

impl Entry {
    /// Begins the line of `request`.
    pub(crate) fn begin<B>(request: &Request<B>, client: IpAddr, id: RequestId) -> Self {
        Self {
            started: Instant::now(),
            method: request.method().clone(),
            route: route::of(request.uri().path()),
            client: client.to_canonical(),
            request: id,
            status: None,
            bytes: 0,
        }
    }

    /// The answer's head is known.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
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
        // A method that a client made up is not repeated.
        let known = screen::method(&self.method).is_ok();
        tracing::info!(
            request_id = %self.request,
            client = %self.client,
            method = if known { self.method.as_str() } else { "*" },
            route = self.route,
            // 499, as others write it: the client did not wait for an answer.
            status = self.status.map_or(499, |status| status.as_u16()),
            bytes = self.bytes,
            us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}
