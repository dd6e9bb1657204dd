//! The mapping of a source's ids to UUIDs.

use std::path::Path;

use anyhow::ensure;
use fhir::ResourceType;
use fhir::parse_id;

use super::namespace::Namespace;

/// The mapping of ids that are not UUIDs, for one organization.
#[derive(Debug)]
pub struct IdMapping {
    namespace: Namespace,
    source: Option<String>,
}

impl IdMapping {
    /// The mapping of an organization, whose secret is in `folder`. `source` is the URI of the system that assigned the
    /// ids, for entries whose `fullUrl` does not have it.
    ///
    /// # Errors
    /// When the secret cannot be read or made, or `source` is no URI.
    pub fn open(folder: &Path, organization: &str, source: Option<&str>) -> anyhow::Result<Self> {
        Ok(Self {
            source: checked(source)?,
            namespace: Namespace::open(folder, organization)?,
        })
    }

    /// The mapping of a dry run: it reads and writes no secret, and its ids are not those of an import.
    ///
    /// # Errors
    /// When `source` is no URI.
    pub fn for_dry_run(source: Option<&str>) -> anyhow::Result<Self> {
        Ok(Self {
            source: checked(source)?,
            namespace: Namespace::of_dry_run(),
        })
    }

    /// The URI of the source, if it was named.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The UUID of a resource of a source.
    pub(super) fn id(&self, base: &str, resource_type: &str, id: &str) -> String {
        self.namespace.uuid(base, resource_type, id).to_string()
    }
}

/// Whether the stack accepts an id as it is.
pub(super) fn is_accepted(resource_type: &str, id: &str) -> bool {
    parse_id(id).is_ok_and(|uuid| {
        let known: Result<ResourceType, _> = resource_type.parse();
        known.map_or(true, |known| known.check_id(uuid).is_ok())
    })
}

/// A source's URI, without a slash at its end.
fn checked(source: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(source) = source else {
        return Ok(None);
    };
    let source = source.trim_end_matches('/');
    let is_uri = source.split_once(':').is_some_and(|(scheme, rest)| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme.bytes().all(allowed)
            && !rest.is_empty()
    });
    let is_plain = !source.contains(|at: char| at.is_whitespace() || at.is_control());
    ensure!(
        is_uri && is_plain && !source.contains(['|', '#', '?']),
        "--source is the URI of the system that assigned the ids, such as https://hospital.example/fhir"
    );
    Ok(Some(source.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_uri() {
        let source = |text| IdMapping::for_dry_run(Some(text));
        assert_eq!(
            source("https://h/fhir/").unwrap().source(),
            Some("https://h/fhir")
        );
        assert!(source("urn:oid:1.2.3").is_ok());
        for other in [
            "hospital",
            "",
            ":x",
            "https:",
            "https://h/a b",
            "https://h?x=1",
        ] {
            assert!(source(other).is_err(), "{other}");
        }
    }

    #[test]
    fn an_id_is_kept_if_the_stack_accepts_it() {
        let random = "c757873d-ec9a-4326-a141-556f43239520";
        assert!(is_accepted("Patient", random));
        assert!(is_accepted(
            "Observation",
            "c757873d-ec9a-1326-a141-556f43239520"
        ));
        assert!(!is_accepted(
            "Patient",
            "c757873d-ec9a-1326-a141-556f43239520"
        ));
        assert!(!is_accepted("Observation", "blood-pressure"));
        assert!(!is_accepted("Observation", &random.to_uppercase()));
    }
}
