use http::{
    HeaderValue,
    header::{AUTHORIZATION, ORIGIN},
    request::Parts,
};

use super::cookies;
use crate::{
    config::Origin,
    problem::{Problem, Reason},
    surface::Operation,
};

/// What changes something and comes from a browser comes from a page of ours. No page can forge
/// `Sec-Fetch-Site`; the `Origin` of a form is `null` under `Referrer-Policy: no-referrer`, so it is
/// asked second. Without either, who shows a cookie is no browser of these years.
///
/// The app checks the same: this is so that what other sites send does not even reach it.
pub(super) fn check(
    head: &Parts,
    operation: &Operation,
    origin: &Origin,
    cookie: &str,
) -> Result<(), Problem> {
    if head.method.is_safe() {
        return Ok(());
    }
    let headers = &head.headers;
    let ours = match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(from)) => is_ours(from, origin),
        (None, None) => {
            operation.is_open()
                || headers.contains_key(AUTHORIZATION)
                || !cookies::has(headers, cookie)
        }
    };
    if ours {
        return Ok(());
    }
    let detail = "this comes from a page of another site";
    Err(Problem::new(http::StatusCode::FORBIDDEN, detail).because(Reason::OtherSite))
}

fn is_ours(from: &HeaderValue, origin: &Origin) -> bool {
    from.to_str()
        .ok()
        .and_then(|from| from.strip_prefix("https://"))
        .is_some_and(|authority| authority == origin.authority())
}
