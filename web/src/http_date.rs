//! The current time in HTTP format.

use std::cell::RefCell;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use http::HeaderValue;

/// Time for which a formatted value is reused.
const VALID_FOR: Duration = Duration::from_millis(500);

/// The value of the `Date` header (RFC 9110, 6.6.1).
pub(crate) fn now() -> HeaderValue {
    thread_local! {
        static DATE: RefCell<Option<(Instant, HeaderValue)>> = const { RefCell::new(None) };
    }
    DATE.with_borrow_mut(|date| {
        let now = Instant::now();
        if let Some((made, value)) = date
            && now.duration_since(*made) < VALID_FOR
        {
            return value.clone();
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the Date header is the system time"
        )]
        let text = httpdate::fmt_http_date(SystemTime::now());
        let value = HeaderValue::try_from(text).unwrap_or_else(|_never| HeaderValue::from(0));
        *date = Some((now, value.clone()));
        value
    })
}
