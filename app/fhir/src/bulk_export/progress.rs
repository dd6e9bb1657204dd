//! The progress of an export, as it is stored between two steps.

use uuid::Uuid;

use super::ExportQuery;
use super::FileContent;
use crate::ResourceType;

/// The first byte of an encoded progress.
const FORMAT: u8 = 1;
/// Code of a progress without a position: the export is complete.
const COMPLETE: u8 = 0;
/// Code of a position at the beginning of a type.
const AT_TYPE: u8 = 1;
/// Code of a position after a resource.
const AFTER: u8 = 2;
/// The length of a UUID, in bytes.
const ID_BYTES: usize = 16;

/// A file of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// What its lines are.
    pub content: FileContent,
    /// The number of its lines, at least one.
    pub count: u32,
    /// The object in which it is stored. A file that is written again gets another one.
    pub object: Uuid,
}

/// The position of the next resource of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportPosition {
    /// The type.
    pub resource_type: ResourceType,
    /// The id of the last resource of the type that was exported or left out; none at the beginning of the type.
    pub after: Option<Uuid>,
}

/// The files of an export so far, and the position of the next resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportProgress {
    next: Option<ExportPosition>,
    files: Vec<ExportFile>,
}

/// Bytes are not an encoded progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the progress of an export")]
pub struct NotProgress;

impl ExportProgress {
    /// The beginning of an export.
    #[must_use]
    pub fn begin(query: &ExportQuery) -> Self {
        Self {
            next: query.types.first().map(|it| at(*it)),
            files: Vec::new(),
        }
    }

    /// The position of the next resource; none of a complete export.
    #[must_use]
    pub const fn next(&self) -> Option<ExportPosition> {
        self.next
    }

    /// The files, in order: a file's number is its index.
    #[must_use]
    pub fn files(&self) -> &[ExportFile] {
        &self.files
    }

    /// The part of the types that is complete, in percent: 100 for a complete export only.
    #[must_use]
    pub fn percent(&self, query: &ExportQuery) -> usize {
        let Some(next) = self.next else { return 100 };
        let done = query.types.iter().position(|it| *it == next.resource_type);
        let done = done.unwrap_or_default().saturating_mul(100);
        done.checked_div(query.types.len())
            .unwrap_or_default()
            .min(99)
    }

    /// Moves on after a resource of the current type, with the files of the resources before the new position.
    pub fn advance(&mut self, after: Uuid, files: impl IntoIterator<Item = ExportFile>) {
        self.files.extend(files);
        if let Some(next) = &mut self.next {
            next.after = Some(after);
        }
    }

    /// Moves on to the next type, with the files of the last resources of the current one.
    pub fn finish_type(
        &mut self,
        query: &ExportQuery,
        files: impl IntoIterator<Item = ExportFile>,
    ) {
        self.files.extend(files);
        let Some(current) = self.next else { return };
        let mut types = query
            .types
            .iter()
            .skip_while(|it| **it != current.resource_type);
        self.next = types.nth(1).map(|it| at(*it));
    }

    /// `format[1] | code[1] | type | id[16] | (type | count[4] | object[16])…`; a type is the length of its name, and its
    /// name.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        match self.next {
            None => bytes.push(COMPLETE),
            Some(ExportPosition {
                resource_type,
                after,
            }) => {
                bytes.push(after.map_or(AT_TYPE, |_id| AFTER));
                encode_name(resource_type.name(), &mut bytes);
                if let Some(after) = after {
                    bytes.extend_from_slice(after.as_bytes());
                }
            }
        }
        for file in &self.files {
            encode_name(file.content.name(), &mut bytes);
            bytes.extend_from_slice(&file.count.to_be_bytes());
            bytes.extend_from_slice(file.object.as_bytes());
        }
        bytes
    }

    /// Decodes a progress.
    ///
    /// # Errors
    ///
    /// The bytes are not an encoded progress.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotProgress> {
        let [FORMAT, code, rest @ ..] = bytes else {
            return Err(NotProgress);
        };
        let (next, mut rest) = match *code {
            COMPLETE => (None, rest),
            AT_TYPE => {
                let (name, rest) = decode_name(rest)?;
                (Some(at(resource_type(name)?)), rest)
            }
            AFTER => {
                let (name, rest) = decode_name(rest)?;
                let (after, rest) = decode_id(rest)?;
                let next = ExportPosition {
                    after: Some(after),
                    ..at(resource_type(name)?)
                };
                (Some(next), rest)
            }
            _ => return Err(NotProgress),
        };
        let mut files = Vec::new();
        while !rest.is_empty() {
            let (name, after) = decode_name(rest)?;
            let (count, after) = after.split_first_chunk().ok_or(NotProgress)?;
            let (object, after) = decode_id(after)?;
            files.push(ExportFile {
                content: FileContent::of_name(name).ok_or(NotProgress)?,
                count: u32::from_be_bytes(*count),
                object,
            });
            rest = after;
        }
        Ok(Self { next, files })
    }
}

const fn at(resource_type: ResourceType) -> ExportPosition {
    ExportPosition {
        resource_type,
        after: None,
    }
}

fn encode_name(name: &str, bytes: &mut Vec<u8>) {
    bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(name.as_bytes());
}

fn decode_name(bytes: &[u8]) -> Result<(&str, &[u8]), NotProgress> {
    let (length, rest) = bytes.split_first().ok_or(NotProgress)?;
    let split = rest.split_at_checked(usize::from(*length));
    let (name, rest) = split.ok_or(NotProgress)?;
    let name = std::str::from_utf8(name).map_err(|_other_bytes| NotProgress)?;
    Ok((name, rest))
}

fn decode_id(bytes: &[u8]) -> Result<(Uuid, &[u8]), NotProgress> {
    let (id, rest) = bytes.split_first_chunk::<ID_BYTES>().ok_or(NotProgress)?;
    Ok((Uuid::from_bytes(*id), rest))
}

fn resource_type(name: &str) -> Result<ResourceType, NotProgress> {
    name.parse().map_err(|_unknown| NotProgress)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ExportLevel;
    use super::*;

    fn query() -> ExportQuery {
        ExportQuery::parse(ExportLevel::Patients, "_type=Patient,Observation,Condition").unwrap()
    }

    fn file(resource_type: ResourceType, count: u32) -> ExportFile {
        ExportFile {
            content: FileContent::Resources(resource_type),
            count,
            object: Uuid::from_u128(u128::from(count)),
        }
    }

    #[test]
    fn an_export_passes_through_each_type_to_its_end() {
        let query = query();
        let mut progress = ExportProgress::begin(&query);
        let mut percents = Vec::new();
        let id = Uuid::from_u128(7);
        for resource_type in &query.types {
            let next = progress.next().unwrap();
            assert_eq!(next, at(*resource_type));
            percents.push(progress.percent(&query));
            progress.advance(id, [file(*resource_type, 1_000)]);
            assert_eq!(progress.next().unwrap().after, Some(id));
            progress.advance(id, []);
            progress.finish_type(&query, [file(*resource_type, 7)]);
        }
        assert_eq!(percents, [0, 33, 66]);
        assert_eq!((progress.next(), progress.percent(&query)), (None, 100));
        let files: Vec<_> = query
            .types
            .iter()
            .flat_map(|it| [file(*it, 1_000), file(*it, 7)])
            .collect();
        assert_eq!(progress.files(), files);
        progress.finish_type(&query, []);
        progress.advance(id, []);
        assert_eq!(progress.next(), None);
    }

    #[test]
    fn what_is_no_progress_is_not_decoded() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x02\x00",
            b"\x01\x03",
            b"\x01\x01\x07Patien",
            b"\x01\x01\x06Secret",
            b"\x01\x02\x07Patient123",
            b"\x01\x00\x07Patient\0\0\0",
            b"\x01\x00\x07Patient\0\0\0\x01123456789012345",
            b"\x01\x01\x10OperationOutcome",
        ] {
            assert_eq!(ExportProgress::decode(bytes), Err(NotProgress), "{bytes:?}");
        }
    }

    fn any_content() -> impl Strategy<Value = FileContent> {
        let of_resources = any_type().prop_map(FileContent::Resources);
        prop_oneof![of_resources, Just(FileContent::Outcomes)]
    }

    fn any_type() -> impl Strategy<Value = ResourceType> {
        proptest::sample::select(ResourceType::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn a_progress_reads_back_as_it_was_written(
            next in proptest::option::of((any_type(), proptest::option::of(any::<u128>()))),
            files in proptest::collection::vec((any_content(), any::<u32>(), any::<u128>()), 0..20),
        ) {
            let progress = ExportProgress {
                next: next.map(|(resource_type, after)| ExportPosition {
                    resource_type,
                    after: after.map(Uuid::from_u128),
                }),
                files: files
                    .into_iter()
                    .map(|(content, count, object)| ExportFile {
                        content,
                        count,
                        object: Uuid::from_u128(object),
                    })
                    .collect(),
            };
            prop_assert_eq!(ExportProgress::decode(&progress.encode()), Ok(progress));
        }

        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            drop(ExportProgress::decode(&bytes));
        }
    }
}
