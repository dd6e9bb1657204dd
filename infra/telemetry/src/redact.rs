use std::fmt;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanExporter;

/// What stands in place of a value that must not be logged.
pub(crate) const REDACTED: &str = "[redacted]";

/// A field is not logged if one of these is its name, or a part of it (`patient_name`). In order.
const NEVER: [&str; 27] = [
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
pub(crate) fn forbids(field: &str) -> bool {
    field.split(['_', '.', '-']).any(|part| {
        // Every log line asks for each of its fields: few words are as long, and begin alike.
        NEVER
            .iter()
            .any(|word| word.len() == part.len() && word.bytes().eq(part.bytes()))
    })
}

/// Whether a text holds what looks like a social security number or an e-mail address.
pub(crate) fn suspects(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Most texts have neither, and are read once.
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

/// Exports spans without the attributes that [`forbids`] or [`suspects`] finds.
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
                !forbids(attribute.key.as_str()) && !suspects(&attribute.value.as_str())
            });
            // Errors keep their status, and leave their text to the log.
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
        assert!(NEVER.is_sorted());
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
            assert!(forbids(name), "{name}");
        }
        for name in ["status", "request_id", "route", "names", "elapsed_ms"] {
            assert!(!forbids(name), "{name}");
        }
    }

    #[test]
    fn an_identifier_is_found_within_a_sentence() {
        for text in [
            "no patient 123-45-6789 here",
            "for ann@example.org",
            "999-00-1111",
        ] {
            assert!(suspects(text), "{text}");
        }
        for text in [
            "",
            "a",
            "2026-11-23T10:00:00Z",
            "spiffe://stack.internal/app",
            "a @ b",
        ] {
            assert!(!suspects(text), "{text}");
        }
    }
}
