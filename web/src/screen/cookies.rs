//! Cookies: the app receives its session cookie and no other.

use http::HeaderMap;
use http::HeaderValue;
use http::header::COOKIE;

/// Longest pair of name and value that is forwarded, in bytes: the app's has about 60.
const MAX_BYTES: usize = 256;

/// The `Cookie` header for the app: the pairs of this name whose value has a token's form. Two are
/// forwarded as two, so that the app can refuse both.
pub(crate) fn session_cookie(headers: &HeaderMap, name: &str) -> Option<HeaderValue> {
    let mut ours = pairs(headers).filter(|pair| is_named(pair, name) && is_sound(pair));
    let first = ours.next()?;
    let Some(second) = ours.next() else {
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

/// Letters, digits, and what URL-safe base64 adds.
fn is_sound(pair: &[u8]) -> bool {
    let sound = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=".contains(byte);
    pair.len() <= MAX_BYTES && pair.iter().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_of(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, HeaderValue::from_static(value));
        }
        let kept = session_cookie(&headers, "__Host-session")?;
        Some(kept.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_our_own_cookie_goes_on() {
        for (sent, to_app) in [
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
            assert_eq!(kept_of(sent).as_deref(), to_app, "{sent:?}");
        }
    }
}
