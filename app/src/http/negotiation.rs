//! Content negotiation (RFC 9110, 12): media types and content codings.

use http::HeaderMap;
use http::HeaderName;
use http::header;
use mediatype::MediaType;
use mediatype::MediaTypeList;
use mediatype::Name;
use mediatype::ReadParams as _;
use mediatype::names;

/// The weight of a media range, `0` to `1` (RFC 9110, 12.4.2).
const WEIGHT: Name<'static> = names::Q;
/// The version of FHIR that a media type is for (FHIR R4, 3.1.1.3).
const FHIR_VERSION: Name<'static> = Name::new_unchecked("fhirVersion");
/// The spellings of FHIR R4's version.
const R4: [&str; 2] = ["4.0", "4.0.1"];
/// The wildcard for types and subtypes.
const ANY: Name<'static> = names::_STAR;

/// Whether a client accepts a representation with these media types.
///
/// The most specific range decides: `application/fhir+json;q=0, */*` refuses FHIR's JSON. Parameters
/// other than `q` and `fhirVersion` are ignored: the `charset` is always UTF-8, and a `profile` does not
/// change the response. Without a valid `Accept`, a client accepts everything.
pub(crate) fn accepts_any_of(headers: &HeaderMap, aliases: &[MediaType<'_>]) -> bool {
    let decisive = ranges(headers)
        .map(|range| Some((specificity(&range, aliases)?, is_accepted(&range))))
        .max();
    // `max` prefers an accepted range to a refused one that is equally specific.
    match decisive {
        None => true,
        Some(None) => false,
        Some(Some((_, is_accepted))) => is_accepted,
    }
}

/// Whether a client accepts pages: it must name `text/html`; a wildcard does not suffice.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    let is_html = |range: &MediaType<'_>| range.ty == names::TEXT && range.subty == names::HTML;
    ranges(headers).any(|range| is_html(&range) && is_accepted(&range))
}

/// The media type of a request body; `None` without a valid `Content-Type`.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<MediaType<'_>> {
    let value = headers.get(header::CONTENT_TYPE)?;
    MediaType::parse(value.to_str().ok()?).ok()
}

/// Whether a client accepts the content coding gzip (RFC 9110, 12.5.3).
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let codings = texts(headers, &header::ACCEPT_ENCODING).flat_map(|text| text.split(','));
    let mut by_wildcard = false;
    for coding in codings {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_accepted = !parts
            .filter_map(|part| part.split_once('='))
            .any(|(name, value)| name.trim().eq_ignore_ascii_case("q") && is_zero(value.trim()));
        if ["gzip", "x-gzip"]
            .iter()
            .any(|gzip| name.eq_ignore_ascii_case(gzip))
        {
            return is_accepted;
        }
        // The wildcard applies only to codings that are not named.
        by_wildcard |= name == "*" && is_accepted;
    }
    by_wildcard
}

/// The values of a header that are text.
fn texts<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

/// The valid ranges of `Accept`. Java clients also send an invalid `*`, but beside valid ranges.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = MediaType<'_>> {
    texts(headers, &header::ACCEPT)
        .flat_map(MediaTypeList::new)
        .filter_map(Result::ok)
}

/// The specificity of a range that matches an alias: 2 for the media type, 1 for `type/*`, 0 for `*/*`.
fn specificity(range: &MediaType<'_>, aliases: &[MediaType<'_>]) -> Option<u8> {
    let version = range.get_param(FHIR_VERSION);
    if version.is_some_and(|version| !R4.contains(&&*version.unquoted_str())) {
        return None;
    }
    if range.ty == ANY && range.subty == ANY {
        return Some(0);
    }
    let mut of_one_type = aliases.iter().filter(|alias| alias.ty == range.ty);
    if range.subty == ANY {
        return of_one_type.next().map(|_alias| 1);
    }
    of_one_type
        .any(|alias| alias.essence() == range.essence())
        .then_some(2)
}

fn is_accepted(range: &MediaType<'_>) -> bool {
    let weight = range.get_param(WEIGHT);
    weight.is_none_or(|weight| !is_zero(weight.as_str()))
}

/// Whether a weight is 0.
fn is_zero(weight: &str) -> bool {
    weight.starts_with('0') && weight.bytes().all(|byte| b"0.".contains(&byte))
}

#[cfg(test)]
mod tests;
