//! Conditional reads (RFC 9110, 13): revalidation of a client's copy, and preconditions on the version.

use std::time::SystemTime;

use http::HeaderMap;
use http::HeaderName;
use http::header;
use time::OffsetDateTime;

/// The validators of the current representation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// The value of `ETag`: `W/"1"`.
    pub(crate) etag: &'a str,
    /// The time of the last change, if known.
    pub(crate) last_modified: Option<OffsetDateTime>,
}

/// The result of the conditions of a `GET` or `HEAD`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Precondition {
    /// The conditions hold: the response is that of an unconditional request.
    Passed,
    /// 304: the client has the current representation.
    NotModified,
    /// 412: the current representation is not the required one.
    Failed,
}

/// Evaluates the conditions of a `GET` or `HEAD` in the order of RFC 9110, 13.2.2.
///
/// Entity tags are compared weakly, including those of `If-Match`, as FHIR requires (R4, 3.1.0.6): a
/// version has a weak tag only. Malformed tags match nothing, and malformed dates are ignored.
pub(crate) fn evaluate(headers: &HeaderMap, current: Validators<'_>) -> Precondition {
    if headers.contains_key(header::IF_MATCH) {
        if !is_matched(headers, &header::IF_MATCH, current.etag) {
            return Precondition::Failed;
        }
    } else if is_changed_since(headers, &header::IF_UNMODIFIED_SINCE, current) == Some(true) {
        return Precondition::Failed;
    }
    // `If-Modified-Since` is ignored beside `If-None-Match`.
    let is_current = if headers.contains_key(header::IF_NONE_MATCH) {
        is_matched(headers, &header::IF_NONE_MATCH, current.etag)
    } else {
        is_changed_since(headers, &header::IF_MODIFIED_SINCE, current) == Some(false)
    };
    if is_current {
        Precondition::NotModified
    } else {
        Precondition::Passed
    }
}

/// A time as HTTP date, rounded down to the second; `None` before 1970.
pub(crate) fn http_date(at: OffsetDateTime) -> Option<String> {
    let is_known = at.unix_timestamp() >= 0;
    is_known.then(|| httpdate::fmt_http_date(SystemTime::from(at)))
}

/// Whether the representation was changed after the date of a header, compared to the second; `None` if
/// either time is missing or malformed.
fn is_changed_since(
    headers: &HeaderMap,
    name: &HeaderName,
    current: Validators<'_>,
) -> Option<bool> {
    let since = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()?;
    let changed = current.last_modified?;
    Some(changed.unix_timestamp() > OffsetDateTime::from(since).unix_timestamp())
}

/// Whether a header is `*`, or a list of entity tags that contains `etag`.
fn is_matched(headers: &HeaderMap, name: &HeaderName, etag: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let mut lists = values.filter_map(|value| value.to_str().ok());
    lists.any(|list| list.trim() == "*" || opaque_tags(list).any(|tag| Some(tag) == opaque(etag)))
}

/// The opaque tag of an entity tag, which the weak comparison uses (RFC 9110, 8.8.3.2).
fn opaque(etag: &str) -> Option<&str> {
    opaque_tags(etag).next()
}

/// The opaque tags of a list, up to the first malformed one.
fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let next = rest.trim_start_matches([',', ' ', '\t']);
        let quoted = next.strip_prefix("W/").unwrap_or(next).strip_prefix('"')?;
        // Tags may contain commas, so the list is not split at them.
        let (tag, after) = quoted.split_once('"')?;
        let after = after.trim_start();
        let ends = after.is_empty() || after.starts_with(',');
        rest = after;
        ends.then_some(tag)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use time::macros::datetime;

    use super::*;

    const CHANGED: OffsetDateTime = datetime!(2026-11-23 15:02:07.9 UTC);
    const BEFORE: &str = "Mon, 23 Nov 2026 15:02:06 GMT";
    const AT: &str = "Mon, 23 Nov 2026 15:02:07 GMT";
    const AFTER: &str = "Mon, 23 Nov 2026 15:02:08 GMT";

    fn of(conditions: &[(HeaderName, &str)]) -> Precondition {
        let mut headers = HeaderMap::new();
        for (name, value) in conditions {
            headers.append(name, HeaderValue::from_str(value).expect(value));
        }
        let current = Validators {
            etag: "W/\"7\"",
            last_modified: Some(CHANGED),
        };
        evaluate(&headers, current)
    }

    #[test]
    fn a_tag_of_the_current_version_matches_in_every_valid_form() {
        use Precondition::NotModified;
        use Precondition::Passed;
        for (tags, expected) in [
            ("\"7\"", NotModified),
            ("W/\"7\"", NotModified),
            ("*", NotModified),
            ("\"6\", W/\"7\"", NotModified),
            (",\"6\" ,\t\"7\",", NotModified),
            ("\"a,b\",\"7\"", NotModified),
            ("\"6\"", Passed),
            ("W/\"77\"", Passed),
            ("7", Passed),
            ("W/7", Passed),
            ("w/\"7\"", Passed),
            ("\"7", Passed),
            ("\"7\"7", Passed),
            ("\"6\" \"7\"", Passed),
            ("\"\"", Passed),
            ("", Passed),
        ] {
            assert_eq!(of(&[(header::IF_NONE_MATCH, tags)]), expected, "{tags}");
        }
        let lines = [
            (header::IF_NONE_MATCH, "\"6\""),
            (header::IF_NONE_MATCH, "\"7\""),
        ];
        assert_eq!(of(&lines), NotModified);
    }

    #[test]
    fn a_date_is_compared_to_the_second_in_all_three_formats() {
        use Precondition::NotModified;
        use Precondition::Passed;
        for (date, expected) in [
            (BEFORE, Passed),
            (AT, NotModified),
            (AFTER, NotModified),
            ("Monday, 23-Nov-26 15:02:07 GMT", NotModified),
            ("Mon Nov 23 15:02:07 2026", NotModified),
            ("Monday, 23-Nov-26 15:02:06 GMT", Passed),
            ("Mon Nov 23 15:02:06 2026", Passed),
            ("2026-11-23T15:02:08Z", Passed),
            ("", Passed),
        ] {
            assert_eq!(of(&[(header::IF_MODIFIED_SINCE, date)]), expected, "{date}");
        }
    }

    #[test]
    fn conditions_are_evaluated_in_the_order_of_the_rfc() {
        use Precondition::Failed;
        use Precondition::NotModified;
        use Precondition::Passed;
        let (none_match, modified) = (header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE);
        let (matches, unmodified) = (header::IF_MATCH, header::IF_UNMODIFIED_SINCE);
        for (conditions, expected) in [
            // A date is ignored beside a tag, even a malformed one.
            (vec![(&none_match, "\"6\""), (&modified, AFTER)], Passed),
            (vec![(&none_match, "6"), (&modified, AFTER)], Passed),
            (
                vec![(&none_match, "\"7\""), (&modified, BEFORE)],
                NotModified,
            ),
            (vec![(&matches, "W/\"7\"")], Passed),
            (vec![(&matches, "*")], Passed),
            (vec![(&matches, "W/\"6\"")], Failed),
            (vec![(&matches, "7")], Failed),
            (vec![(&matches, "W/\"7\""), (&none_match, "*")], NotModified),
            (vec![(&matches, "W/\"6\""), (&none_match, "*")], Failed),
            (vec![(&unmodified, BEFORE)], Failed),
            (vec![(&unmodified, AT)], Passed),
            (vec![(&unmodified, "yesterday")], Passed),
            (vec![(&matches, "\"7\""), (&unmodified, BEFORE)], Passed),
            (vec![(&unmodified, BEFORE), (&none_match, "\"7\"")], Failed),
            (vec![], Passed),
        ] {
            let owned: Vec<_> = conditions
                .iter()
                .map(|(name, value)| ((*name).clone(), *value))
                .collect();
            assert_eq!(of(&owned), expected, "{owned:?}");
        }
    }

    #[test]
    fn a_representation_without_a_date_ignores_dates() {
        let headers =
            HeaderMap::from_iter([(header::IF_MODIFIED_SINCE, HeaderValue::from_static(AFTER))]);
        let current = Validators {
            etag: "\"a\"",
            last_modified: None,
        };
        assert_eq!(evaluate(&headers, current), Precondition::Passed);
    }

    #[test]
    fn a_time_is_formatted_as_an_http_date() {
        assert_eq!(http_date(CHANGED).as_deref(), Some(AT));
        assert_eq!(http_date(datetime!(1969-12-31 23:59 UTC)), None);
    }
}
