//! The requests of the Core Rule Set's test cases, and their payloads.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tests::scanners::core_rule_set::Case;

/// Fields that the test sets itself, and hop-by-hop fields.
pub(super) const REPLACED_HEADERS: [&str; 5] = [
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "proxy-connection",
];

/// The request of a case, for this host.
pub(super) fn request(case: &Case, host: &str) -> Vec<u8> {
    if let Some(raw) = &case.raw {
        let raw = raw
            .replace("\r\n", "\n")
            .replace(" HTTP/1.0\n", " HTTP/1.1\n");
        let (head, body) = raw.split_once("\n\n").unwrap_or((&raw, ""));
        let lines = head.lines().map(|line| match line.split_once(':') {
            Some((name, _)) if name.eq_ignore_ascii_case("host") => format!("Host: {host}\r\n"),
            _ => format!("{}\r\n", line.trim_end()),
        });
        return format!("{}\r\n{body}", lines.collect::<String>()).into_bytes();
    }
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\n",
        case.method, case.target
    );
    let has = |wanted: &str| {
        let mut names = case.headers.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    for (name, value) in &case.headers {
        if !REPLACED_HEADERS
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
        {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
    }
    if !case.body.is_empty() {
        if !has("content-type") {
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
        write!(head, "Content-Length: {}\r\n", case.body.len()).unwrap();
    }
    format!("{head}\r\n{}", case.body).into_bytes()
}

/// The payloads of the cases: values of queries, forms and headers, and paths.
pub(super) fn payloads(cases: &[Case]) -> BTreeSet<Vec<u8>> {
    let mut payloads = BTreeSet::new();
    let ordinary = ["accept", "content-", "cache-control"];
    for case in cases.iter().filter(|case| case.raw.is_none()) {
        let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
        let values = query.split('&').chain(case.body.split('&'));
        let values = values.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let headers = case.headers.iter().filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            !REPLACED_HEADERS.contains(&name.as_str())
                && !ordinary.iter().any(|it| name.starts_with(it))
        });
        let headers = headers.map(|(_, value)| value.as_str());
        let values = values.chain([path.trim_start_matches('/')]).chain(headers);
        let decoded = values.map(|value| {
            let plain = value.replace('+', " ");
            percent_decoded(plain.as_bytes())
        });
        payloads.extend(decoded.filter(|value| is_code(value)));
    }
    payloads
}

/// Whether a payload has syntax: a word alone is not an attack (`eval`, `upload1`, `index.php`).
fn is_code(value: &[u8]) -> bool {
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./ ".contains(byte);
    value.len() > 3 && !value.iter().all(in_word)
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let encoded = String::from_utf8_lossy(text)
        .replace('&', "%26")
        .replace('=', "%3D");
    let pair = format!("x={}", encoded.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs
        .next()
        .map(|(_, value)| value.into_owned().into_bytes())
        .unwrap_or_default()
}

pub(super) fn percent_encoded(text: &[u8]) -> String {
    text.iter().fold(String::new(), |mut all, byte| {
        write!(all, "%{byte:02X}").unwrap();
        all
    })
}
