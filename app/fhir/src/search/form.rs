//! The search form: `application/x-www-form-urlencoded` parameters of a Patient search.

use zeroize::Zeroizing;

use super::PatientQuery;
use super::date::DateQuery;
use super::grammar::Malformed;
use super::text::TextMatch;
use super::text::TextQuery;
use super::token::ContactQuery;
use super::token::IdentifierQuery;
use crate::ContactSystem;
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

/// The supported search parameters of a Patient, with their types.
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
/// R4 search parameters that are not supported. Diagnostics may repeat these names, because they
/// contain no value.
const UNSUPPORTED: [&str; 27] = [
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

/// Parses a search form, and `_count` from the query string.
///
/// # Errors
///
/// 400: a parameter is not supported, or its value is malformed. Diagnostics repeat only the names of
/// R4's parameters. 413: the form exceeds a limit of [`crate::limits`].
pub fn parse(form: &[u8], query: Option<&str>) -> Result<PatientQuery, OperationOutcome> {
    let of_url = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let of_url = of_url.filter(|(name, _)| name == "_count");
    let mut search = PatientQuery {
        count: DEFAULT_COUNT,
        ..PatientQuery::default()
    };
    let mut issues = Issues::default();
    for (count, (name, value)) in of_url.chain(url::form_urlencoded::parse(form)).enumerate() {
        // The limit is checked first, so that an oversized form costs nothing more.
        if count >= MAX_PARAMETERS {
            return Err(too_many(&format!("at most {MAX_PARAMETERS} parameters")));
        }
        let value = Zeroizing::new(value.into_owned());
        if let Err(issue) = search.add(&name, &value) {
            issues.add(|| issue);
        }
    }
    if issues.is_empty() && search.is_empty() {
        let why = "at least one search parameter is required: identifier, family, given, name, birthdate, phone, email \
                   or telecom";
        issues.add(|| Issue::new(IssueCode::Required, why));
    }
    if !issues.is_empty() {
        return Err(OperationOutcome::bad_request(issues));
    }
    if search.alternatives() > MAX_ALTERNATIVES {
        return Err(too_many(&format!("at most {MAX_ALTERNATIVES} values")));
    }
    if search.indexed_values() > MAX_INDEXED_VALUES {
        let what = "identifiers, telephone numbers and e-mail addresses";
        return Err(too_many(&format!("at most {MAX_INDEXED_VALUES} {what}")));
    }
    Ok(search)
}

fn too_many(limit: &str) -> OperationOutcome {
    let why = format!("a search has {limit}: send several searches");
    OperationOutcome::new(Status::ContentTooLarge, Issue::new(IssueCode::TooLong, why))
}

impl PatientQuery {
    /// Adds the condition of one parameter.
    fn add(&mut self, parameter: &str, value: &str) -> Result<(), Issue> {
        if value.trim().is_empty() || value.len() > MAX_PARAMETER_BYTES {
            // The parameter's name is not repeated: it is not validated yet and may contain PHI.
            let why = "the value of a search parameter must have 1 to 1000 bytes";
            return Err(Issue::new(IssueCode::Value, why));
        }
        let (name, modifier) = parameter
            .split_once(':')
            .map_or((parameter, None), |(name, modifier)| (name, Some(modifier)));
        let text_match = match (name, modifier) {
            (_, None) => TextMatch::Begins,
            ("family" | "given" | "name", Some("contains")) => TextMatch::Contains,
            ("family" | "given" | "name", Some("exact")) => TextMatch::Exact,
            (_, Some(_)) => return Err(unsupported(parameter)),
        };
        let refuse = |why: &'static str| Issue::new(IssueCode::Value, why).at(name);
        let text = "the value must be one or more texts separated by commas; , | $ and \\ are escaped with \\";
        let token = "the value must be value, system|value, |value or system|, or several separated by commas; \
                     , | $ and \\ are escaped with \\";
        let contact = "the value must be one or more values separated by commas; , | $ and \\ are escaped with \\";
        let texts = |_: Malformed| refuse(text);
        let contacts = |_: Malformed| refuse(contact);
        match name {
            "family" => self
                .family
                .push(TextQuery::parse(value, text_match).map_err(texts)?),
            "given" => self
                .given
                .push(TextQuery::parse(value, text_match).map_err(texts)?),
            "name" => self
                .name
                .push(TextQuery::parse(value, text_match).map_err(texts)?),
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
                let why = "a birthdate must be YYYY, YYYY-MM or YYYY-MM-DD, optionally after eq, ne, gt, lt, \
                           ge, le, sa or eb, or several separated by commas";
                let any_of = value
                    .split(',')
                    .map(DateQuery::parse)
                    .collect::<Option<_>>();
                self.birth_dates.push(any_of.ok_or(why).map_err(refuse)?);
            }
            "_count" => {
                let count = value.parse().ok().filter(|count| *count <= MAX_COUNT);
                self.count = count.ok_or("_count must be 0 to 200").map_err(refuse)?;
            }
            // They select the format of the response, which is the HTTP layer's concern.
            "_format" | "_pretty" => {}
            _ => return Err(unsupported(parameter)),
        }
        Ok(())
    }
}

/// The issue for a parameter that is not supported.
fn unsupported(name: &str) -> Issue {
    let (plain, modifier) = name
        .split_once(':')
        .map_or((name, false), |(plain, _)| (plain, true));
    let supported = || PARAMETERS.iter().map(|(name, _)| *name);
    let known = supported().chain(UNSUPPORTED).find(|known| *known == plain);
    let why = match (known, modifier) {
        (Some(name), true) => format!(
            "the parameter {name} does not support this modifier; family, given and name support :contains and :exact"
        ),
        (Some(name), false) => format!("the parameter {name} is not supported"),
        (None, _) => "an unknown parameter is not supported".to_owned(),
    };
    let all = supported().collect::<Vec<_>>().join(", ");
    Issue::new(
        IssueCode::NotSupported,
        format!("{why}; supported parameters are: {all}, _count"),
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
    fn conditions_are_combined_by_and_and_their_values_by_or() {
        let form = "family=Smi,Jo&given=Jo&given=Ann&name:contains=x&identifier=urn%3Aa%7CM1,M2\
                    &phone=1&email=a&telecom=b&birthdate=1980,ge1990";
        let query = parse(form.as_bytes(), Some("_count=7&name=y")).expect("valid");
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
            parse(b"family=x", None).expect("valid").count,
            DEFAULT_COUNT
        );
        assert_eq!(parse(b"family=x&_count=0", None).expect("valid").count, 0);
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
            let rendered = refused(form);
            assert!(
                rendered.contains(&format!("[\"{parameter}\"]")),
                "{form}: {rendered}"
            );
            assert!(!rendered.contains("SECRET"), "{rendered}");
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
    fn an_unsupported_parameter_is_named_but_a_value_in_its_place_is_not_repeated() {
        assert!(refused("gender=male").contains("the parameter gender is not supported"));
        assert!(refused("family:missing=x").contains("family does not support this modifier"));
        assert!(!refused("Smith=x&999-12-3456=").contains("Smith"));
        assert!(refused("").contains("at least one"));
        assert!(refused("_count=5").contains("at least one"));
    }
}
