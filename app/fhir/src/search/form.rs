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
use crate::limits::DEFAULT_COUNT;
use crate::limits::MAX_ALTERNATIVES;
use crate::limits::MAX_COUNT;
use crate::limits::MAX_INDEXED_VALUES;
use crate::limits::MAX_PARAMETER_BYTES;
use crate::limits::MAX_PARAMETERS;

mod refusals;

use refusals::ADDRESS_USE;
use refusals::BOOLEAN;
use refusals::CONTACT;
use refusals::DATE;
use refusals::GENDER;
use refusals::ID;
use refusals::REFERENCE;
use refusals::SORT;
use refusals::TEXT;
use refusals::TIME;
use refusals::TOKEN;
use refusals::too_many;
use refusals::unsupported;

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

#[cfg(test)]
mod tests;
