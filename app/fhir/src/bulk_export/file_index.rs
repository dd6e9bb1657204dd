//! The index of a file: the records of its lines, by which a download is recorded.

use uuid::Uuid;

use crate::ResourceType;

/// Code of a record of the organization, or of an unknown owner.
const WITHOUT_PATIENT: u8 = 0;
/// Code of a record of a patient.
const OF_PATIENT: u8 = 1;
/// The length of an encoded record, in bytes: `id[16] | version[4] | code[1] | patient[16]`.
const RECORD_BYTES: usize = 37;

/// The record of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedRecord {
    /// The resource's id.
    pub id: Uuid,
    /// The exported version; none of a resource that could not be opened.
    pub version: Option<u32>,
    /// The patient that owns it; none if the organization does.
    pub patient: Option<Uuid>,
}

/// The records of a file's lines, in their order. All are of one type, also in a file of outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileIndex {
    resource_type: ResourceType,
    records: Vec<IndexedRecord>,
}

/// Bytes are not an encoded index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the index of an exported file")]
pub struct NotAnIndex;

impl FileIndex {
    /// The index of a file without lines.
    #[must_use]
    pub const fn new(resource_type: ResourceType) -> Self {
        Self {
            resource_type,
            records: Vec::new(),
        }
    }

    /// Adds the record of the next line.
    pub fn push(&mut self, record: IndexedRecord) {
        self.records.push(record);
    }

    /// The type of the records.
    #[must_use]
    pub const fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> &[IndexedRecord] {
        &self.records
    }

    /// `length[1] | name of the type | (id[16] | version[4] | code[1] | patient[16])…`; a version of 0 is none, and without a patient its bytes are 0.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let name = self.resource_type.name().as_bytes();
        let length = self.records.len().saturating_mul(RECORD_BYTES);
        let mut bytes = Vec::with_capacity(length.saturating_add(1 + name.len()));
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name);
        for record in &self.records {
            bytes.extend_from_slice(record.id.as_bytes());
            bytes.extend_from_slice(&record.version.unwrap_or_default().to_be_bytes());
            bytes.push(record.patient.map_or(WITHOUT_PATIENT, |_id| OF_PATIENT));
            bytes.extend_from_slice(record.patient.unwrap_or_default().as_bytes());
        }
        bytes
    }

    /// Decodes an index.
    ///
    /// # Errors
    ///
    /// The bytes are not an encoded index.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAnIndex> {
        let (length, rest) = bytes.split_first().ok_or(NotAnIndex)?;
        let split = rest.split_at_checked(usize::from(*length));
        let (name, rest) = split.ok_or(NotAnIndex)?;
        let name = std::str::from_utf8(name).ok();
        let resource_type = name.and_then(|name| name.parse().ok()).ok_or(NotAnIndex)?;
        let (records, rest) = rest.as_chunks::<RECORD_BYTES>();
        if !rest.is_empty() {
            return Err(NotAnIndex);
        }
        let records = records.iter().map(|record| decode_record(record));
        let records: Option<_> = records.collect();
        Ok(Self {
            resource_type,
            records: records.ok_or(NotAnIndex)?,
        })
    }
}

fn decode_record(bytes: &[u8]) -> Option<IndexedRecord> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (version, rest) = rest.split_first_chunk()?;
    let version = u32::from_be_bytes(*version);
    let (code, patient) = rest.split_first()?;
    let patient = Uuid::from_slice(patient).ok()?;
    Some(IndexedRecord {
        id: Uuid::from_bytes(*id),
        version: (version > 0).then_some(version),
        patient: match *code {
            WITHOUT_PATIENT if patient.is_nil() => None,
            OF_PATIENT => Some(patient),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(records: &[IndexedRecord]) -> FileIndex {
        let mut index = FileIndex::new(ResourceType::Observation);
        for record in records {
            index.push(*record);
        }
        index
    }

    #[test]
    fn what_is_no_index_is_not_decoded() {
        let record = IndexedRecord {
            id: Uuid::from_u128(7),
            version: Some(3),
            patient: None,
        };
        let valid = index(&[record]).encode();
        let (cut, mut code) = (&valid[..valid.len() - 1], valid.clone());
        let at = valid.len() - 17;
        code[at] = 2;
        let mut patient = valid.clone();
        patient[at + 1] = 1;
        for bytes in [&b""[..], b"\x07Patien", b"\x06Secret", cut, &code, &patient] {
            assert_eq!(FileIndex::decode(bytes), Err(NotAnIndex), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn an_index_reads_back_as_it_was_written(
            records in proptest::collection::vec(
                (any::<u128>(), any::<u32>(), proptest::option::of(any::<u128>())), 0..20
            ),
        ) {
            let records: Vec<_> = records
                .into_iter()
                .map(|(id, version, patient)| IndexedRecord {
                    id: Uuid::from_u128(id),
                    version: (version > 0).then_some(version),
                    patient: patient.map(Uuid::from_u128),
                })
                .collect();
            let index = index(&records);
            prop_assert_eq!(FileIndex::decode(&index.encode()), Ok(index));
        }
    }
}
