//! The check that medical record numbers are unique, before anything is sealed.
//!
//! The unique key of the database's index has the last word when tokens are stored, one patient at
//! a time. This check predicts its refusals for all changes of a request together, so that a
//! request is not repeated for each of them.

use std::collections::BTreeMap;
use std::collections::HashMap;

use db::PatientToken;
use fhir::Demographics;
use fhir::ResourceType;
use phi::IndexToken;
use phi::OrganizationId;
use phi::PatientId;

use super::Change;
use super::Effect;
use super::Records;
use super::Refusal;
use super::RefusalReason;
use super::patient_rows::count_social_security_numbers;
use super::patient_rows::demographics_bytes;
use super::planned_change::PlannedChange;
use crate::limits::MAX_DEMOGRAPHICS_BYTES;
use crate::limits::MAX_SOCIAL_SECURITY_NUMBERS;
use crate::services::error::ServiceError;

/// A token as the unique key contains it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct UniqueToken {
    version: u16,
    token: IndexToken,
}

impl From<&PatientToken> for UniqueToken {
    fn from(token: &PatientToken) -> Self {
        Self {
            version: token.version,
            token: token.token,
        }
    }
}

/// The patients that have unique tokens, while the changes of a request are applied: what they remove, before what they add,
/// so that the order of the changes does not matter.
#[derive(Default)]
struct TokenHolders {
    by_token: HashMap<UniqueToken, PatientId>,
    by_patient: HashMap<PatientId, Vec<UniqueToken>>,
}

impl TokenHolders {
    fn insert(&mut self, token: UniqueToken, patient: PatientId) {
        self.by_token.insert(token, patient);
        self.by_patient.entry(patient).or_default().push(token);
    }

    /// Removes a patient's tokens.
    fn remove(&mut self, patient: PatientId) {
        for token in self.by_patient.remove(&patient).unwrap_or_default() {
            self.by_token.remove(&token);
        }
    }

    /// Adds a patient's tokens, unless another patient has one of them.
    fn add(&mut self, patient: PatientId, tokens: &[PatientToken]) -> bool {
        let tokens = || tokens.iter().map(UniqueToken::from);
        let has_other = |token| self.by_token.get(&token).is_some_and(|it| *it != patient);
        if tokens().any(has_other) {
            return false;
        }
        tokens().for_each(|token| self.insert(token, patient));
        true
    }
}

impl Records {
    /// Refuses patients with a medical record number that another patient has, with too many social
    /// security numbers, or with demographics that are too long for lists.
    pub(super) async fn refuse_taken_numbers(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        steps: &[Option<PlannedChange>],
        refused: &mut BTreeMap<usize, Refusal>,
    ) -> Result<(), ServiceError> {
        let mut patients: Vec<(usize, PatientId, &[PatientToken])> = Vec::new();
        let mut deleted = Vec::new();
        for (index, (change, step)) in changes.iter().zip(steps).enumerate() {
            if change.resource_type == ResourceType::Patient
                && step.as_ref().is_some_and(|it| it.effect == Effect::Deleted)
            {
                deleted.push(PatientId::from_uuid(change.id));
            }
            let is_written = step.as_ref().is_some_and(|it| it.effect.writes());
            let resource = change.resource();
            let resource = resource.filter(|_| is_written && change.stores_patient());
            let Some(resource) = resource else {
                continue;
            };
            let fields = Demographics::of(resource);
            if count_social_security_numbers(&fields) > MAX_SOCIAL_SECURITY_NUMBERS {
                let reason = RefusalReason::TooManySocialSecurityNumbers;
                refused.insert(index, Refusal::new(index, reason));
                continue;
            }
            if demographics_bytes(&fields)? > MAX_DEMOGRAPHICS_BYTES {
                let reason = RefusalReason::DemographicsTooLong;
                refused.insert(index, Refusal::new(index, reason));
                continue;
            }
            let tokens = self.unique_tokens(organization, change, &fields).await?;
            patients.push((index, change.id.into(), tokens));
        }
        let tokens: Vec<_> = patients
            .iter()
            .flat_map(|(_, _, it)| *it)
            .copied()
            .collect();
        if tokens.is_empty() {
            return Ok(());
        }
        let stored = self
            .database
            .holders_of_unique_tokens(organization, &tokens);
        let mut holders = TokenHolders::default();
        for (token, patient) in stored.await? {
            holders.insert((&token).into(), patient);
        }
        let written = patients.iter().map(|(_, patient, _)| *patient);
        for patient in written.chain(deleted) {
            holders.remove(patient);
        }
        for (index, patient, tokens) in patients {
            if !holders.add(patient, tokens) {
                let reason = RefusalReason::MedicalRecordNumberTaken;
                refused.insert(index, Refusal::new(index, reason));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use phi::IndexParameter;

    use super::*;

    fn token(number: u8) -> PatientToken {
        PatientToken {
            parameter: IndexParameter::Identifier,
            version: 1,
            token: IndexToken::from_bytes([number; 16]),
            unique: true,
        }
    }

    #[test]
    fn a_number_is_free_once_it_is_removed_from_its_patient() {
        let (one, other) = (PatientId::random(), PatientId::random());
        let mut holders = TokenHolders::default();
        holders.insert((&token(1)).into(), one);
        assert!(!holders.add(other, &[token(1)]));
        assert!(holders.add(one, &[token(1), token(2)]));
        holders.remove(one);
        assert!(holders.add(other, &[token(1), token(2)]));
        assert!(!holders.add(one, &[token(2)]));
        assert!(holders.add(one, &[token(3)]));
    }

    #[test]
    fn two_patients_exchange_their_numbers() {
        let (one, other) = (PatientId::random(), PatientId::random());
        let mut holders = TokenHolders::default();
        holders.insert((&token(1)).into(), one);
        holders.insert((&token(2)).into(), other);
        holders.remove(one);
        holders.remove(other);
        assert!(holders.add(one, &[token(2)]));
        assert!(holders.add(other, &[token(1)]));
        assert!(!holders.add(PatientId::random(), &[token(1)]));
    }
}
