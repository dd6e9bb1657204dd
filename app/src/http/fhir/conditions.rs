//! Resolution of a Bundle's conditions: for each a search for a resource with an identifier. The searches of one type and chart
//! are done together.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use access::Caller;
use access::Disclosed;
use access::Search;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::ConditionMatch;
use fhir::bundle::ConditionScope;
use fhir::bundle::ConditionalIdentifier;
use fhir::bundle::ConditionalQuery;
use fhir::bundle::ConditionalSystem;
use fhir::search;
use fhir::search::ResourceQuery;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::FhirError;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::records::Evidence;
use crate::services::records::OwnWrites;
use crate::services::records::subject;
use crate::services::request_budget::RequestBudget;

/// The results of a Bundle's conditions, with the evidence that the writes which depend on them take along.
#[derive(Debug)]
pub(super) struct ResolvedConditions {
    /// The results, in the order of the conditions.
    matches: Vec<ConditionMatch>,
    /// The evidence; none for a condition that was not searched for, because the patient of its chart does not exist.
    evidence: Vec<Option<Arc<Evidence>>>,
    /// The resources that entries of the Bundle have written.
    own_writes: OwnWrites,
}

/// The chart in which a condition is searched.
enum Chart {
    /// None: the organization.
    Organization,
    /// That of this patient.
    Of(Uuid),
    /// That of a patient that does not exist.
    Missing,
    /// That of a patient for whom was not searched.
    Unknown,
}

impl ResolvedConditions {
    /// Searches for all conditions.
    ///
    /// # Errors
    ///
    /// A search is not permitted, or failed.
    pub(super) async fn resolve(
        app: &AppState,
        caller: &Caller,
        budget: &RequestBudget,
        conditions: &[ConditionalQuery],
    ) -> Result<Self, FhirError> {
        let mut resolved = Self {
            matches: vec![ConditionMatch::None; conditions.len()],
            evidence: vec![None; conditions.len()],
            own_writes: OwnWrites::default(),
        };
        resolved
            .search(app, caller, budget, conditions, &BTreeSet::new())
            .await?;
        Ok(resolved)
    }

    /// The results, in the order of the conditions.
    pub(super) fn matches(&self) -> &[ConditionMatch] {
        &self.matches
    }

    /// Whether a condition matches nothing, so that its entry creates a resource.
    pub(super) fn is_unmatched(&self, condition: usize) -> bool {
        self.matches.get(condition) == Some(&ConditionMatch::None)
    }

    /// The resources that entries of the Bundle have written.
    pub(super) const fn own_writes(&self) -> &OwnWrites {
        &self.own_writes
    }

    /// The evidence of a condition.
    pub(super) fn evidence(&self, condition: Option<usize>) -> Option<Arc<Evidence>> {
        self.evidence.get(condition?)?.clone()
    }

    /// The version of the resource that a condition found.
    pub(super) fn found_version(&self, condition: Option<usize>, id: Uuid) -> Option<VersionMeta> {
        let evidence = self.evidence(condition)?;
        let found = evidence.found().iter().find(|it| it.id == id);
        found.map(|it| it.meta)
    }

    /// Searches for all conditions but the `settled` ones, whose results are final: first for patients, in whose charts others
    /// may be searched. Conditions of one type and chart are one search, which is recorded like any other.
    ///
    /// # Errors
    ///
    /// See [`Self::resolve`].
    pub(super) async fn search(
        &mut self,
        app: &AppState,
        caller: &Caller,
        budget: &RequestBudget,
        conditions: &[ConditionalQuery],
        settled: &BTreeSet<usize>,
    ) -> Result<(), FhirError> {
        let is_patient =
            |condition: &ConditionalQuery| condition.resource_type == ResourceType::Patient;
        let wanted = || {
            let all = conditions.iter().enumerate();
            all.filter(|(index, _)| !settled.contains(index))
        };
        let patients: Vec<_> = wanted().filter(|(_, it)| is_patient(it)).collect();
        self.search_patients(app, caller, budget, &patients).await?;
        let mut groups: BTreeMap<_, Vec<(usize, &ConditionalQuery)>> = BTreeMap::new();
        for (index, condition) in wanted().filter(|(_, it)| !is_patient(it)) {
            let patient = match self.chart(condition.scope) {
                Chart::Organization => None,
                Chart::Of(patient) => Some(patient),
                Chart::Missing => {
                    self.set(index, None);
                    continue;
                }
                Chart::Unknown => {
                    self.set_unsearched(index);
                    continue;
                }
            };
            let group = (condition.resource_type, patient);
            groups.entry(group).or_default().push((index, condition));
        }
        for ((resource_type, patient), group) in groups {
            self.search_group(app, caller, budget, (resource_type, patient), &group)
                .await?;
        }
        Ok(())
    }

    fn chart(&self, scope: ConditionScope) -> Chart {
        match scope {
            ConditionScope::Organization => Chart::Organization,
            ConditionScope::Patient(patient) => Chart::Of(patient),
            ConditionScope::MatchOf(index) => match self.matches.get(index) {
                Some(ConditionMatch::One(patient)) => Chart::Of(*patient),
                Some(ConditionMatch::TooCostly) => Chart::Unknown,
                Some(ConditionMatch::None | ConditionMatch::Many) | None => Chart::Missing,
            },
        }
    }

    async fn search_patients(
        &mut self,
        app: &AppState,
        caller: &Caller,
        budget: &RequestBudget,
        group: &[(usize, &ConditionalQuery)],
    ) -> Result<(), FhirError> {
        if group.is_empty() {
            return Ok(());
        }
        let subject = subject(caller.organization(), ResourceType::Patient);
        let permitted = app.gate.permit(caller, Search, subject).await?;
        let mut queries = Vec::with_capacity(group.len());
        for (_, condition) in group {
            let form = form(&condition.identifier, None);
            queries.push(search::parse(form.as_bytes(), None)?);
        }
        let found = app
            .records
            .patient_conditions(&permitted, budget, &queries, &self.own_writes);
        self.set_all(group, found.await)
    }

    async fn search_group(
        &mut self,
        app: &AppState,
        caller: &Caller,
        budget: &RequestBudget,
        (resource_type, patient): (ResourceType, Option<Uuid>),
        group: &[(usize, &ConditionalQuery)],
    ) -> Result<(), FhirError> {
        let subject = subject(caller.organization(), resource_type);
        let subject = patient.map_or(subject, |patient| subject.patient(patient.into()));
        let permitted = app.gate.permit(caller, Search, subject).await?;
        let base = app.fhir_base();
        let mut queries = Vec::with_capacity(group.len());
        for (_, condition) in group {
            let form = form(&condition.identifier, patient);
            let query = ResourceQuery::parse(resource_type, &base, form.as_bytes(), None)?;
            queries.push(query);
        }
        let found = app
            .records
            .resource_conditions(&permitted, budget, queries, &self.own_writes);
        self.set_all(group, found.await)
    }

    /// Sets the results of conditions that were searched together, as far as the budget of the request sufficed.
    fn set_all(
        &mut self,
        group: &[(usize, &ConditionalQuery)],
        found: Result<Disclosed<Vec<Evidence>>, ServiceError>,
    ) -> Result<(), FhirError> {
        match found {
            Ok(found) => {
                let mut found = found.into_inner().into_iter();
                for (index, _) in group {
                    match found.next() {
                        Some(evidence) => self.set(*index, Some(evidence)),
                        None => self.set_unsearched(*index),
                    }
                }
            }
            Err(ServiceError::TooCostly) => {
                for (index, _) in group {
                    self.set_unsearched(*index);
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Marks a condition as not searched, because the budget of the request is used up.
    fn set_unsearched(&mut self, index: usize) {
        self.set(index, None);
        if let Some(slot) = self.matches.get_mut(index) {
            *slot = ConditionMatch::TooCostly;
        }
    }

    /// Sets the result of a condition.
    fn set(&mut self, index: usize, evidence: Option<Evidence>) {
        let former = self.evidence(Some(index));
        let evidence = evidence.map(|it| match former {
            Some(former) => it.after(&former),
            None => it,
        });
        let found = evidence.as_ref().map(Evidence::found).unwrap_or_default();
        let result = match found {
            [] => ConditionMatch::None,
            [one] => ConditionMatch::One(one.id),
            [_, _, ..] => ConditionMatch::Many,
        };
        if let Some(slot) = self.matches.get_mut(index) {
            *slot = result;
        }
        if let Some(slot) = self.evidence.get_mut(index) {
            *slot = evidence.map(Arc::new);
        }
    }
}

/// The search form of a condition.
fn form(identifier: &ConditionalIdentifier, patient: Option<Uuid>) -> Zeroizing<String> {
    let value = escaped(&identifier.value);
    let token = Zeroizing::new(match &identifier.system {
        ConditionalSystem::Any => value.to_string(),
        ConditionalSystem::None => format!("|{}", *value),
        ConditionalSystem::Is(system) => format!("{}|{}", *escaped(system), *value),
    });
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("identifier", &token);
    if let Some(patient) = patient {
        form.append_pair("patient", &patient.to_string());
    }
    Zeroizing::new(form.finish())
}

/// A text with the escapes of R4 3.1.1.4.4.
fn escaped(text: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(2 * text.len()));
    for letter in text.chars() {
        if matches!(letter, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
