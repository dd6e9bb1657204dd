//! Exponents of numbers as they were sent: `serde_json` writes `1E5` as `1e+5`, and R4 requires that the
//! form of a decimal is preserved.

use serde_json::Number;
use serde_json::Value;
use zeroize::Zeroizing;

/// Gives the numbers of a parsed document the exponents of its source.
pub(super) fn restore(source: &[u8], document: &mut Value) {
    let mut written = written_numbers(source);
    restore_each(document, &mut written);
}

fn restore_each<'s>(
    value: &mut Value,
    written: &mut std::iter::Peekable<impl Iterator<Item = &'s str>>,
) {
    // Without a number to restore, which is usual, the document is not walked.
    let Some(next) = written.peek() else {
        return;
    };
    match value {
        Value::Number(number) if number.as_str().contains('e') => {
            // The numbers stand in the order of the source. One that does not match is left as it is.
            if *normalized(next) == number.as_str() {
                *number = Number::from_string_unchecked((*next).to_owned());
                written.next();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| restore_each(it, written)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|it| restore_each(it, written)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The numbers with exponents of a well-formed JSON text, in their order.
fn written_numbers(source: &[u8]) -> std::iter::Peekable<impl Iterator<Item = &str>> {
    let mut rest = source;
    let numbers = std::iter::from_fn(move || {
        loop {
            let (first, others) = rest.split_first()?;
            if *first == b'"' {
                rest = after_string(others);
            } else if first.is_ascii_digit() || *first == b'-' {
                let is_part = |byte: &u8| {
                    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
                };
                let length = rest.iter().take_while(|byte| is_part(byte)).count();
                let (number, others) = rest.split_at_checked(length)?;
                rest = others;
                if number.iter().any(|byte| matches!(byte, b'e' | b'E')) {
                    return std::str::from_utf8(number).ok();
                }
            } else {
                rest = others;
            }
        }
    });
    numbers.peekable()
}

/// The text after a string, of which the first quotation mark has been read.
fn after_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b'"', others @ ..] => return others,
            [b'\\', _, others @ ..] | [_, others @ ..] => others,
            [] => return rest,
        };
    }
}

/// A number with an exponent as `serde_json` writes it.
fn normalized(number: &str) -> Zeroizing<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, ""));
    let sign = if exponent.starts_with(['+', '-']) {
        ""
    } else {
        "+"
    };
    Zeroizing::new(format!("{mantissa}e{sign}{exponent}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn restored(json: &str) -> String {
        let mut value: Value = serde_json::from_str(json).expect("valid");
        restore(json.as_bytes(), &mut value);
        value.to_string()
    }

    #[test]
    fn exponents_are_kept_as_written() {
        for json in [
            "1E-22",
            "[1e5,1E5,1e+5,1E+05,-1.50e-7,100,-0.0]",
            r#"{"a":"1E5","b\"1E5":2E5,"c":"\\","d":[{"e":1e9},"é\"1E3"],"f":3E1}"#,
            r#"{"\\":1E1,"x":"\\\\\"","y":1e2}"#,
        ] {
            assert_eq!(restored(json), json);
        }
    }

    #[test]
    fn a_number_that_does_not_match_is_left() {
        let mut value: Value = serde_json::from_str("[1e5,2E5]").expect("valid");
        restore(b"[3E5]", &mut value);
        assert_eq!(value.to_string(), "[1e+5,2e+5]");
    }

    proptest! {
        #[test]
        fn any_number_is_kept(
            texts in proptest::collection::vec("-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?", 1..20),
            string in "\\PC*",
        ) {
            let string = Value::String(string).to_string();
            let json = format!("[{},{string}]", texts.join(&format!(",{string},")));
            prop_assert_eq!(restored(&json), json);
        }
    }
}
