//! Detection of PHI in URLs, by the form of values and the names of parameters.
//!
//! The detector refuses no request: a URL that is not described is refused anyway. The detector
//! decides whether the refusal explains that a URL must not contain PHI, and selects its reason.

/// Names of parameters that carry PHI: FHIR search parameters, and common names of form fields.
/// Sorted, for binary search.
const PARAMETER_NAMES: [&str; 37] = [
    "address",
    "address-city",
    "address-country",
    "address-postalcode",
    "address-state",
    "address-use",
    "birthdate",
    "code",
    "date",
    "death-date",
    "deceased",
    "dob",
    "email",
    "encounter",
    "family",
    "gender",
    "given",
    "id",
    "identifier",
    "last",
    "member",
    "mrn",
    "name",
    "patient",
    "performer",
    "phone",
    "phonetic",
    "q",
    "query",
    "race",
    "search",
    "ssn",
    "subject",
    "telecom",
    "value-quantity",
    "value-string",
    "zip",
];

/// Whether a parameter of this name carries PHI. For modifiers and chains (`name:exact`,
/// `subject.name`) the first part decides.
pub(super) fn is_phi_parameter(name: &str) -> bool {
    let first = name.split([':', '.']).next().unwrap_or_default();
    let lower = first.to_ascii_lowercase();
    PARAMETER_NAMES.binary_search(&lower.as_str()).is_ok()
}

/// Whether a text looks like, or contains, a social security number, a telephone number, a record
/// number, a date or an e-mail address.
pub(super) fn looks_like_phi(text: &str) -> bool {
    is_number(text)
        || is_email(text)
        || contains_digit_groups(text, &[3, 2, 4])
        || contains_digit_groups(text, &[3, 3, 4])
        || contains_digit_groups(text, &[4, 2, 2])
}

/// Whether a text is 6 to 16 digits in any grouping: the lengths of personal identifiers.
fn is_number(text: &str) -> bool {
    let separates = |byte: u8| b" -.+/()".contains(&byte);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (6..=16).contains(&digits)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || separates(byte))
}

fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(local, host)| !local.is_empty() && host.contains('.'))
}

/// Whether a text contains groups of digits of these lengths, with one separator between them and
/// no digit on either side. The groups of a UUID are longer.
fn contains_digit_groups(text: &str, groups: &[usize]) -> bool {
    let mut runs: Vec<usize> = Vec::new();
    let mut run = 0;
    let mut joined = false;
    for byte in text.bytes().chain([b'x']) {
        if byte.is_ascii_digit() {
            run += 1;
            continue;
        }
        if run > 0 {
            if !joined {
                runs.clear();
            }
            runs.push(run);
            run = 0;
            joined = true;
        } else {
            joined = false;
        }
        if runs.ends_with(groups) {
            return true;
        }
        joined = joined && matches!(byte, b'-' | b'.' | b'/' | b' ' | b'+');
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_found() {
        assert!(PARAMETER_NAMES.is_sorted());
        assert!(
            is_phi_parameter("family")
                && is_phi_parameter("Family:exact")
                && is_phi_parameter("subject.name")
        );
        assert!(!is_phi_parameter("_count") && !is_phi_parameter("page"));
    }

    #[test]
    fn identifiers_numbers_dates_and_addresses_look_like_phi() {
        for text in [
            "123-45-6789",
            "123456789",
            "123 45 6789",
            "999.26.4821",
            "617-555-0182",
            "(617) 555-0182",
            "+1-617-555-0182",
            "tel-617-555-0182",
            "1970-01-31",
            "Archer-1970-01-31",
            "1970-01-31T00:00",
            "19700131",
            "01/31/1970",
            "ann@example.org",
            "MRN-123-45-6789",
            "100200",
        ] {
            assert!(looks_like_phi(text), "{text}");
        }
        for text in [
            "",
            "8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d",
            "11111111-2222-4333-8444-555555555555",
            "style.0123456789abcdef.css",
            "Patient",
            "page",
            "12345",
            "1.2.3",
            "v1",
        ] {
            assert!(!looks_like_phi(text), "{text}");
        }
    }
}
