//! `POST /fhir/Patient/_search`: what the form asks for, and the Bundle that answers.

use std::fmt;

use serde_json::{Value, json};
use time::{Date, Duration, Month};
use zeroize::Zeroizing;

use super::sensitive_json::SensitiveJson;
use super::validate::primitive::partial_date;
use super::{Issue, IssueCode, OperationOutcome, Resource, VersionMeta};

/// The system of US social security numbers.
pub const SSN_SYSTEM: &str = "http://hl7.org/fhir/sid/us-ssn";
/// So many patients are answered at most.
const MAX_COUNT: usize = 200;
/// So many patients are answered if the form does not say.
const DEFAULT_COUNT: usize = 50;
/// What a Patient can be searched by here.
pub const PARAMETERS: [(&str, &str); 5] = [
    ("identifier", "token"),
    ("family", "string"),
    ("given", "string"),
    ("name", "string"),
    ("birthdate", "date"),
];
/// Search parameters of R4 that may be named in a refusal, since they are no value.
const KNOWN_ELSEWHERE: [&str; 30] = [
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
    "email",
    "gender",
    "general-practitioner",
    "organization",
    "phone",
    "telecom",
];

/// What a search for patients asks for; a patient must match all of it.
///
/// Its values are PHI: they are wiped when dropped, and `Debug` shows none.
#[derive(Default)]
pub struct PatientQuery {
    /// Record numbers and social security numbers, to be matched exactly.
    pub identifiers: Vec<IdentifierQuery>,
    /// Beginnings of the family name.
    pub family: Vec<Zeroizing<String>>,
    /// Beginnings of a given name.
    pub given: Vec<Zeroizing<String>>,
    /// Beginnings of any part of the name.
    pub name: Vec<Zeroizing<String>>,
    /// Conditions on the day of birth.
    pub birth_dates: Vec<BirthDateQuery>,
    /// So many are answered at most (1 to 200).
    pub count: usize,
}

/// Which identifier is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierKind {
    /// A system was named that is not the social security administration's.
    MedicalRecordNumber,
    /// The system of social security numbers was named.
    SocialSecurityNumber,
    /// No system was named.
    Either,
}

/// An identifier to be matched exactly.
pub struct IdentifierQuery {
    /// Which identifier is meant.
    pub kind: IdentifierKind,
    /// Its value as it was sent.
    pub value: Zeroizing<String>,
}

/// A condition on the day of birth: a span of days, either end open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDateQuery {
    first: Date,
    last: Date,
}

impl BirthDateQuery {
    /// Reads `[prefix]YYYY[-MM[-DD]]`.
    fn parse(text: &str) -> Option<Self> {
        let prefixed = text
            .split_at_checked(2)
            .filter(|(prefix, _)| matches!(*prefix, "eq" | "ge" | "le" | "gt" | "lt"));
        let (prefix, date) = prefixed.unwrap_or(("eq", text));
        let (first, parts) = partial_date(date)?;
        let last = match parts {
            1 => Date::from_calendar_date(first.year(), Month::December, 31).ok()?,
            2 => first.replace_day(first.month().length(first.year())).ok()?,
            _ => first,
        };
        let (first, last) = match prefix {
            "ge" => (first, Date::MAX),
            "gt" => (last.checked_add(Duration::DAY)?, Date::MAX),
            "le" => (Date::MIN, last),
            "lt" => (Date::MIN, first.checked_sub(Duration::DAY)?),
            _ => (first, last),
        };
        Some(Self { first, last })
    }

    /// Whether someone born on this day matches.
    pub fn matches(self, born: Date) -> bool {
        (self.first..=self.last).contains(&born)
    }
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
/// 400: a parameter is not known here, or its value is not of its form; neither is repeated, but
/// for the names of R4's own parameters.
pub fn parse(form: &[u8], query: Option<&str>) -> Result<PatientQuery, OperationOutcome> {
    let of_url = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let of_url = of_url.filter(|(name, _)| name == "_count");
    let mut found = PatientQuery {
        count: DEFAULT_COUNT,
        ..PatientQuery::default()
    };
    let mut issues = Vec::new();
    for (name, value) in of_url.chain(url::form_urlencoded::parse(form)) {
        let value = Zeroizing::new(value.into_owned());
        if let Err(issue) = found.add(&name, value) {
            issues.push(issue);
        }
    }
    if issues.is_empty() && found.is_empty() {
        let why = "say who is searched for: identifier, family, given, name or birthdate";
        issues.push(Issue::new(IssueCode::Required, why));
    }
    if issues.is_empty() {
        Ok(found)
    } else {
        Err(OperationOutcome::bad_request(issues))
    }
}

impl PatientQuery {
    fn is_empty(&self) -> bool {
        self.identifiers.is_empty()
            && self.birth_dates.is_empty()
            && [&self.family, &self.given, &self.name]
                .iter()
                .all(|texts| texts.is_empty())
    }

    fn add(&mut self, name: &str, value: Zeroizing<String>) -> Result<(), Issue> {
        let refuse = |why: &'static str| Issue::new(IssueCode::Value, why).at(name);
        if value.trim().is_empty() || value.len() > 200 {
            // The name is not known to be harmless yet.
            let why = "a search parameter has a value of at most 200 bytes";
            return Err(Issue::new(IssueCode::Value, why));
        }
        match name {
            "identifier" => self.identifiers.push(identifier(&value).map_err(refuse)?),
            "family" => self.family.push(value),
            "given" => self.given.push(value),
            "name" => self.name.push(value),
            "birthdate" => {
                let why = "a birthdate is YYYY, YYYY-MM or YYYY-MM-DD, after eq, ge, le, gt or lt";
                let date = BirthDateQuery::parse(&value).ok_or(why).map_err(refuse)?;
                self.birth_dates.push(date);
            }
            "_count" => {
                let count = value
                    .parse()
                    .ok()
                    .filter(|count| (1..=MAX_COUNT).contains(count));
                self.count = count.ok_or("_count is 1 to 200").map_err(refuse)?;
            }
            "_format" | "_pretty" => {}
            other => return Err(unknown(other)),
        }
        Ok(())
    }
}

fn identifier(token: &str) -> Result<IdentifierQuery, &'static str> {
    let (kind, value) = match token.split_once('|') {
        None | Some(("", _)) => (IdentifierKind::Either, token.trim_start_matches('|')),
        Some((SSN_SYSTEM, value)) => (IdentifierKind::SocialSecurityNumber, value),
        Some((_, value)) => (IdentifierKind::MedicalRecordNumber, value),
    };
    let value = value.trim();
    if value.is_empty() || value.contains(['|', ',']) {
        return Err("an identifier is one value, or a system, a bar and a value");
    }
    Ok(IdentifierQuery {
        kind,
        value: Zeroizing::new(value.to_owned()),
    })
}

fn unknown(name: &str) -> Issue {
    let (plain, modifier) = name
        .split_once(':')
        .map_or((name, false), |(plain, _)| (plain, true));
    let here = || PARAMETERS.iter().map(|(name, _)| *name);
    let spoken = here().chain(KNOWN_ELSEWHERE).find(|known| *known == plain);
    let why = match (spoken, modifier) {
        (Some(name), true) => format!("the parameter {name} takes no modifier here"),
        (Some(name), false) => format!("the parameter {name} is not supported"),
        (None, _) => "there is a parameter that is not known here".to_owned(),
    };
    let all = here().collect::<Vec<_>>().join(", ");
    Issue::new(
        IssueCode::NotSupported,
        format!("{why}; supported are: {all}, _count"),
    )
}

/// The Bundle that answers a search: the patients of this page, and how many match in all.
///
/// `origin` is the public address, `https://host`. The link to itself does not repeat what was
/// searched for.
pub fn searchset(origin: &str, total: usize, found: Vec<(Resource, VersionMeta)>) -> SensitiveJson {
    let entries: Vec<Value> = found
        .into_iter()
        .map(|(resource, meta)| {
            let id = resource.id().unwrap_or_default();
            let full_url = format!("{origin}/fhir/{}/{id}", resource.resource_type());
            let mut entry = json!({ "fullUrl": full_url, "search": { "mode": "match" } });
            if let Some(entry) = entry.as_object_mut() {
                let resource = resource.with_meta(meta).into_value();
                entry.shift_insert(1, "resource".to_owned(), resource);
            }
            entry
        })
        .collect();
    let link = json!([{ "relation": "self", "url": format!("{origin}/fhir/Patient/_search") }]);
    let mut bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total, "link": link
    });
    if let (Some(bundle), false) = (bundle.as_object_mut(), entries.is_empty()) {
        bundle.insert("entry".to_owned(), Value::Array(entries));
    }
    SensitiveJson::new(bundle)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    fn refused(form: &str) -> String {
        let outcome = parse(form.as_bytes(), None).expect_err("refused");
        assert_eq!(outcome.status().code(), 400);
        outcome.to_json().to_string()
    }

    #[test]
    fn an_identifier_s_system_tells_which_number_it_is() {
        let form = "identifier=http%3A%2F%2Fhl7.org%2Ffhir%2Fsid%2Fus-ssn%7C999-12-3456\
                    &identifier=urn%3Aclinic%7CM1&identifier=%7CM2&identifier=M3";
        let query = parse(form.as_bytes(), None).expect("sound");
        let read: Vec<_> = query
            .identifiers
            .iter()
            .map(|i| (i.kind, i.value.as_str()))
            .collect();
        let expected = [
            (IdentifierKind::SocialSecurityNumber, "999-12-3456"),
            (IdentifierKind::MedicalRecordNumber, "M1"),
            (IdentifierKind::Either, "M2"),
            (IdentifierKind::Either, "M3"),
        ];
        assert_eq!(read, expected);
        assert!(refused("identifier=urn%3Aclinic%7C").contains("a bar and a value"));
    }

    #[test]
    fn names_and_counts_are_read() {
        let query = parse(
            b"family=Smi&given=Jo&given=Ann&name=x",
            Some("_count=7&name=y"),
        )
        .expect("sound");
        assert_eq!(query.family[0].as_str(), "Smi");
        assert_eq!(
            (query.given.len(), query.name.len(), query.count),
            (2, 1, 7)
        );
        assert_eq!(
            parse(b"family=x", None).expect("sound").count,
            DEFAULT_COUNT
        );
        assert!(refused("family=x&_count=201").contains("1 to 200"));
        assert_eq!(format!("{query:?}"), "PatientQuery([redacted])");
    }

    #[test]
    fn a_birth_date_is_a_span_of_days() {
        let born = date!(1980 - 02 - 29);
        let cases = [
            ("1980-02-29", true),
            ("eq1980-02", true),
            ("1980", true),
            ("1981", false),
            ("ge1980-02-29", true),
            ("gt1980-02-29", false),
            ("gt1980-02", false),
            ("gt1980-01", true),
            ("le1980", true),
            ("lt1980-02-29", false),
            ("lt1980-03", true),
        ];
        for (text, expected) in cases {
            let query = BirthDateQuery::parse(text).expect(text);
            assert_eq!(query.matches(born), expected, "{text}");
        }
        assert!(refused("birthdate=ne1980").contains("birthdate"));
        assert!(refused("birthdate=1981-02-29").contains("birthdate"));
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name_but_a_value_in_its_place_is_not_repeated() {
        assert!(refused("gender=male").contains("the parameter gender is not supported"));
        assert!(refused("family:exact=x").contains("family takes no modifier"));
        assert!(!refused("Smith=x&999-12-3456=").contains("Smith"));
        assert!(refused("").contains("say who"));
        assert!(refused("_count=5").contains("say who"));
    }

    #[test]
    fn a_searchset_carries_each_match_and_the_total() {
        let id = "c757873d-ec9a-4326-a141-556f43239520";
        let json = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        let patient = Resource::parse(json.as_bytes()).expect("sound");
        let meta = VersionMeta {
            version: 3,
            last_updated: datetime!(2026-11-23 15:00 UTC),
        };
        let answer = searchset("https://localhost:8443", 9, vec![(patient, meta)]);
        let bundle = answer.value();
        assert_eq!(
            (&bundle["type"], &bundle["total"]),
            (&json!("searchset"), &json!(9))
        );
        let entry = &bundle["entry"][0];
        assert_eq!(
            entry["fullUrl"],
            format!("https://localhost:8443/fhir/Patient/{id}")
        );
        assert_eq!(entry["search"]["mode"], "match");
        assert_eq!(entry["resource"]["meta"]["versionId"], "3");
        assert!(searchset("o", 0, Vec::new()).value().get("entry").is_none());
    }
}
