//! The access log.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use http::Method;
use http::StatusCode;
use telemetry::RequestId;

use crate::api_schema::UNKNOWN;
use crate::per_worker::lock_ignoring_poison;
use crate::problem::Reason;
use crate::screen;

/// Lines of rate-limited requests per second. A client that ignores `429` would fill the disk with
/// them: 1 TB a day.
const MAX_LIMITED_LINES: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

static LIMITED: LimitedLines = LimitedLines::new();

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
            method: screen::method_name(method).unwrap_or(UNKNOWN),
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
        let mut entry = Self::begin(&method, UNKNOWN, client, id);
        entry.method = UNKNOWN;
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
        if self.refused == Some(Reason::TooMany) && !LIMITED.admit(self.started) {
            return;
        }
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

/// The lines of rate-limited requests in the current second.
struct LimitedLines(Mutex<Window>);

struct Window {
    start: Option<Instant>,
    written: u32,
    skipped: u64,
}

impl LimitedLines {
    const fn new() -> Self {
        Self(Mutex::new(Window {
            start: None,
            written: 0,
            skipped: 0,
        }))
    }

    /// Whether a request's line is written. The number of those that were not is logged with the next
    /// one that is.
    fn admit(&self, now: Instant) -> bool {
        let mut window = lock_ignoring_poison(&self.0);
        let is_over = |start: Instant| now.saturating_duration_since(start) >= SECOND;
        if window.start.is_none_or(is_over) {
            if window.skipped > 0 {
                let requests = window.skipped;
                tracing::warn!(requests, "rate-limited requests were not logged one by one");
            }
            *window = Window {
                start: Some(now),
                written: 0,
                skipped: 0,
            };
        }
        let is_admitted = window.written < MAX_LIMITED_LINES;
        if is_admitted {
            window.written += 1;
        } else {
            window.skipped += 1;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_of_rate_limited_requests_are_written_each_second() {
        let (lines, start) = (LimitedLines::new(), Instant::now());
        for second in 0..3 {
            let now = start + SECOND * second;
            let written = (0..1000).filter(|_| lines.admit(now)).count();
            assert_eq!(written, 10);
        }
    }
}
