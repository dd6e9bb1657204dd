//! Query screening: no PHI in a URL, because URLs end in histories, logs and links. Only described
//! parameters pass, each once, and only with a value of their schema.

use std::borrow::Cow;

use super::injection;
use super::phi_detector;
use crate::api_schema::Operation;
use crate::api_schema::ParameterMatch;
use crate::api_schema::RouteKind;
use crate::problem::Problem;
use crate::problem::Reason;

/// Longest query string, in bytes: several times the longest that is described.
const MAX_BYTES: usize = 512;

/// Compares a query string with the description of an operation.
pub(super) fn check(
    query: Option<&str>,
    operation: &Operation,
    kind: RouteKind,
) -> Result<(), Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(());
    };
    if query.len() > MAX_BYTES {
        return Err(refusal(query.get(..MAX_BYTES).unwrap_or_default(), kind));
    }
    let mut seen = 0_u64;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match decoded(value).map(|value| operation.match_parameter(name, &value)) {
            Some(ParameterMatch::Matches(place)) if seen & bit(place) == 0 => seen |= bit(place),
            Some(ParameterMatch::Matches(_)) => {
                let detail = "a query parameter comes once";
                return Err(Problem::bad_request(detail).with_reason(Reason::Query));
            }
            Some(ParameterMatch::Unknown | ParameterMatch::Invalid) | None => {
                return Err(refusal(pair, kind));
            }
        }
    }
    Ok(())
}

fn bit(place: usize) -> u64 {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    1_u64.checked_shl(place).unwrap_or(u64::MAX)
}

/// A value percent-decoded. A plus is kept: no described value contains a space.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('%') {
        return Some(Cow::Borrowed(value));
    }
    let decoded = injection::percent_decoded(value.as_bytes())?;
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The problem of a parameter. Its text depends on the kind of route alone, never on the value.
fn refusal(sent: &str, kind: RouteKind) -> Problem {
    let (name, value) = sent.split_once('=').unwrap_or((sent, ""));
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
    let detail = match kind {
        RouteKind::Fhir => {
            "a search parameter must not stand in a URL: use POST and [type]/_search, with the \
             parameters as a form"
        }
        RouteKind::Api | RouteKind::Page | RouteKind::Asset | RouteKind::Health => {
            "this query parameter is not used here: what identifies a person must not stand in a \
             URL"
        }
    };
    Problem::bad_request(detail).with_reason(reason)
}
