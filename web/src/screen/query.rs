//! Query screening: no PHI in a URL, because histories, logs and links keep URLs. Only described
//! parameters are admitted, only with a value that matches its schema, and each once unless its
//! schema is an array.

use std::borrow::Cow;

use http::StatusCode;

use super::injection;
use super::phi_detector;
use crate::api_schema::Operation;
use crate::api_schema::ParameterMatch;
use crate::api_schema::RouteKind;
use crate::problem::Problem;
use crate::problem::Reason;

/// Maximum length of a query string, in bytes: a page cursor, which contains a sealed search form, has up to 3,000.
const MAX_BYTES: usize = 4096;

/// Checks a query string against the description of an operation. `detail` is the text of a refusal.
///
/// # Errors
/// 400; 406 for a format of responses that is not supported.
pub(super) fn check(
    query: Option<&str>,
    operation: &Operation,
    kind: RouteKind,
    detail: impl Fn() -> &'static str,
) -> Result<(), Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(());
    };
    if query.len() > MAX_BYTES {
        let beginning = query.get(..MAX_BYTES).unwrap_or_default();
        return Err(refusal(beginning, kind, detail()));
    }
    let mut seen = 0_u64;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match decoded(value).map(|value| operation.match_parameter(name, &value)) {
            Some(ParameterMatch::Repeatable) => {}
            Some(ParameterMatch::Matches(index)) if seen & bit(index) == 0 => seen |= bit(index),
            Some(ParameterMatch::Matches(_)) => {
                let detail = "a query parameter must not be repeated";
                return Err(Problem::bad_request(detail).with_reason(Reason::Query));
            }
            Some(ParameterMatch::Unknown | ParameterMatch::Invalid) | None => {
                return Err(refusal(pair, kind, detail()));
            }
        }
    }
    Ok(())
}

fn bit(index: usize) -> u64 {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    1_u64.checked_shl(index).unwrap_or(u64::MAX)
}

/// Percent-decodes a value. A plus sign stays: no described value contains a space.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('%') {
        return Some(Cow::Borrowed(value));
    }
    let decoded = injection::percent_decoded(value.as_bytes())?;
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The problem of a refused parameter. The text does not depend on the value.
fn refusal(sent: &str, kind: RouteKind, detail: &'static str) -> Problem {
    let (name, value) = sent.split_once('=').unwrap_or((sent, ""));
    if kind == RouteKind::Fhir && name == "_format" {
        let detail = "responses are in application/fhir+json only";
        return Problem::new(StatusCode::NOT_ACCEPTABLE, detail).with_reason(Reason::Query);
    }
    let plain = injection::percent_decoded(value.as_bytes()).unwrap_or_default();
    let personal = phi_detector::is_phi_parameter(name)
        || phi_detector::looks_like_phi(&String::from_utf8_lossy(&plain));
    let reason = if injection::find(sent.as_bytes()).is_some() {
        Reason::Injection
    } else if personal {
        Reason::PhiInUrl
    } else {
        Reason::Query
    };
    Problem::bad_request(detail).with_reason(reason)
}
