//! Parsing of the search box's text into a FHIR search.

use time::Date;
use time::macros::format_description;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use fhir::search;
use fhir::search::PatientQuery;

/// Rows on the page of results; the page of more matches advises to narrow the search.
const COUNT: &str = "100";
/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 200;

/// A parsed text.
#[derive(Debug)]
pub(super) enum ParsedText {
    /// A text without words.
    Empty,
    Query {
        /// The search: all words must match.
        query: Box<PatientQuery>,
        /// How the words were interpreted.
        interpretation: String,
    },
    /// A text that cannot be searched for; the reason, and what to enter.
    Unsupported(&'static str),
}

/// The interpretation of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum WordKind {
    Name,
    BirthDate,
    Number,
}

impl WordKind {
    /// The interpretation of a word: a date in ISO 8601 is a birth date, another word with a digit is a
    /// number, and other words are names.
    fn of(text: &str) -> Result<Self, &'static str> {
        if Date::parse(text, format_description!("[year]-[month]-[day]")).is_ok() {
            return Ok(Self::BirthDate);
        }
        let looks_like_a_date = match text.as_bytes() {
            [_, _, _, _, b'-', _, _, b'-', _, _] => !text.contains(char::is_alphabetic),
            _ => text.contains('/'),
        };
        match (
            looks_like_a_date,
            text.contains(|letter: char| letter.is_ascii_digit()),
        ) {
            (true, true) => Err("A birth date is written year, month, day: 1962-03-14."),
            (_, true) => Ok(Self::Number),
            (_, false) => Ok(Self::Name),
        }
    }

    fn parameter(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BirthDate => "birthdate",
            Self::Number => "identifier",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BirthDate => "birth date",
            Self::Number => "MRN or SSN",
        }
    }
}

/// Parses a text. The messages do not repeat it.
pub(super) fn parse(typed: &str) -> ParsedText {
    if typed.len() > MAX_TEXT_BYTES {
        return ParsedText::Unsupported(
            "That is too long to search for. Type a name, a number or a date.",
        );
    }
    let mut form = Serializer::new(String::new());
    let mut kinds = Vec::new();
    for word in split_words(typed) {
        match WordKind::of(&word) {
            Ok(kind) => {
                form.append_pair(kind.parameter(), &escaped(&word));
                kinds.push(kind);
            }
            Err(why) => return ParsedText::Unsupported(why),
        }
    }
    if kinds.is_empty() {
        return ParsedText::Empty;
    }
    form.append_pair("_count", COUNT);
    let form = Zeroizing::new(form.finish());
    match search::parse(form.as_bytes(), None) {
        Ok(query) => ParsedText::Query {
            query: Box::new(query),
            interpretation: interpretation(kinds),
        },
        Err(_refused) => ParsedText::Unsupported("Type a name, an MRN, an SSN or a birth date."),
    }
}

/// A word as a literal search value: the special characters of FHIR's grammar are escaped.
fn escaped(word: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(word.len().saturating_mul(2)));
    for letter in word.chars() {
        if matches!(letter, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// The words of a text. A social security number in three groups of digits is one word.
fn split_words(typed: &str) -> Vec<Zeroizing<String>> {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = typed
        .split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | ';' | '|'))
        .filter(|part| !part.is_empty())
        .collect();
    match parts.as_slice() {
        [area, group, serial] if digits(area, 3) && digits(group, 2) && digits(serial, 4) => {
            vec![Zeroizing::new(parts.concat())]
        }
        _ => parts
            .into_iter()
            .map(|part| Zeroizing::new(part.to_owned()))
            .collect(),
    }
}

/// The message about how words were interpreted.
fn interpretation(mut kinds: Vec<WordKind>) -> String {
    let several = kinds.len() > 1;
    kinds.sort_unstable();
    kinds.dedup();
    let names: Vec<_> = kinds.into_iter().map(WordKind::label).collect();
    let rule = if several {
        ". Every word must match."
    } else {
        "."
    };
    format!("Searched by {}{rule}", names.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(typed: &str) -> (PatientQuery, String) {
        match parse(typed) {
            ParsedText::Query {
                query,
                interpretation,
            } => (*query, interpretation),
            other @ (ParsedText::Empty | ParsedText::Unsupported(_)) => panic!("{other:?}"),
        }
    }

    fn number(query: &PatientQuery) -> &str {
        query.identifiers[0][0].value.as_ref().expect("a value")
    }

    #[test]
    fn words_are_interpreted_by_their_form() {
        let (found, interpretation) = query("cruz, mar 1962-03-14");
        assert_eq!(found.name.len(), 2);
        assert_eq!((found.birth_dates.len(), found.identifiers.len()), (1, 0));
        assert_eq!(
            interpretation,
            "Searched by name and birth date. Every word must match."
        );
    }

    #[test]
    fn a_number_may_be_an_mrn_or_an_ssn() {
        for typed in [
            "999-26-4821",
            "999264821",
            "2c9e41aa-73d6-4b0f-9a38-e05d7f1b6c24",
        ] {
            let (found, interpretation) = query(typed);
            assert_eq!(number(&found), typed);
            assert_eq!(interpretation, "Searched by MRN or SSN.");
        }
        assert_eq!(number(&query(" 999 26 4821 ").0), "999264821");
    }

    #[test]
    fn an_invalid_date_is_refused_with_an_example() {
        for typed in ["1962-13-45", "03/14/1962"] {
            assert!(
                matches!(parse(typed), ParsedText::Unsupported(why) if why.contains("1962-03-14"))
            );
        }
    }

    #[test]
    fn an_empty_and_a_long_text_are_no_search() {
        assert!(matches!(parse("  , "), ParsedText::Empty));
        assert!(matches!(
            parse(&"a".repeat(201)),
            ParsedText::Unsupported(_)
        ));
    }
}
