//! Conditional requests for reads (RFC 9110, 13): whether a client's copy is current, and whether
//! a version is the one that the client means.

use std::time::SystemTime;

use http::HeaderMap;
use http::HeaderName;
use http::header;
use time::OffsetDateTime;

/// The validators of the current representation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// The entity tag as `ETag` has it: `W/"1"`.
    pub(crate) etag: &'a str,
    /// When it was last changed; `None` where that is unknown.
    pub(crate) last_modified: Option<OffsetDateTime>,
}

/// What a condition makes of a `GET` or a `HEAD`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Precondition {
    /// The request is answered as if it had none.
    Passed,
    /// 304: the client has this representation.
    NotModified,
    /// 412: this is not the representation that the client means.
    Failed,
}

/// Evaluates the conditions of a `GET` or a `HEAD` in their order (RFC 9110, 13.2.2).
///
/// Entity tags are compared weakly, those of `If-Match` too, as FHIR demands (R4, 3.1.0.6): all
/// that a version has is a weak tag. Malformed tags match nothing, and malformed dates are ignored.
pub(crate) fn evaluate(headers: &HeaderMap, current: Validators<'_>) -> Precondition {
    if headers.contains_key(header::IF_MATCH) {
        if !is_matched(headers, &header::IF_MATCH, current.etag) {
            return Precondition::Failed;
        }
    } else if is_changed_since(headers, &header::IF_UNMODIFIED_SINCE, current) == Some(true) {
        return Precondition::Failed;
    }
    // A date counts only where there is no tag.
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

/// A point in time as `Last-Modified` has it, rounded down to the second; `None` before 1970.
pub(crate) fn http_date(at: OffsetDateTime) -> Option<String> {
    let is_known = at.unix_timestamp() >= 0;
    is_known.then(|| httpdate::fmt_http_date(SystemTime::from(at)))
}

/// Whether a representation was changed after the date of a header; `None` without such a date or
/// without a known change. To the second, as dates are sent.
fn is_changed_since(
    headers: &HeaderMap,
    name: &HeaderName,
    current: Validators<'_>,
) -> Option<bool> {
    let since = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()?;
    let changed = current.last_modified?;
    Some(changed.unix_timestamp() > OffsetDateTime::from(since).unix_timestamp())
}

/// Whether a list of entity tags contains one, or is `*`.
fn is_matched(headers: &HeaderMap, name: &HeaderName, etag: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let mut lists = values.filter_map(|value| value.to_str().ok());
    lists.any(|list| list.trim() == "*" || opaque_tags(list).any(|tag| Some(tag) == opaque(etag)))
}

/// The content of an entity tag: what the weak comparison compares (RFC 9110, 8.8.3.2).
fn opaque(etag: &str) -> Option<&str> {
    opaque_tags(etag).next()
}

/// The contents of the entity tags of a list, up to the first part that is none.
fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let next = rest.trim_start_matches([',', ' ', '\t']);
        let quoted = next.strip_prefix("W/").unwrap_or(next).strip_prefix('"')?;
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
    fn a_tag_of_the_current_version_is_not_modified_however_it_is_written() {
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
    fn conditions_have_an_order() {
        use Precondition::Failed;
        use Precondition::NotModified;
        use Precondition::Passed;
        let (none_match, modified) = (header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE);
        let (matches, unmodified) = (header::IF_MATCH, header::IF_UNMODIFIED_SINCE);
        for (conditions, expected) in [
            // A date does not count beside a tag, also one that is malformed.
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
    fn what_has_no_date_is_not_compared_with_one() {
        let headers =
            HeaderMap::from_iter([(header::IF_MODIFIED_SINCE, HeaderValue::from_static(AFTER))]);
        let current = Validators {
            etag: "\"a\"",
            last_modified: None,
        };
        assert_eq!(evaluate(&headers, current), Precondition::Passed);
    }

    #[test]
    fn a_time_is_written_as_a_date() {
        assert_eq!(http_date(CHANGED).as_deref(), Some(AT));
        assert_eq!(http_date(datetime!(1969-12-31 23:59 UTC)), None);
    }
}
