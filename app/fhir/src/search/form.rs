//! The search form: `application/x-www-form-urlencoded` parameters of a Patient search.

use zeroize::Zeroizing;

use super::PatientQuery;
use super::address::AddressElement;
use super::address::AddressQuery;
use super::code;
use super::code::FlagQuery;
use super::code::LanguageQuery;
use super::code::ReferenceQuery;
use super::date::DateQuery;
use super::date::InstantQuery;
use super::grammar::Malformed;
use super::patient_parameters::PARAMETERS;
use super::patient_parameters::RESULT_PARAMETERS;
use super::patient_parameters::UNSUPPORTED;
use super::patient_parameters::modifiers;
use super::patient_parameters::presence;
use super::patient_parameters::reference_element;
use super::patient_sort::PatientSort;
use super::text::TextMatch;
use super::text::TextQuery;
use super::token::ContactQuery;
use super::token::IdentifierQuery;
use crate::ContactSystem;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::PatientFlags;
use crate::ReferenceType;
use crate::ResourceType;
use crate::Status;
use crate::limits::DEFAULT_COUNT;
use crate::limits::MAX_ALTERNATIVES;
use crate::limits::MAX_COUNT;
use crate::limits::MAX_INDEXED_VALUES;
use crate::limits::MAX_PARAMETER_BYTES;
use crate::limits::MAX_PARAMETERS;

/// The parameters that may stand in the query string, because they identify no person.
const URL_PARAMETERS: [&str; 5] = ["_count", "_sort", "_total", "_id", "_lastUpdated"];

/// Parses a search form, and the parameters of the query string that identify no person.
///
/// # Errors
///
/// 400: a parameter is not supported, or its value is malformed. Diagnostics repeat only the names of
/// R4's parameters. 413: the form exceeds a limit of [`crate::limits`].
pub fn parse(form: &[u8], query: Option<&str>) -> Result<PatientQuery, OperationOutcome> {
    let of_url = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let of_url = of_url.filter(|(name, _)| URL_PARAMETERS.contains(&&**name));
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

const TEXT: &str =
    "the value must be one or more texts separated by commas; , | $ and \\ are escaped with \\";
const TOKEN: &str = "the value must be value, system|value, |value or system|, or several separated by commas; \
                     , | $ and \\ are escaped with \\";
const CONTACT: &str =
    "the value must be one or more values separated by commas; , | $ and \\ are escaped with \\";
const GENDER: &str =
    "a gender must be male, female, other or unknown, or several separated by commas";
const BOOLEAN: &str = "the value must be true or false";
const ADDRESS_USE: &str =
    "an address use must be home, work, temp, old or billing, or several separated by commas";
const ID: &str = "an id must be a UUID in lower case, or several separated by commas";
const DATE: &str = "a birthdate must be YYYY, YYYY-MM or YYYY-MM-DD, optionally after eq, ne, gt, lt, \
                    ge, le, sa or eb, or several separated by commas";
const TIME: &str = "the value must be a date or a time such as 2026-11-29T10:00:00Z, optionally after eq, ne, gt, \
                    lt, ge, le, sa or eb, or several separated by commas; + is sent as %2B";
const REFERENCE: &str = "the value must be Type/id or id of a resource of this server, of a type to which the \
                         element refers, or several separated by commas";
const SORT: &str = "_sort must be family, given, birthdate, _lastUpdated or _id, with - before it for descending order";

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
        if modifier.is_some_and(|modifier| !modifiers(name).contains(&modifier)) {
            return Err(unsupported(parameter));
        }
        let kind = PARAMETERS.iter().find(|(known, _)| *known == name);
        let refuse = |why: &'static str| Issue::new(IssueCode::Value, why).at(name);
        match (kind, modifier) {
            (Some(_), Some("missing")) => self.add_missing(name, value).map_err(refuse),
            (Some((_, "string")), modifier) => {
                let how = match modifier {
                    Some("contains") => TextMatch::Contains,
                    Some("exact") => TextMatch::Exact,
                    Some(_) | None => TextMatch::Begins,
                };
                self.add_text(name, how, value)
                    .map_err(|_malformed| refuse(TEXT))
            }
            (Some((_, "token")), modifier) => {
                let added = self.add_token(name, modifier == Some("not"), value);
                added.map_err(refuse)
            }
            (Some((_, "date")), _) => self.add_date(name, value).map_err(refuse),
            (Some(_), modifier) => {
                let added = self.add_reference(name, modifier, value);
                added.map_err(|_malformed| refuse(REFERENCE))
            }
            (None, _) => self.add_result_parameter(parameter, value),
        }
    }

    /// `:missing` of a parameter.
    fn add_missing(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        let is_missing = match value {
            "true" => true,
            "false" => false,
            _ => return Err("the value of :missing must be true or false"),
        };
        let present = presence(name).unwrap_or(PatientFlags::NONE);
        self.flags.push(FlagQuery::new(present, is_missing));
        Ok(())
    }

    fn add_text(&mut self, name: &str, how: TextMatch, value: &str) -> Result<(), Malformed> {
        if name == "address" {
            self.addresses.push(AddressQuery::parse(value, how)?);
            return Ok(());
        }
        let text = TextQuery::parse(value, how)?;
        let element = match name {
            "address-city" => Some(AddressElement::City),
            "address-state" => Some(AddressElement::State),
            "address-postalcode" => Some(AddressElement::PostalCode),
            "address-country" => Some(AddressElement::Country),
            _ => None,
        };
        match (element, name) {
            (Some(element), _) => self.address_elements.push((element, text)),
            (None, "family") => self.family.push(text),
            (None, "given") => self.given.push(text),
            (None, _) => self.name.push(text),
        }
        Ok(())
    }

    fn add_token(&mut self, name: &str, negated: bool, value: &str) -> Result<(), &'static str> {
        let flags = |table, why| FlagQuery::parse(value, table, negated).map_err(|_malformed| why);
        let contact = |system| ContactQuery::parse(value, system).map_err(|_malformed| CONTACT);
        match name {
            "gender" => self.flags.push(flags(&code::GENDERS, GENDER)?),
            "active" => self.flags.push(flags(&code::ACTIVE, BOOLEAN)?),
            "deceased" => self.flags.push(flags(&code::DECEASED, BOOLEAN)?),
            "address-use" => self.flags.push(flags(&code::ADDRESS_USES, ADDRESS_USE)?),
            "phone" => self.contacts.push(contact(Some(ContactSystem::Phone))?),
            "email" => self.contacts.push(contact(Some(ContactSystem::Email))?),
            "telecom" => self.contacts.push(contact(None)?),
            "language" => {
                let query = LanguageQuery::parse(value, negated).map_err(|_malformed| TOKEN)?;
                self.languages.push(query);
            }
            "_id" => {
                let ids = value.split(',').map(crate::parse_id);
                let ids = ids.collect::<Result<_, _>>().map_err(|_malformed| ID)?;
                self.ids.push(ids);
            }
            _ => {
                let any_of = IdentifierQuery::parse(value).map_err(|_malformed| TOKEN)?;
                self.identifiers.push(any_of);
            }
        }
        Ok(())
    }

    fn add_date(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        let alternatives = value.split(',');
        if name == "birthdate" {
            let any_of = alternatives.map(DateQuery::parse).collect::<Option<_>>();
            self.birth_dates.push(any_of.ok_or(DATE)?);
            return Ok(());
        }
        let any_of = alternatives.map(InstantQuery::parse).collect::<Option<_>>();
        let conditions = match name {
            "_lastUpdated" => &mut self.last_updated,
            _ => &mut self.death_dates,
        };
        conditions.push(any_of.ok_or(TIME)?);
        Ok(())
    }

    fn add_reference(
        &mut self,
        name: &str,
        modifier: Option<&str>,
        value: &str,
    ) -> Result<(), Malformed> {
        let element = reference_element(name).ok_or(Malformed)?;
        let modifier = modifier.and_then(ReferenceType::named);
        let query = ReferenceQuery::parse(value, element, modifier)?;
        self.references.push(query);
        Ok(())
    }

    fn add_result_parameter(&mut self, name: &str, value: &str) -> Result<(), Issue> {
        let refuse = |why: &'static str| Issue::new(IssueCode::Value, why).at(name);
        match name {
            "_count" => {
                // A server may send fewer than requested (R4 3.1.1.5.3).
                let count: Option<usize> = value.parse().ok();
                let why = "_count must be a number; a page has at most 200 patients";
                self.count = count.ok_or(why).map_err(refuse)?.min(MAX_COUNT);
            }
            "_sort" => self.sort = PatientSort::parse(value).ok_or(SORT).map_err(refuse)?,
            "_total" => {
                self.omits_total = match value {
                    "none" => true,
                    "estimate" | "accurate" => false,
                    _ => return Err(refuse("_total must be none, estimate or accurate")),
                };
            }
            "_summary" | "_elements" | "_pretty" => {
                self.form.add(ResourceType::Patient, name, value)?;
            }
            // The HTTP layer negotiates the format. `_totalMethod` is of other servers: totals are always exact.
            "_format" | "_totalMethod" => {}
            _ => return Err(unsupported(name)),
        }
        Ok(())
    }
}

/// The issue for a parameter or a modifier that is not supported.
fn unsupported(parameter: &str) -> Issue {
    let name = parameter
        .split_once(':')
        .map_or(parameter, |(name, _)| name);
    let supported = || PARAMETERS.iter().map(|(name, _)| *name);
    let results = || RESULT_PARAMETERS.into_iter();
    if let Some(known) = supported().chain(results()).find(|known| *known == name) {
        let why = match modifiers(known) {
            [] => format!("the parameter {known} supports no modifier"),
            all => format!(
                "the parameter {known} does not support this modifier, but :{}",
                all.join(" and :")
            ),
        };
        return Issue::new(IssueCode::NotSupported, why);
    }
    let why = match UNSUPPORTED.into_iter().find(|known| *known == name) {
        Some(known) => format!("the parameter {known} is not supported"),
        None => "an unknown parameter is not supported".to_owned(),
    };
    let all = supported().chain(results()).collect::<Vec<_>>().join(", ");
    let why = format!("{why}; supported parameters are: {all}");
    Issue::new(IssueCode::NotSupported, why)
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
        assert!(refused("family=x&_count=-1").contains("at most 200"));
        let largest = parse(b"_count=1000", None).expect("valid").count;
        assert_eq!(largest, MAX_COUNT);
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
        assert!(refused("phonetic=x").contains("the parameter phonetic is not supported"));
        assert!(refused("family:above=x").contains("family does not support this modifier"));
        assert!(refused("gender:in=x").contains("but :not and :missing"));
        assert!(refused("_id:not=x").contains("_id supports no modifier"));
        assert!(refused("_count:x=1").contains("_count supports no modifier"));
        assert!(refused("general-practitioner.name=x").contains("an unknown parameter"));
        let refused = refused("Smith=x&999-12-3456=&Smith:not=x");
        assert!(!refused.contains("Smith") && refused.contains("address-postalcode"));
    }

    #[test]
    fn each_parameter_adds_a_condition_of_its_kind() {
        let id = "c757873d-ec9a-4326-a141-556f43239520";
        let form = format!(
            "gender=male&active:not=true&deceased=false&address-use=home&gender:missing=true\
             &death-date=gt2020-01-01T10:00Z&_lastUpdated=ge2026&address=a,b&address-city:exact=x\
             &address-state=s&address-postalcode=1&address-country:contains=c&language=en\
             &general-practitioner:Practitioner={id}&organization=Organization/{id}&link={id}\
             &_id={id},{id}&_sort=-birthdate&_total=none&_count=0"
        );
        let query = parse(form.as_bytes(), None).expect("valid");
        assert_eq!((query.flags.len(), query.addresses.len()), (5, 1));
        assert_eq!(
            (query.address_elements.len(), query.languages.len()),
            (4, 1)
        );
        assert_eq!((query.references.len(), query.ids[0].len()), (3, 2));
        assert_eq!((query.death_dates.len(), query.last_updated.len()), (1, 1));
        assert!(query.sort.descending && query.omits_total && query.has_exact_text());
        assert_eq!(query.count, 0);
        let all = parse(b"", Some("_count=3&_sort=_id&name=y")).expect("every patient");
        assert_eq!((all.alternatives(), all.count), (0, 3));
    }

    #[test]
    fn a_value_that_its_parameter_does_not_have_is_refused() {
        for form in [
            "gender=Male",
            "active=yes",
            "deceased=2020",
            "address-use=x",
            "gender:missing=x",
            "_id=Smith",
            "_sort=name",
            "_total=maybe",
            "link=Practitioner/c757873d-ec9a-4326-a141-556f43239520",
            "death-date=yesterday",
            "_lastUpdated=ap2026",
            "address=--",
        ] {
            let name = form.split(['=', ':']).next().unwrap();
            assert!(refused(form).contains(&format!("[\"{name}\"]")), "{form}");
        }
    }
}
