//! Finding patients: lists and search, over the roster and the blind indexes.

use std::collections::HashMap;

use audit::{Action, Outcome, RecordReference};
use db::DemographicsRow;
use phi::{OpenError, OrganizationId, Owner, PatientId, Phi, Scope, columns};
use zeroize::Zeroizing;

use super::{Records, Stored, key_of, reference};
use crate::services::access::{ListPatients, Permitted};
use crate::services::caller::Caller;
use crate::services::error::ServiceError;
use crate::services::ledger::{Disclosed, Receipt};
use crate::services::roster::Order;
use fhir::ResourceType;
use fhir::search::{IdentifierQuery, PatientQuery, SystemQuery};
use fhir::{Demographics, SSN_SYSTEM};

/// A patient in a list.
pub(crate) struct PatientSummary {
    /// The chart's id.
    pub(crate) id: PatientId,
    /// What a list shows of it; whether the patient has died is not among it.
    pub(crate) demographics: Demographics,
}

/// Some of the patients that were asked for.
pub(crate) struct PatientPage {
    /// In the order that was asked for.
    pub(crate) patients: Vec<PatientSummary>,
    /// How many there are in all.
    pub(crate) total: usize,
}

impl Records {
    /// A page of the organization's patients.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        _permitted: &Permitted<ListPatients>,
        order: Order,
        skip: usize,
        take: usize,
    ) -> Result<Disclosed<PatientPage>, ServiceError> {
        let roster = self.rosters.of(caller.organization).await?;
        let (ids, total) = roster.page(order, skip, take);
        let patients = self.summaries(caller.organization, &ids).await?;
        let receipt = self.searched(caller, &ids).await?;
        Ok(receipt.disclose(PatientPage { patients, total }))
    }

    /// The patients that match a query, at most as many as it asks for.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(crate) async fn search(
        &self,
        caller: &Caller,
        _permitted: &Permitted<ListPatients>,
        query: &PatientQuery,
    ) -> Result<Disclosed<PatientPage>, ServiceError> {
        let (ids, total) = self.matches(caller.organization, query).await?;
        let patients = self.summaries(caller.organization, &ids).await?;
        let receipt = self.searched(caller, &ids).await?;
        Ok(receipt.disclose(PatientPage { patients, total }))
    }

    /// The same, as whole Patient resources.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(crate) async fn search_resources(
        &self,
        caller: &Caller,
        _permitted: &Permitted<ListPatients>,
        query: &PatientQuery,
    ) -> Result<Disclosed<(Vec<Stored>, usize)>, ServiceError> {
        let organization = caller.organization;
        let (ids, total) = self.matches(organization, query).await?;
        let keys: Vec<_> = ids
            .iter()
            .map(|id| key_of(ResourceType::Patient, id.uuid()))
            .collect();
        let rows = self.database.current_versions(organization, &keys).await?;
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.0.id, row)).collect();
        let key = self.keys.authorization(organization).await?;
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            let Some((head, version)) = rows.remove(&id.uuid()) else {
                continue;
            };
            let scope = self.keys.scope(organization, Owner::Patient(*id)).await?;
            found.push(Self::open(&key, &scope, head, version)?);
        }
        let receipt = self.searched(caller, &ids).await?;
        Ok(receipt.disclose((found, total)))
    }

    /// Records which patients a list or a search showed.
    async fn searched(&self, caller: &Caller, ids: &[PatientId]) -> Result<Receipt, ServiceError> {
        let records: Vec<RecordReference> = ids
            .iter()
            .map(|id| reference(ResourceType::Patient, id.uuid(), None, Some(id.uuid())))
            .collect();
        let event = caller.event(self.clock.now(), Action::Search, Outcome::Success, records);
        Ok(self
            .ledger
            .record(caller.organization, caller.origin.source, event)
            .await?)
    }

    /// The ids that match, in the roster's order, and how many there are in all.
    async fn matches(
        &self,
        organization: OrganizationId,
        query: &PatientQuery,
    ) -> Result<(Vec<PatientId>, usize), ServiceError> {
        // Until every identifier and contact is indexed, these cannot be answered in full.
        let unsupported = query
            .identifiers
            .iter()
            .flatten()
            .any(|it| it.value.is_none());
        if unsupported || !query.contacts.is_empty() {
            let why = "Search by an identifier with a value, a name or a birth date.";
            return Err(ServiceError::Unsupported(why));
        }
        let mut numbered: Option<Vec<PatientId>> = None;
        for any_of in &query.identifiers {
            let mut found = Vec::new();
            for identifier in any_of {
                found.extend(self.with_number(organization, identifier).await?);
            }
            numbered = Some(match numbered {
                None => found,
                Some(before) => before.into_iter().filter(|id| found.contains(id)).collect(),
            });
        }
        let roster = self.rosters.of(organization).await?;
        let mut ids = roster.matches(query, numbered.as_deref());
        let total = ids.len();
        ids.truncate(query.count);
        Ok((ids, total))
    }

    /// The patients with a number, compared again after opening: an index is a claim of the database.
    async fn with_number(
        &self,
        organization: OrganizationId,
        identifier: &IdentifierQuery,
    ) -> Result<Vec<PatientId>, ServiceError> {
        let Some(value) = &identifier.value else {
            return Ok(Vec::new());
        };
        let index = self.keys.index(organization).await?;
        let mrn = index.exact(&columns::DEMOGRAPHICS_MRN, value);
        let (of_mrn, of_ssn) = match &identifier.system {
            SystemQuery::Any => (true, true),
            SystemQuery::Is(system) if system.as_str() == SSN_SYSTEM => (false, true),
            SystemQuery::None | SystemQuery::Is(_) => (true, false),
        };
        let ssn = if of_ssn {
            self.keys.ssn_index(organization, value).await?
        } else {
            mrn
        };
        let claimed = self
            .database
            .patients_by_number(organization, mrn, ssn)
            .await?;
        let mut found = Vec::new();
        for patient in self.summaries(organization, &claimed).await? {
            let said = &patient.demographics;
            let same = |number: &Option<Zeroizing<String>>| {
                number
                    .as_ref()
                    .map(|number| index.exact(&columns::DEMOGRAPHICS_MRN, number))
                    == Some(mrn)
            };
            let digits = |text: &str| {
                text.chars()
                    .filter(char::is_ascii_digit)
                    .collect::<Vec<_>>()
            };
            let same_ssn = said
                .social_security_number
                .as_ref()
                .is_some_and(|number| digits(number) == digits(value));
            let matches = (of_mrn && same(&said.medical_record_number)) || (of_ssn && same_ssn);
            if matches {
                found.push(patient.id);
            }
        }
        Ok(found)
    }

    /// What a list shows of these patients, read and opened now, in the order of `ids`.
    async fn summaries(
        &self,
        organization: OrganizationId,
        ids: &[PatientId],
    ) -> Result<Vec<PatientSummary>, ServiceError> {
        let key = self.keys.authorization(organization).await?;
        let rows = self.database.demographics(organization, ids).await?;
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.patient, row)).collect();
        let mut patients = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(row) = rows.remove(id) else { continue };
            let row = key.verify(row)?;
            let scope = self.keys.scope(organization, Owner::Patient(*id)).await?;
            patients.push(PatientSummary {
                id: *id,
                demographics: open(&scope, &row)?,
            });
        }
        Ok(patients)
    }
}

fn open(scope: &Scope, row: &DemographicsRow) -> Result<Demographics, OpenError> {
    let id = row.row_id;
    Ok(Demographics {
        family: text(&scope.open(&columns::DEMOGRAPHICS_FAMILY, id, &row.family)?),
        given: text(&scope.open(&columns::DEMOGRAPHICS_GIVEN, id, &row.given)?),
        birth_date: text(&scope.open(&columns::DEMOGRAPHICS_BIRTH_DATE, id, &row.birth_date)?),
        gender: text(&scope.open(&columns::DEMOGRAPHICS_GENDER, id, &row.gender)?),
        medical_record_number: text(&scope.open(&columns::DEMOGRAPHICS_MRN, id, &row.mrn)?),
        social_security_number: text(&scope.open(&columns::DEMOGRAPHICS_SSN, id, &row.ssn)?),
        phone: text(&scope.open(&columns::DEMOGRAPHICS_PHONE, id, &row.phone)?),
        email: text(&scope.open(&columns::DEMOGRAPHICS_EMAIL, id, &row.email)?),
        address: text(&scope.open(&columns::DEMOGRAPHICS_ADDRESS, id, &row.address)?),
        ..Demographics::default()
    })
}

fn text(field: &Phi<Option<String>>) -> Option<Zeroizing<String>> {
    field
        .expose()
        .as_ref()
        .map(|text| Zeroizing::new(text.clone()))
}
