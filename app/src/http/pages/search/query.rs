//! What was typed into the search box, as a search of FHIR.

use time::Date;
use time::macros::format_description;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use fhir::search;
use fhir::search::PatientQuery;

/// Patients on a page of results; more than that ask for a narrower search.
const COUNT: &str = "100";
/// The longest text that is read, in bytes.
const LONGEST: usize = 200;

/// What a typed text asks for.
#[derive(Debug)]
pub(super) enum Read {
    /// Nothing was typed.
    Nothing,
    /// A search.
    Query {
        /// The search; every word must match.
        query: PatientQuery,
        /// What the words were taken for.
        understood: String,
    },
    /// The text cannot be searched for; why, and what to type.
    Unreadable(&'static str),
}

/// What one word is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Name,
    BirthDate,
    Number,
}

impl Word {
    /// A word of digits and dashes that is a date is one; any other with a digit is a number.
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

    fn in_words(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BirthDate => "birth date",
            Self::Number => "MRN or SSN",
        }
    }
}

/// Reads what was typed. Nothing of it is repeated in words.
pub(super) fn read(typed: &str) -> Read {
    if typed.len() > LONGEST {
        return Read::Unreadable(
            "That is too long to search for. Type a name, a number or a date.",
        );
    }
    let mut form = Serializer::new(String::new());
    let mut kinds = Vec::new();
    for text in words(typed) {
        match Word::of(&text) {
            Ok(word) => {
                form.append_pair(word.parameter(), &escaped(&text));
                kinds.push(word);
            }
            Err(why) => return Read::Unreadable(why),
        }
    }
    if kinds.is_empty() {
        return Read::Nothing;
    }
    form.append_pair("_count", COUNT);
    let form = Zeroizing::new(form.finish());
    match search::parse(form.as_bytes(), None) {
        Ok(query) => Read::Query {
            query,
            understood: understood(kinds),
        },
        Err(_refused) => Read::Unreadable("Type a name, an MRN, an SSN or a birth date."),
    }
}

/// A word as a search value: what FHIR's grammar gives a meaning stands for itself.
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

/// The words of a text. Three groups of digits with spaces between them are one number.
fn words(typed: &str) -> Vec<Zeroizing<String>> {
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

fn understood(mut kinds: Vec<Word>) -> String {
    let several = kinds.len() > 1;
    kinds.sort_unstable();
    kinds.dedup();
    let names: Vec<_> = kinds.into_iter().map(Word::in_words).collect();
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
        match read(typed) {
            Read::Query { query, understood } => (query, understood),
            other @ (Read::Nothing | Read::Unreadable(_)) => panic!("{other:?}"),
        }
    }

    fn number(query: &PatientQuery) -> &str {
        query.identifiers[0][0].value.as_ref().expect("a value")
    }

    #[test]
    fn words_are_told_apart_by_their_form() {
        let (found, understood) = query("cruz, mar 1962-03-14");
        assert_eq!(found.name.len(), 2);
        assert_eq!((found.birth_dates.len(), found.identifiers.len()), (1, 0));
        assert_eq!(
            understood,
            "Searched by name and birth date. Every word must match."
        );
    }

    #[test]
    fn a_number_may_be_either_of_the_two() {
        for typed in [
            "999-26-4821",
            "999264821",
            "2c9e41aa-73d6-4b0f-9a38-e05d7f1b6c24",
        ] {
            let (found, understood) = query(typed);
            assert_eq!(number(&found), typed);
            assert_eq!(understood, "Searched by MRN or SSN.");
        }
        assert_eq!(number(&query(" 999 26 4821 ").0), "999264821");
    }

    #[test]
    fn a_date_that_is_none_is_told_how_to_be_one() {
        for typed in ["1962-13-45", "03/14/1962"] {
            assert!(matches!(read(typed), Read::Unreadable(why) if why.contains("1962-03-14")));
        }
    }

    #[test]
    fn nothing_and_too_much_are_no_search() {
        assert!(matches!(read("  , "), Read::Nothing));
        assert!(matches!(read(&"a".repeat(201)), Read::Unreadable(_)));
    }
}
