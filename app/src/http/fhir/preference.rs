//! The header `Prefer`: the content of responses to writes, and asynchronous responses (RFC 7240; R4 3.1.0.1.10).

use http::HeaderMap;

/// The content of responses to writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReturnPreference {
    /// `return=minimal`: id and version only.
    Minimal,
    /// `return=representation`: the resource.
    Representation,
    /// `return=OperationOutcome`.
    OperationOutcome,
}

impl ReturnPreference {
    /// The preference of a request; none without a known one. Unknown values are ignored, as RFC 7240 requires.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all("prefer").into_iter();
        let preferences = values.filter_map(|value| value.to_str().ok());
        let mut preferences = preferences.flat_map(|value| value.split([',', ';']));
        preferences.find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            if !name.trim().eq_ignore_ascii_case("return") {
                return None;
            }
            match value.trim().trim_matches('"') {
                "minimal" => Some(Self::Minimal),
                "representation" => Some(Self::Representation),
                "OperationOutcome" => Some(Self::OperationOutcome),
                _ => None,
            }
        })
    }
}

/// Whether a request prefers an asynchronous response: `respond-async`.
pub(super) fn is_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").into_iter();
    let preferences = values.filter_map(|value| value.to_str().ok());
    let mut preferences = preferences.flat_map(|value| value.split([',', ';']));
    preferences.any(|it| it.trim().eq_ignore_ascii_case("respond-async"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(value: &'static str) -> Option<ReturnPreference> {
        let mut headers = HeaderMap::new();
        headers.insert("prefer", HeaderValue::from_static(value));
        ReturnPreference::of(&headers)
    }

    #[test]
    fn an_asynchronous_response_is_preferred_among_others() {
        let prefers = |value| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(value));
            is_async(&headers)
        };
        assert!(prefers("respond-async"));
        assert!(prefers("return=minimal, Respond-Async; wait=10"));
        assert!(!prefers("respond-async=no") && !prefers("return=minimal"));
        assert!(!is_async(&HeaderMap::new()));
    }

    #[test]
    fn known_preferences_are_read_and_others_are_ignored() {
        assert_eq!(of("return=minimal"), Some(ReturnPreference::Minimal));
        assert_eq!(
            of("respond-async, return=\"representation\""),
            Some(ReturnPreference::Representation)
        );
        assert_eq!(
            of("handling=strict; Return=OperationOutcome"),
            Some(ReturnPreference::OperationOutcome)
        );
        for unknown in ["return=presentation", "handling=lenient", "", "return"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
        assert_eq!(ReturnPreference::of(&HeaderMap::new()), None);
    }
}
