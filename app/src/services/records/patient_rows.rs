//! The rows by which a patient is listed and found: individually sealed fields, and blind index
//! tokens.

use db::DemographicsRow;
use db::PatientToken;
use phi::AuthorizationKey;
use phi::Column;
use phi::IndexParameter;
use phi::OrganizationId;
use phi::PatientId;
use phi::RowId;
use phi::RowMac;
use phi::ScopeKey;
use phi::SealError;
use phi::Sealed;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Change;
use super::Effect;
use super::Records;
use super::planned_change::PlannedChange;
use super::sealed_rows::PatientRows;
use super::sealed_rows::Sealing;
use crate::services::blind_indexes::IndexedValue;
use crate::services::error::ServiceError;
use crate::services::roster::RosterEntry;
use fhir::ContactSystem;
use fhir::Demographics;
use fhir::PatientContact;
use fhir::PatientIdentifier;
use fhir::Resource;

/// The length of a token, in bytes.
const TOKEN_BYTES: usize = 16;

impl Records {
    /// The rows of a new version of a Patient.
    pub(super) async fn patient_rows(
        &self,
        sealing: Sealing<'_>,
        change: &Change<'_>,
        resource: &Resource,
        index: usize,
        step: &PlannedChange,
    ) -> Result<PatientRows, ServiceError> {
        let Sealing { key, scope, now } = sealing;
        let fields = Demographics::of(resource);
        let organization = scope.organization();
        // Computed once for each change: tokens may cost calls of the key service, and an attempt
        // may be repeated.
        let tokens = change
            .tokens
            .get_or_try_init(|| self.tokens_of(organization, indexed_values(&fields)));
        let tokens = tokens.await?.clone();
        let patient = PatientId::from_uuid(change.id);
        let row = demographics_row(key, scope, patient, step.version, fields, now)?;
        #[cfg(feature = "next-release")]
        let row = crate::services::next_release::with_note(&self.database, key, scope, row)?;
        Ok(PatientRows {
            change: index,
            is_new: step.effect == Effect::Created,
            demographics: row,
            tokens,
        })
    }

    /// The tokens of a changed patient that no other patient may have.
    pub(super) async fn unique_tokens<'c>(
        &self,
        organization: OrganizationId,
        change: &'c Change<'_>,
        fields: &Demographics,
    ) -> Result<&'c [PatientToken], ServiceError> {
        let unique = indexed_values(fields).into_iter().filter(|it| it.unique);
        let tokens = change
            .unique_tokens
            .get_or_try_init(|| self.tokens_of(organization, unique.collect()));
        Ok(tokens.await?)
    }

    /// The tokens of values, without duplicates.
    async fn tokens_of(
        &self,
        organization: OrganizationId,
        values: Vec<IndexedValue<'_>>,
    ) -> Result<Vec<PatientToken>, ServiceError> {
        let mut tokens = Vec::new();
        for value in values {
            tokens.extend(self.indexes.tokens_to_store(organization, value).await?);
        }
        // Of equal tokens the unique one is first, and stays.
        tokens.sort_unstable_by_key(|it| (it.parameter, it.version, it.token, !it.unique));
        tokens.dedup_by_key(|it| (it.parameter, it.version, it.token));
        Ok(tokens)
    }
}

/// The row with a patient's fields, each sealed individually.
fn demographics_row(
    key: &AuthorizationKey,
    scope: &ScopeKey,
    patient: PatientId,
    version: u32,
    fields: Demographics,
    now: OffsetDateTime,
) -> Result<DemographicsRow, ServiceError> {
    let row_id = RowId::random();
    let entry = RosterEntry::of(&fields, now).to_bytes()?;
    macro_rules! row {
        (
            first { $($(#[$doc:meta])* $tag:literal $first:ident: $column:ident;)* }
            later { $($(#[$later_doc:meta])* $later_tag:literal $later:ident: $later_column:ident;)* }
        ) => {
            DemographicsRow {
                organization: scope.organization(),
                patient,
                row_id,
                version,
                $($first: seal_field(scope, row_id, fields.$first)?,)*
                roster_entry: scope.seal(row_id, &*entry)?,
                $($later: Some(seal_field(scope, row_id, fields.$later)?),)*
                #[cfg(feature = "next-release")]
                next_release_note: None,
                mac: RowMac::UNSET,
            }
        };
    }
    Ok(key.authenticate(phi::patient_fields!(row)))
}

/// Seals a field, and wipes the plaintext.
fn seal_field<C>(
    scope: &ScopeKey,
    row: RowId,
    field: Option<Zeroizing<String>>,
) -> Result<Sealed<C>, SealError>
where
    C: Column<Value = Option<String>>,
{
    let plain = Zeroizing::new(field.map(|mut text| std::mem::take(&mut *text)));
    scope.seal(row, &*plain)
}

/// The values under which a patient is indexed.
fn indexed_values(fields: &Demographics) -> Vec<IndexedValue<'_>> {
    let identifiers = fields.identifiers.iter().flat_map(indexed_identifier);
    let contacts = fields.contacts.iter().map(indexed_contact);
    identifiers.chain(contacts).collect()
}

/// The values of an identifier: by system and value, by value alone, and by system alone.
fn indexed_identifier(identifier: &PatientIdentifier) -> [IndexedValue<'_>; 3] {
    let system = identifier.system.as_ref().map(|system| system.as_str());
    let value = identifier.value.as_str();
    let low_entropy = identifier.is_social_security_number();
    // HL7 v2-0203: MR is a medical record number. One of an organization is unique while it is in
    // use.
    let is_record_number = identifier
        .type_codes
        .iter()
        .any(|code| code.as_str() == "MR");
    [
        IndexedValue {
            low_entropy,
            unique: is_record_number && system.is_some() && !identifier.old,
            ..IndexedValue::new(IndexParameter::Identifier, system, value)
        },
        IndexedValue {
            low_entropy,
            ..IndexedValue::new(IndexParameter::IdentifierValue, None, value)
        },
        IndexedValue::new(
            IndexParameter::IdentifierSystem,
            None,
            system.unwrap_or_default(),
        ),
    ]
}

/// The value of a telephone number, or of an e-mail address or another contact, which are indexed alike:
/// matches are compared again.
fn indexed_contact(contact: &PatientContact) -> IndexedValue<'_> {
    let parameter = match contact.system {
        ContactSystem::Email | ContactSystem::Other => IndexParameter::Email,
        ContactSystem::Phone | ContactSystem::OtherNumber => IndexParameter::Phone,
    };
    IndexedValue::new(parameter, None, &contact.value)
}

/// The length of a patient's fields in a list, of the entry in a roster, or of the tokens of identifiers
/// and contacts, whichever is longest, in bytes.
pub(super) fn demographics_bytes(fields: &Demographics) -> Result<usize, ServiceError> {
    let shown = [
        &fields.family,
        &fields.given,
        &fields.birth_date,
        &fields.gender,
        &fields.mrn,
        &fields.ssn,
        &fields.phone,
        &fields.email,
        &fields.address,
        &fields.died,
    ];
    let shown = shown.into_iter().flatten().map(|text| text.len());
    let entry = RosterEntry::of(fields, OffsetDateTime::UNIX_EPOCH);
    let tokens = TOKEN_BYTES * indexed_values(fields).len();
    Ok(entry.bytes()?.max(shown.sum()).max(tokens))
}

/// The number of a patient's social security numbers.
pub(super) fn count_social_security_numbers(fields: &Demographics) -> usize {
    let identifiers = fields.identifiers.iter();
    identifiers
        .filter(|it| it.is_social_security_number())
        .count()
}
