//! The request of an export, as it is stored.

use super::ExportQuery;

/// The first byte of an encoded request.
const FORMAT: u8 = 1;

/// The request of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRequest {
    /// What the export contains.
    pub query: ExportQuery,
    /// The version of the group at the time of the request, whose members the export is about; none without a group.
    pub group_version: Option<u64>,
}

/// Bytes are not an encoded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the request of an export")]
pub struct NotARequest;

impl ExportRequest {
    /// `format[1] | version of the group[8] | path and query`; the version is 0 without a group.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let version = self.group_version.unwrap_or_default();
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes.extend_from_slice(self.query.request().as_bytes());
        bytes
    }

    /// Decodes a request.
    ///
    /// # Errors
    ///
    /// The bytes are not an encoded request.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotARequest> {
        let [FORMAT, rest @ ..] = bytes else {
            return Err(NotARequest);
        };
        let (version, request) = rest.split_first_chunk().ok_or(NotARequest)?;
        let version = u64::from_be_bytes(*version);
        let request = std::str::from_utf8(request).map_err(|_other_bytes| NotARequest)?;
        let query = ExportQuery::parse_request(request).map_err(|_refused| NotARequest)?;
        Ok(Self {
            query,
            group_version: (version > 0).then_some(version),
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::ExportLevel;
    use super::*;

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        let since = "_type=Patient,Observation&_since=2026-11-29T12:00:00.123Z";
        for (level, query, group_version) in [
            (ExportLevel::Organization, "", None),
            (ExportLevel::Patients, since, None),
            (ExportLevel::Group(Uuid::from_u128(7)), since, Some(3)),
        ] {
            let request = ExportRequest {
                query: ExportQuery::parse(level, query).unwrap(),
                group_version,
            };
            assert_eq!(ExportRequest::decode(&request.encode()), Ok(request));
        }
    }

    #[test]
    fn what_is_no_request_is_not_decoded() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x02\0\0\0\0\0\0\0\0$export",
            b"\x01\0\0\0\0\0\0\0\0",
            b"\x01\0\0\0\0\0\0\0\0$export?_type=Secret",
        ] {
            assert_eq!(ExportRequest::decode(bytes), Err(NotARequest), "{bytes:?}");
        }
    }
}
