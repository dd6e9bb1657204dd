//! `POST /fhir/Patient/_search`: the grammar of the form.

use std::fmt;

use zeroize::Zeroizing;

use crate::ContactSystem;
use crate::DateSpan;
use crate::Demographics;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::Status;
use crate::limits::DEFAULT_COUNT;
use crate::limits::MAX_ALTERNATIVES;
use crate::limits::MAX_COUNT;
use crate::limits::MAX_INDEXED_VALUES;
use crate::limits::MAX_PARAMETER_BYTES;
use crate::limits::MAX_PARAMETERS;

mod date;
mod grammar;
mod searchset;
mod text;
mod token;

pub use date::DatePrefix;
pub use date::DateQuery;
use grammar::Malformed;
pub use searchset::searchset;
pub use searchset::searchset_entry;
pub use text::SearchableName;
pub use text::SearchableText;
pub use text::TextMatch;
pub use text::TextQuery;
pub use token::ContactQuery;
pub use token::IdentifierQuery;
pub use token::SystemQuery;

/// What a Patient can be searched by here.
pub const PARAMETERS: [(&str, &str); 8] = [
    ("identifier", "token"),
    ("family", "string"),
    ("given", "string"),
    ("name", "string"),
    ("birthdate", "date"),
    ("phone", "token"),
    ("email", "token"),
    ("telecom", "token"),
];
/// Search parameters of R4 that may be named in a refusal, since they are no value.
const KNOWN_ELSEWHERE: [&str; 27] = [
    "_id",
    "_lastUpdated",
    "_tag",
    "_profile",
    "_security",
    "_text",
    "_content",
    "_list",
    "_has",
    "_type",
    "_sort",
    "_include",
    "_revinclude",
    "_summary",
    "_total",
    "_elements",
    "_contained",
    "active",
    "address",
    "address-city",
    "address-postalcode",
    "address-state",
    "death-date",
    "deceased",
    "gender",
    "general-practitioner",
    "organization",
];

/// A search for patients; a patient must match every condition.
///
/// A condition is a list of alternatives of which one has to match. The values are PHI: they are
/// wiped when dropped, and `Debug` shows none.
#[derive(Default)]
pub struct PatientQuery {
    /// Conditions on identifiers.
    pub identifiers: Vec<Vec<IdentifierQuery>>,
    /// Conditions on phone numbers, e-mail addresses and the like.
    pub contacts: Vec<Vec<ContactQuery>>,
    /// Conditions on family names.
    pub family: Vec<TextQuery>,
    /// Conditions on given names.
    pub given: Vec<TextQuery>,
    /// Conditions on any part of a name.
    pub name: Vec<TextQuery>,
    /// Conditions on the day of birth.
    pub birth_dates: Vec<Vec<DateQuery>>,
    /// Largest number of patients in the response (0 to 200); 0 asks for the total alone.
    pub count: usize,
}

impl fmt::Debug for PatientQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientQuery([redacted])")
    }
}

/// Reads a search form (`application/x-www-form-urlencoded`), and from the query string `_count`.
///
/// # Errors
///
/// 400: a parameter is not supported, or its value is malformed; neither is repeated, but for the
/// names of R4's own parameters. 413: there are more parameters or values than [`crate::limits`]
/// lets a search have.
pub fn parse(form: &[u8], query: Option<&str>) -> Result<PatientQuery, OperationOutcome> {
    let of_url = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let of_url = of_url.filter(|(name, _)| name == "_count");
    let mut found = PatientQuery {
        count: DEFAULT_COUNT,
        ..PatientQuery::default()
    };
    let mut issues = Issues::default();
    for (count, (name, value)) in of_url.chain(url::form_urlencoded::parse(form)).enumerate() {
        // Counted first: what follows is read for a form that may be answered.
        if count >= MAX_PARAMETERS {
            return Err(too_many(&format!("at most {MAX_PARAMETERS} parameters")));
        }
        let value = Zeroizing::new(value.into_owned());
        if let Err(issue) = found.add(&name, &value) {
            issues.add(|| issue);
        }
    }
    if issues.is_empty() && found.is_empty() {
        let why = "at least one search parameter is required: identifier, family, given, name, birthdate, phone, email \
                   or telecom";
        issues.add(|| Issue::new(IssueCode::Required, why));
    }
    if !issues.is_empty() {
        return Err(OperationOutcome::bad_request(issues));
    }
    if found.alternatives() > MAX_ALTERNATIVES {
        return Err(too_many(&format!("at most {MAX_ALTERNATIVES} values")));
    }
    if found.indexed_values() > MAX_INDEXED_VALUES {
        let what = "identifiers, telephone numbers and e-mail addresses";
        return Err(too_many(&format!("at most {MAX_INDEXED_VALUES} {what}")));
    }
    Ok(found)
}

fn too_many(limit: &str) -> OperationOutcome {
    let why = format!("a search has {limit}: send several searches");
    OperationOutcome::new(Status::ContentTooLarge, Issue::new(IssueCode::TooLong, why))
}

impl PatientQuery {
    /// Whether a patient matches every condition.
    #[must_use]
    pub fn matches(&self, patient: &Demographics) -> bool {
        let identified = |any_of: &Vec<IdentifierQuery>| {
            any_of
                .iter()
                .any(|query| patient.identifiers.iter().any(|it| query.matches(it)))
        };
        let contacted = |any_of: &Vec<ContactQuery>| {
            any_of
                .iter()
                .any(|query| patient.contacts.iter().any(|it| query.matches(it)))
        };
        let names: Vec<_> = patient.names.iter().map(SearchableName::new).collect();
        self.identifiers.iter().all(identified)
            && self.contacts.iter().all(contacted)
            && self.matches_names(&names)
            && self.matches_birth_date(patient.born)
    }

    /// Whether names match: each condition is met by one of them.
    #[must_use]
    pub fn matches_names(&self, names: &[SearchableName]) -> bool {
        let family = |query| names.iter().any(|name| name.family_matches(query));
        let given = |query| names.iter().any(|name| name.given_matches(query));
        let any = |query| names.iter().any(|name| name.any_matches(query));
        self.family.iter().all(family) && self.given.iter().all(given) && self.name.iter().all(any)
    }

    /// Whether the day of birth matches; a patient without one matches no condition.
    #[must_use]
    pub fn matches_birth_date(&self, born: Option<DateSpan>) -> bool {
        let met = |any_of: &Vec<DateQuery>| {
            born.is_some_and(|born| any_of.iter().any(|query| query.matches(born)))
        };
        self.birth_dates.iter().all(met)
    }

    /// The number of values of all conditions.
    fn alternatives(&self) -> usize {
        let names = self.family.iter().chain(&self.given).chain(&self.name);
        let names: usize = names.map(|text| text.values().count()).sum();
        let births: usize = self.birth_dates.iter().map(Vec::len).sum();
        names + births + self.indexed_values()
    }

    /// The number of values that the blind indexes are asked for.
    fn indexed_values(&self) -> usize {
        let identifiers: usize = self.identifiers.iter().map(Vec::len).sum();
        let contacts: usize = self.contacts.iter().map(Vec::len).sum();
        identifiers + contacts
    }

    fn is_empty(&self) -> bool {
        self.identifiers.is_empty()
            && self.contacts.is_empty()
            && self.birth_dates.is_empty()
            && [&self.family, &self.given, &self.name]
                .iter()
                .all(|texts| texts.is_empty())
    }

    fn add(&mut self, parameter: &str, value: &str) -> Result<(), Issue> {
        if value.trim().is_empty() || value.len() > MAX_PARAMETER_BYTES {
            // The name is not known to be harmless yet.
            let why = "a search parameter has a value of at most 1000 bytes";
            return Err(Issue::new(IssueCode::Value, why));
        }
        let (name, modifier) = parameter
            .split_once(':')
            .map_or((parameter, None), |(name, modifier)| (name, Some(modifier)));
        let how = match (name, modifier) {
            (_, None) => TextMatch::Begins,
            ("family" | "given" | "name", Some("contains")) => TextMatch::Contains,
            ("family" | "given" | "name", Some("exact")) => TextMatch::Exact,
            (_, Some(_)) => return Err(unknown(parameter)),
        };
        let refuse = |why: &'static str| Issue::new(IssueCode::Value, why).at(name);
        let text = "this is one or more texts with commas between; \\ stands before , | $ and \\";
        let token = "this is value, system|value, |value or system|, or several with commas between; \
                     \\ stands before , | $ and \\";
        let contact =
            "this is one or more values with commas between; \\ stands before , | $ and \\";
        let texts = |_: Malformed| refuse(text);
        let contacts = |_: Malformed| refuse(contact);
        match name {
            "family" => self
                .family
                .push(TextQuery::parse(value, how).map_err(texts)?),
            "given" => self
                .given
                .push(TextQuery::parse(value, how).map_err(texts)?),
            "name" => self.name.push(TextQuery::parse(value, how).map_err(texts)?),
            "identifier" => {
                let any_of = IdentifierQuery::parse(value).map_err(|_malformed| refuse(token))?;
                self.identifiers.push(any_of);
            }
            "phone" | "email" | "telecom" => {
                let system = match name {
                    "phone" => Some(ContactSystem::Phone),
                    "email" => Some(ContactSystem::Email),
                    _ => None,
                };
                self.contacts
                    .push(ContactQuery::parse(value, system).map_err(contacts)?);
            }
            "birthdate" => {
                let why = "a birthdate is YYYY, YYYY-MM or YYYY-MM-DD, after eq, ne, gt, lt, ge, le, \
                           sa or eb, or several with commas between";
                let any_of = value
                    .split(',')
                    .map(DateQuery::parse)
                    .collect::<Option<_>>();
                self.birth_dates.push(any_of.ok_or(why).map_err(refuse)?);
            }
            "_count" => {
                let count = value.parse().ok().filter(|count| *count <= MAX_COUNT);
                self.count = count.ok_or("_count is 0 to 200").map_err(refuse)?;
            }
            "_format" | "_pretty" => {}
            _ => return Err(unknown(parameter)),
        }
        Ok(())
    }
}

fn unknown(name: &str) -> Issue {
    let (plain, modifier) = name
        .split_once(':')
        .map_or((name, false), |(plain, _)| (plain, true));
    let here = || PARAMETERS.iter().map(|(name, _)| *name);
    let spoken = here().chain(KNOWN_ELSEWHERE).find(|known| *known == plain);
    let why = match (spoken, modifier) {
        (Some(name), true) => format!(
            "the parameter {name} takes no such modifier here; family, given and name take :contains and :exact"
        ),
        (Some(name), false) => format!("the parameter {name} is not supported"),
        (None, _) => "there is a parameter that is not known here".to_owned(),
    };
    let all = here().collect::<Vec<_>>().join(", ");
    Issue::new(
        IssueCode::NotSupported,
        format!("{why}; supported are: {all}, _count"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(form: &str) -> String {
        let outcome = parse(form.as_bytes(), None).expect_err("refused");
        assert_eq!(outcome.status().code(), 400);
        outcome.to_json().to_string()
    }

    #[test]
    fn conditions_are_and_and_their_values_or() {
        let form = "family=Smi,Jo&given=Jo&given=Ann&name:contains=x&identifier=urn%3Aa%7CM1,M2\
                    &phone=1&email=a&telecom=b&birthdate=1980,ge1990";
        let query = parse(form.as_bytes(), Some("_count=7&name=y")).expect("sound");
        assert_eq!(
            (query.family.len(), query.given.len(), query.name.len()),
            (1, 2, 1)
        );
        assert_eq!(
            (query.identifiers.len(), query.identifiers[0].len()),
            (1, 2)
        );
        assert_eq!(
            (
                query.contacts.len(),
                query.birth_dates[0].len(),
                query.count
            ),
            (3, 2, 7)
        );
        assert_eq!(format!("{query:?}"), "PatientQuery([redacted])");
        assert_eq!(
            parse(b"family=x", None).expect("sound").count,
            DEFAULT_COUNT
        );
        assert_eq!(parse(b"family=x&_count=0", None).expect("sound").count, 0);
        assert!(refused("family=x&_count=201").contains("0 to 200"));
    }

    #[test]
    fn malformed_values_are_refused_at_their_parameter_and_not_repeated() {
        for (form, parameter) in [
            ("family=SECRET,", "family"),
            ("given=SECRET%5C", "given"),
            ("name=--", "name"),
            ("identifier=SECRET%7Ca%7Cb", "identifier"),
            ("identifier=%7C", "identifier"),
            ("phone=phone%7CSECRET", "phone"),
            ("birthdate=ap1980", "birthdate"),
            ("birthdate=1981-02-29", "birthdate"),
        ] {
            let told = refused(form);
            assert!(
                told.contains(&format!("[\"{parameter}\"]")),
                "{form}: {told}"
            );
            assert!(!told.contains("SECRET"), "{told}");
        }
    }

    #[test]
    fn a_form_of_too_many_parameters_or_values_is_too_large() {
        let refused = |form: &str| {
            let outcome = parse(form.as_bytes(), None).expect_err("refused");
            (outcome.status(), outcome.to_json().to_string())
        };
        for (form, limit) in [
            (vec!["birthdate=1980"; MAX_PARAMETERS + 1].join("&"), "32"),
            (format!("family=a{}", ",b".repeat(MAX_ALTERNATIVES)), "64"),
            (
                format!("identifier=a{}", ",b".repeat(MAX_INDEXED_VALUES)),
                "20",
            ),
            (vec!["x="; 20_000].join("&"), "32"),
        ] {
            let (status, outcome) = refused(&form);
            assert_eq!(status, Status::ContentTooLarge, "{outcome}");
            assert!(
                outcome.contains(limit) && outcome.len() < 1_000,
                "{outcome}"
            );
        }
        let most = vec!["birthdate=1980,1981"; MAX_PARAMETERS].join("&");
        assert!(parse(most.as_bytes(), None).is_ok());
    }

    #[test]
    fn every_name_of_a_patient_counts() {
        use crate::PatientName;
        let text = |text: &str| Zeroizing::new(text.to_owned());
        let names = [
            PatientName {
                family: Some(text("Wed")),
                given: vec![text("Maya")],
                ..PatientName::default()
            },
            PatientName {
                family: Some(text("Birch")),
                suffix: vec![text("Qe")],
                ..PatientName::default()
            },
            PatientName {
                text: Some(text("Solo Zark")),
                ..PatientName::default()
            },
        ];
        let names: Vec<_> = names.iter().map(SearchableName::new).collect();
        for (form, expected) in [
            ("family=birch", true),
            ("family=birch,nobody&given=maya", true),
            ("name=zark", true),
            ("name=Solo+Zark", true),
            ("name=qe", true),
            ("family=zark", false),
            ("given=birch", false),
            ("family=wed&given=nobody", false),
        ] {
            let query = parse(form.as_bytes(), None).expect(form);
            assert_eq!(query.matches_names(&names), expected, "{form}");
        }
        let born = parse(b"birthdate=1980", None).expect("sound");
        assert!(!born.matches_birth_date(None));
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name_but_a_value_in_its_place_is_not_repeated() {
        assert!(refused("gender=male").contains("the parameter gender is not supported"));
        assert!(refused("family:missing=x").contains("family takes no such modifier"));
        assert!(!refused("Smith=x&999-12-3456=").contains("Smith"));
        assert!(refused("").contains("at least one"));
        assert!(refused("_count=5").contains("at least one"));
    }
}
