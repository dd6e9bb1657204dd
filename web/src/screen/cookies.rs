//! Cookies: only the session cookie is forwarded.

use http::HeaderMap;
use http::HeaderValue;
use http::header::COOKIE;

/// Maximum length of a forwarded pair of name and value, in bytes: the app's has about 60.
const MAX_BYTES: usize = 256;

/// The forwarded `Cookie` header: the well-formed pairs of this name. If there are two, both are
/// forwarded, so that the app can refuse them.
pub(crate) fn session_cookie(headers: &HeaderMap, name: &str) -> Option<HeaderValue> {
    let mut session = pairs(headers).filter(|pair| is_named(pair, name) && is_well_formed(pair));
    let first = session.next()?;
    let Some(second) = session.next() else {
        let whole = headers
            .get(COOKIE)
            .filter(|value| value.as_bytes() == first);
        return whole
            .cloned()
            .or_else(|| HeaderValue::from_bytes(first).ok());
    };
    let both = [first, second].join(b"; ".as_slice());
    HeaderValue::from_bytes(&both).ok()
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(COOKIE).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
}

fn is_named(pair: &[u8], name: &str) -> bool {
    pair.strip_prefix(name.as_bytes())
        .is_some_and(|rest| rest.first() == Some(&b'='))
}

/// Whether a pair is made of letters, digits and the other characters of URL-safe base64.
fn is_well_formed(pair: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=".contains(byte);
    pair.len() <= MAX_BYTES && pair.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, HeaderValue::from_static(value));
        }
        let cookie = session_cookie(&headers, "__Host-session")?;
        Some(cookie.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_the_session_cookie_is_forwarded() {
        for (sent, expected) in [
            (
                ["__Host-session=abc"].as_slice(),
                Some("__Host-session=abc"),
            ),
            (
                &["a=1; __Host-session=abc; b=2"],
                Some("__Host-session=abc"),
            ),
            (
                &["a=1", "__Host-session=a-b_c", "b=2"],
                Some("__Host-session=a-b_c"),
            ),
            (&["a=1; b=' OR 1=1 --"], None),
            (
                &["__Host-session2=abc; x__Host-session=abc; __Host-session"],
                None,
            ),
            (&["__Host-session=<script>"], None),
            (&["__Host-session=a'b; c=d"], None),
            (
                &["__Host-session=a; __Host-session=b"],
                Some("__Host-session=a; __Host-session=b"),
            ),
        ] {
            assert_eq!(forwarded(sent).as_deref(), expected, "{sent:?}");
        }
    }
}
