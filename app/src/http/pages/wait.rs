//! The time that a refused form has to wait.

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;

use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderValue;
use http::header;

/// A waiting time in seconds. Pages show it in words; the script of pages counts it down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wait(pub(crate) u32);

impl Wait {
    /// A response with the time in `Retry-After`, too.
    pub(crate) fn with_header(self, response: impl IntoResponse) -> Response {
        let mut response = response.into_response();
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(self.0));
        response
    }
}

/// The time in minutes and seconds.
impl Display for Wait {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let of = |number: u32, unit: &str| match number {
            1 => format!("1 {unit}"),
            _ => format!("{number} {unit}s"),
        };
        let parts = [(self.0 / 60, "minute"), (self.0 % 60, "second")];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, unit)| of(number, unit))
            .collect();
        formatter.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_time_is_in_minutes_and_seconds() {
        for (seconds, expected) in [
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (150, "2 minutes 30 seconds"),
            (301, "5 minutes 1 second"),
        ] {
            assert_eq!(Wait(seconds).to_string(), expected);
        }
    }
}
