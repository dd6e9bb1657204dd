//! Redaction: fields and texts that are neither logged nor exported.

use std::fmt;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanExporter;

/// The text that replaces a value that must not be logged.
pub(crate) const REDACTED: &str = "[redacted]";

/// Names of fields that are never logged; also as a part of a name (`patient_name`). Sorted.
const FORBIDDEN_NAMES: [&str; 27] = [
    "authorization",
    "birth",
    "birthdate",
    "body",
    "city",
    "cookie",
    "credential",
    "credentials",
    "dob",
    "email",
    "family",
    "given",
    "mrn",
    "name",
    "note",
    "password",
    "phone",
    "plaintext",
    "query",
    "secret",
    "session",
    "ssn",
    "street",
    "text",
    "token",
    "totp",
    "uri",
];

/// Whether a field of this name is never logged.
pub(crate) fn is_forbidden(field: &str) -> bool {
    field.split(['_', '.', '-']).any(|part| {
        // Runs for each field of every line: the comparison of lengths rules out most names.
        FORBIDDEN_NAMES
            .iter()
            .any(|word| word.len() == part.len() && word.bytes().eq(part.bytes()))
    })
}

/// Whether a text contains what looks like a social security number or an e-mail address.
pub(crate) fn looks_like_identifier(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Most texts have neither character, and are read once.
    let (mut dash, mut at_sign) = (false, false);
    for byte in bytes {
        dash |= *byte == b'-';
        at_sign |= *byte == b'@';
    }
    dash && bytes.windows(11).any(is_ssn)
        || at_sign && bytes.windows(3).any(is_at_sign_within_words)
}

fn is_ssn(window: &[u8]) -> bool {
    // The hyphens first: they are rarer than digits.
    let hyphens = [3, 6].map(|at| window.get(at) == Some(&b'-'));
    hyphens == [true, true]
        && window.iter().enumerate().all(|(at, byte)| match at {
            3 | 6 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn is_at_sign_within_words(window: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+');
    matches!(window, [before, b'@', after] if word(before) && word(after))
}

/// A span exporter that removes the attributes for which [`is_forbidden`] or
/// [`looks_like_identifier`] is true.
pub(crate) struct Redacting<E>(pub(crate) E);

impl<E> fmt::Debug for Redacting<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redacting")
    }
}

impl<E: SpanExporter> SpanExporter for Redacting<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            span.attributes.retain(|attribute| {
                !is_forbidden(attribute.key.as_str())
                    && !looks_like_identifier(&attribute.value.as_str())
            });
            // The status remains; the description may quote input and is in the log, redacted.
            if let opentelemetry::trace::Status::Error { description } = &mut span.status {
                *description = "".into();
            }
        }
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forbidden_names_are_in_order() {
        assert!(FORBIDDEN_NAMES.is_sorted());
    }

    #[test]
    fn a_forbidden_name_is_found_as_a_part_of_another() {
        for name in [
            "password",
            "patient_name",
            "http.query",
            "x-session",
            "session_id",
        ] {
            assert!(is_forbidden(name), "{name}");
        }
        for name in ["status", "request_id", "route", "names", "elapsed_ms"] {
            assert!(!is_forbidden(name), "{name}");
        }
    }

    #[test]
    fn an_identifier_is_found_within_a_sentence() {
        for text in [
            "no patient 123-45-6789 here",
            "for ann@example.org",
            "999-00-1111",
        ] {
            assert!(looks_like_identifier(text), "{text}");
        }
        for text in [
            "",
            "a",
            "2026-11-23T10:00:00Z",
            "spiffe://example.internal/app",
            "a @ b",
        ] {
            assert!(!looks_like_identifier(text), "{text}");
        }
    }
}
