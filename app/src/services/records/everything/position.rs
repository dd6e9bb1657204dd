//! The position of a page of `$everything`, which its cursor holds.

use fhir::Reference;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The last resource of the page before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EverythingPosition {
    /// A resource of the chart; none for the Patient, which is the first.
    Chart(Option<Reference>),
    /// A resource that the chart refers to; none for the end of the chart.
    Directory(Option<Reference>),
}

const CHART: u8 = 0;
const DIRECTORY: u8 = 1;

impl EverythingPosition {
    /// The encoding: part[1], then id[16] | type of the last resource, if there is one.
    pub(super) fn encode(self) -> Zeroizing<Vec<u8>> {
        let (part, last) = match self {
            Self::Chart(last) => (CHART, last),
            Self::Directory(last) => (DIRECTORY, last),
        };
        let mut bytes = vec![part];
        if let Some(Reference { resource_type, id }) = last {
            bytes.extend_from_slice(id.as_bytes());
            bytes.extend_from_slice(resource_type.name().as_bytes());
        }
        Zeroizing::new(bytes)
    }

    /// The position of an encoding; none for other bytes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (part, rest) = bytes.split_first()?;
        let last = match rest.split_first_chunk::<16>() {
            None => None,
            Some((id, name)) => Some(Reference {
                resource_type: std::str::from_utf8(name).ok()?.parse().ok()?,
                id: Uuid::from_bytes(*id),
            }),
        };
        match *part {
            CHART => Some(Self::Chart(last)),
            DIRECTORY => Some(Self::Directory(last)),
            _ => None,
        }
    }
}

/// The order of resources: by type, then by id.
pub(super) fn order(reference: &Reference) -> (&'static str, Uuid) {
    (reference.resource_type.name(), reference.id)
}

/// Those of resources in order that are after one of them, which may be gone.
pub(super) fn after(all: &[Reference], last: Option<Reference>) -> &[Reference] {
    let Some(last) = last else {
        return all;
    };
    let first = all.partition_point(|it| order(it) <= order(&last));
    all.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use fhir::ResourceType;

    use super::*;

    fn reference(resource_type: ResourceType, id: u128) -> Reference {
        let id = Uuid::from_u128(id);
        Reference { resource_type, id }
    }

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let last = reference(ResourceType::Observation, 7);
        for position in [
            EverythingPosition::Chart(None),
            EverythingPosition::Chart(Some(last)),
            EverythingPosition::Directory(None),
            EverythingPosition::Directory(Some(last)),
        ] {
            let decoded = EverythingPosition::decode(&position.encode());
            assert_eq!(decoded, Some(position));
        }
        for other in [&[][..], &[2], &[1; 17], &[0; 40]] {
            assert_eq!(EverythingPosition::decode(other), None);
        }
    }

    #[test]
    fn a_page_begins_after_the_last_resource_also_if_that_is_gone() {
        let all = [
            reference(ResourceType::Condition, 2),
            reference(ResourceType::Observation, 1),
            reference(ResourceType::Observation, 3),
        ];
        assert_eq!(after(&all, None).len(), 3);
        assert_eq!(
            after(&all, Some(reference(ResourceType::Condition, 2))).len(),
            2
        );
        assert_eq!(
            after(&all, Some(reference(ResourceType::Observation, 2))).len(),
            1
        );
        assert!(after(&all, Some(reference(ResourceType::Procedure, 0))).is_empty());
    }
}
