//! A search for resources of one type other than Patient.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::condition::Alternative;
use super::condition::Condition;
use super::condition::Match;
use super::condition::Test;
use super::include::Include;
use super::parameters;
use super::parameters::TypeName;
use super::parse_condition;
use super::parse_condition::date;
use super::prefix::Prefix;
use super::refusals;
use super::results::ResultParameters;
use super::sort_key::SortKey;
use super::sort_key::SortParameter;
use super::time_span::TimeSpan;
use super::values::SearchValues;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::ResourceType;
use crate::limits::MAX_ALTERNATIVES;
use crate::limits::MAX_CURSOR_BYTES;
use crate::limits::MAX_PARAMETER_BYTES;
use crate::limits::MAX_PARAMETERS;
use crate::parse_id;

/// A search: a resource matches if it matches all conditions.
///
/// The values are PHI: texts are zeroized on drop, and `Debug` omits all.
pub struct ResourceQuery {
    resource_type: ResourceType,
    conditions: Vec<Condition>,
    /// `_id`: one of each list.
    ids: Vec<Vec<Uuid>>,
    /// `_lastUpdated`: one of each list.
    updated: Vec<Vec<(Prefix, TimeSpan)>>,
    patient: Option<Uuid>,
    sort: Vec<SortParameter>,
    results: ResultParameters,
}

impl ResourceQuery {
    /// Parses the parameters of a URL's query and of a form, which have the same form. `base` is the base URL of this
    /// server's API, such as `https://host/fhir`.
    ///
    /// # Errors
    ///
    /// 400: a parameter is not supported, or its value is malformed, or the conditions name several patients. 413: the
    /// search exceeds a limit of [`crate::limits`]. Diagnostics repeat only the names of R4's parameters.
    pub fn parse(
        resource_type: ResourceType,
        base: &str,
        form: &[u8],
        url_query: Option<&str>,
    ) -> Result<Self, OperationOutcome> {
        let mut query = Self::all(resource_type);
        let mut issues = Issues::default();
        let of_url = url::form_urlencoded::parse(url_query.unwrap_or_default().as_bytes());
        for (count, (name, value)) in of_url.chain(url::form_urlencoded::parse(form)).enumerate() {
            // The limit is checked first, so that an oversized form costs nothing more.
            if count >= MAX_PARAMETERS {
                return Err(refusals::too_many(&format!(
                    "at most {MAX_PARAMETERS} parameters"
                )));
            }
            let value = Zeroizing::new(value.into_owned());
            if let Err(issue) = query.add(&name, &value, base) {
                issues.add(|| issue);
            }
        }
        if !issues.is_empty() {
            return Err(OperationOutcome::bad_request(issues));
        }
        if query.alternatives() > MAX_ALTERNATIVES {
            return Err(refusals::too_many(&format!(
                "at most {MAX_ALTERNATIVES} values"
            )));
        }
        query.patient = query.only_patient()?;
        Ok(query)
    }

    /// The search for all resources of a type.
    #[must_use]
    pub fn all(resource_type: ResourceType) -> Self {
        Self {
            resource_type,
            conditions: Vec::new(),
            ids: Vec::new(),
            updated: Vec::new(),
            patient: None,
            sort: Vec::new(),
            results: ResultParameters::default(),
        }
    }

    /// The resource type.
    #[must_use]
    pub const fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The patient in whose chart the search is: the only one that `patient` or `subject` names.
    #[must_use]
    pub const fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    /// The patient in whose chart the search is, for types that belong to patients.
    ///
    /// # Errors
    ///
    /// 400: the query names no patient.
    pub fn require_patient(&self) -> Result<Uuid, OperationOutcome> {
        self.patient
            .ok_or_else(|| refusals::no_patient(self.resource_type))
    }

    /// The ids of `_id` that all of its lists have; `None` without the parameter.
    #[must_use]
    pub fn ids(&self) -> Option<Vec<Uuid>> {
        let (first, others) = self.ids.split_first()?;
        let mut ids = first.clone();
        ids.retain(|id| others.iter().all(|any_of| any_of.contains(id)));
        ids.sort_unstable();
        ids.dedup();
        Some(ids)
    }

    /// The search in the compartment of a patient.
    ///
    /// # Errors
    ///
    /// 400: the query names another patient.
    pub fn within(mut self, patient: Uuid) -> Result<Self, OperationOutcome> {
        if self.patient.is_some_and(|named| named != patient) {
            return Err(refusals::several_patients());
        }
        self.patient = Some(patient);
        Ok(self)
    }

    /// The parameters of the result.
    #[must_use]
    pub const fn results(&self) -> &ResultParameters {
        &self.results
    }

    /// The resources that are included beside the matches.
    #[must_use]
    pub fn includes(&self) -> &[Include] {
        &self.results.includes
    }

    /// Whether the order is given by `_sort`.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        !self.sort.is_empty()
    }

    /// Whether the values of resources are needed to search them: otherwise [`Self::matches_head`] is enough.
    #[must_use]
    pub fn needs_values(&self) -> bool {
        !self.conditions.is_empty() || self.sort.iter().any(|key| key.needs_values())
    }

    /// Whether id and time of the last update match, which needs no values.
    #[must_use]
    pub fn matches_head(&self, id: Uuid, last_updated: OffsetDateTime) -> bool {
        let stored = TimeSpan::at(last_updated);
        self.ids.iter().all(|any_of| any_of.contains(&id))
            && self.updated.iter().all(|any_of| {
                any_of
                    .iter()
                    .any(|(prefix, span)| span.matches(*prefix, stored))
            })
    }

    /// Whether values match all conditions on them.
    #[must_use]
    pub fn matches(&self, values: &SearchValues) -> Match {
        if values.resource_type() != self.resource_type {
            return Match::No;
        }
        let mut result = Match::Yes;
        for condition in &self.conditions {
            result = result.and(|| condition.matches(values));
            if result == Match::No {
                return Match::No;
            }
        }
        result
    }

    /// The position of a resource in the order of the query; `None` if a value by which is sorted was left out: the
    /// resource has to be opened. Without `_sort` the order is that of the ids.
    #[must_use]
    pub fn sort_key(
        &self,
        id: Uuid,
        last_updated: OffsetDateTime,
        values: &SearchValues,
    ) -> Option<SortKey> {
        SortKey::new(&self.sort, id, last_updated, values)
    }

    /// Adds a parameter.
    fn add(&mut self, name: &str, value: &str, base: &str) -> Result<(), Issue> {
        let most = if name == "_cursor" {
            MAX_CURSOR_BYTES
        } else {
            MAX_PARAMETER_BYTES
        };
        if value.trim().is_empty() || value.len() > most {
            // The parameter's name is not repeated: it is not validated yet and may contain PHI.
            let why = "the value of a search parameter must have 1 to 1000 bytes";
            return Err(Issue::new(IssueCode::Value, why));
        }
        if let Some(set) = self.results.add(self.resource_type, name, value) {
            return set;
        }
        match name {
            "_sort" => return SortParameter::parse(self.resource_type, value, &mut self.sort),
            "_id" => {
                // An id of another form is that of no resource.
                let ids = value.split(',').filter_map(|id| parse_id(id.trim()).ok());
                self.ids.push(ids.collect());
                return Ok(());
            }
            "_lastUpdated" => {
                let why = "_lastUpdated must be a date or an instant, optionally after a prefix";
                let spans = value.split(',').map(date).collect::<Option<_>>();
                let spans = spans.ok_or_else(|| Issue::new(IssueCode::Value, why))?;
                self.updated.push(spans);
                return Ok(());
            }
            _ => {}
        }
        // A dot is in chained parameters only: `subject:Patient.name`.
        let unsupported = || refusals::unsupported(self.resource_type, name);
        if name.contains('.') {
            return Err(unsupported());
        }
        let (plain, modifier) = name
            .split_once(':')
            .map_or((name, None), |(name, modifier)| (name, Some(modifier)));
        let of_type = parameters::of_type(self.resource_type);
        let parameter = of_type.and_then(|it| it.supported.get(plain));
        let parameter = parameter.ok_or_else(unsupported)?;
        let condition = parse_condition::condition(parameter, modifier, value, base)?;
        self.conditions.push(condition);
        Ok(())
    }

    /// The number of values of all conditions.
    fn alternatives(&self) -> usize {
        let of_conditions = self
            .conditions
            .iter()
            .map(|condition| match &condition.test {
                Test::Missing(_) => 1,
                Test::AnyOf(all) | Test::NoneOf(all) => all.len(),
            });
        let ids: usize = self.ids.iter().map(Vec::len).sum();
        let updated: usize = self.updated.iter().map(Vec::len).sum();
        of_conditions
            .sum::<usize>()
            .saturating_add(ids)
            .saturating_add(updated)
    }

    /// The patient that the conditions name.
    fn only_patient(&self) -> Result<Option<Uuid>, OperationOutcome> {
        let patient = TypeName::named("Patient");
        let mut only = None;
        for condition in &self.conditions {
            let Test::AnyOf(alternatives) = &condition.test else {
                continue;
            };
            for alternative in alternatives {
                let Alternative::Local(name, id) = alternative else {
                    continue;
                };
                let is_patient = match condition.parameter.name() {
                    "patient" | "subject" | "beneficiary" => name.is_none() || *name == patient,
                    // Of a Schedule or an Appointment; most actors are others.
                    "actor" => *name == patient,
                    _ => false,
                };
                if !is_patient {
                    continue;
                }
                if only.is_some_and(|only| only != *id) {
                    return Err(refusals::several_patients());
                }
                only = Some(*id);
            }
        }
        Ok(only)
    }
}

impl fmt::Debug for ResourceQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceQuery({}, [redacted])", self.resource_type)
    }
}

#[cfg(test)]
mod tests;
