//! Bulk exports (FHIR Bulk Data Access IG 2.0): the parameters of a request, the progress, the files and the manifest.
//!
//! An export is a list of files, each with resources of one type as NDJSON, or with outcomes about resources that could not
//! be opened. Types follow each other in the order of [`ResourceType::ALL`], resources of a type in the order of their ids,
//! so that a position is a type and an id.

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Compartment;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::SensitiveJson;
use crate::Severity;
use crate::Status;
use crate::VersionMeta;
use crate::instant_text;
use crate::parse_id;

mod file_index;
mod members;
mod parameters;
mod part;
mod progress;
mod query;
mod request;

pub use file_index::FileIndex;
pub use file_index::IndexedRecord;
pub use file_index::NotAnIndex;
pub use members::current_members;
pub use parameters::query_of_parameters;
pub use part::FileId;
pub use part::PartSequence;
pub use part::WrongPart;
pub use progress::ExportFile;
pub use progress::ExportPosition;
pub use progress::ExportProgress;
pub use progress::NotProgress;
pub use query::ExportQuery;
pub use query::FORMATS;
pub use request::ExportRequest;
pub use request::NotARequest;

/// The media type of an export's files.
pub const FHIR_NDJSON: &str = "application/fhir+ndjson";

/// The resources that an export is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportLevel {
    /// All resources of the organization: `[base]/$export`.
    Organization,
    /// Those in the compartments of all patients: `[base]/Patient/$export`.
    Patients,
    /// Those in the compartments of a group's members: `[base]/Group/{id}/$export`.
    Group(Uuid),
}

impl ExportLevel {
    /// The path of the operation below the base.
    #[must_use]
    pub fn path(self) -> String {
        match self {
            Self::Organization => "$export".to_owned(),
            Self::Patients => "Patient/$export".to_owned(),
            Self::Group(id) => format!("Group/{id}/$export"),
        }
    }

    /// The level of a path below the base; none for the path of no export.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        match path {
            "$export" => Some(Self::Organization),
            "Patient/$export" => Some(Self::Patients),
            _ => {
                let group = path.strip_prefix("Group/")?.strip_suffix("/$export")?;
                parse_id(group).ok().map(Self::Group)
            }
        }
    }

    /// Whether resources of a type may be part of the export.
    #[must_use]
    pub fn includes(self, resource_type: ResourceType) -> bool {
        match self {
            Self::Organization => true,
            Self::Patients | Self::Group(_) => {
                resource_type.compartment() != Some(Compartment::Directory)
            }
        }
    }
}

/// What the lines of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// Resources of one type.
    Resources(ResourceType),
    /// An `OperationOutcome` for each resource that could not be opened.
    Outcomes,
}

/// The name of the type of outcomes, which are not stored as resources.
const OUTCOME: &str = "OperationOutcome";

impl FileContent {
    /// The type of the lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resources(resource_type) => resource_type.name(),
            Self::Outcomes => OUTCOME,
        }
    }

    /// The content of this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        if name == OUTCOME {
            return Some(Self::Outcomes);
        }
        name.parse().ok().map(Self::Resources)
    }
}

/// The line of a resource that could not be opened in a file of outcomes.
#[must_use]
pub fn unopened_line(unopened: Reference) -> Zeroizing<Vec<u8>> {
    let why = format!(
        "{unopened} is stored and cannot be opened, because its stored data is damaged: it is not part of the export"
    );
    let issue = Issue {
        severity: Severity::Warning,
        ..Issue::new(IssueCode::Incomplete, why)
    };
    let outcome = OperationOutcome::new(Status::InternalServerError, issue).to_json();
    let mut line = SensitiveJson::new(outcome).to_bytes();
    line.push(b'\n');
    line
}

/// The line of a resource in a file: its JSON, which has no line break, and one at the end.
#[must_use]
pub fn ndjson_line(resource: Resource, meta: VersionMeta) -> Zeroizing<Vec<u8>> {
    let mut line = resource.with_meta(meta).into_document().to_bytes();
    line.push(b'\n');
    line
}

/// The manifest of a complete export. `origin` is this server's, `request` the path and query of the request below the
/// base; `at` is the transaction time: what is stored later may be missing.
#[must_use]
pub fn manifest(
    origin: &str,
    export: Uuid,
    request: &str,
    at: OffsetDateTime,
    files: &[ExportFile],
) -> SensitiveJson {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    for (number, file) in files.iter().enumerate() {
        let list = match file.content {
            FileContent::Resources(_) => &mut output,
            FileContent::Outcomes => &mut error,
        };
        list.push(json!({
            "type": file.content.name(),
            "url": format!("{origin}/fhir/$export-file/{export}/{number}"),
            "count": file.count,
        }));
    }
    SensitiveJson::new(json!({
        "transactionTime": instant_text(at),
        "request": format!("{origin}/fhir/{request}"),
        "requiresAccessToken": true,
        "output": Value::Array(output),
        "error": Value::Array(error),
    }))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_line_is_the_resource_with_its_version_and_has_one_line_break() {
        let id = "0b1c6f9e-3f0e-4c7f-9a55-0d4a9f0b1c6f";
        let stored = format!(
            r#"{{"resourceType":"Patient","id":"{id}","text":{{"status":"generated","div":"<div>\n</div>"}}}}"#
        );
        let resource = Resource::from_stored_bytes(stored.as_bytes()).unwrap();
        let meta = VersionMeta {
            version: 3,
            last_updated: datetime!(2026-11-29 12:00 UTC),
        };
        let line = ndjson_line(resource, meta);
        let first = line.iter().position(|byte| *byte == b'\n');
        assert_eq!(first, Some(line.len() - 1));
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["id"], id);
        assert_eq!(value["meta"]["versionId"], "3");
    }

    #[test]
    fn the_manifest_lists_each_file_with_its_type_count_and_url() {
        let file = |content, count| ExportFile {
            content,
            count,
            object: Uuid::nil(),
        };
        let files = [
            file(FileContent::Resources(ResourceType::Patient), 1_000),
            file(FileContent::Outcomes, 1),
            file(FileContent::Resources(ResourceType::Observation), 7),
        ];
        let export = Uuid::from_u128(7);
        let at = datetime!(2026-11-29 12:00 UTC);
        let origin = "https://localhost:8443";
        let manifest = manifest(origin, export, "Patient/$export?_type=Patient", at, &files);
        let expected = json!({
            "transactionTime": "2026-11-29T12:00:00.000Z",
            "request": "https://localhost:8443/fhir/Patient/$export?_type=Patient",
            "requiresAccessToken": true,
            "output": [
                {
                    "type": "Patient",
                    "url": format!("https://localhost:8443/fhir/$export-file/{export}/0"),
                    "count": 1000
                },
                {
                    "type": "Observation",
                    "url": format!("https://localhost:8443/fhir/$export-file/{export}/2"),
                    "count": 7
                }
            ],
            "error": [{
                "type": "OperationOutcome",
                "url": format!("https://localhost:8443/fhir/$export-file/{export}/1"),
                "count": 1
            }]
        });
        let manifest: Value = serde_json::from_slice(&manifest.to_bytes()).unwrap();
        assert_eq!(manifest, expected);
    }

    #[test]
    fn a_resource_that_cannot_be_opened_is_one_line_with_a_warning() {
        let unopened = Reference {
            resource_type: ResourceType::Observation,
            id: Uuid::from_u128(7),
        };
        let line = unopened_line(unopened);
        let first = line.iter().position(|byte| *byte == b'\n');
        assert_eq!(first, Some(line.len() - 1));
        let outcome: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let text = outcome["issue"][0]["diagnostics"].as_str().unwrap();
        assert!(text.starts_with(&unopened.to_string()), "{text}");
    }

    #[test]
    fn an_export_of_patients_has_no_directory() {
        for level in [ExportLevel::Patients, ExportLevel::Group(Uuid::nil())] {
            assert!(level.includes(ResourceType::Patient));
            assert!(level.includes(ResourceType::Observation));
            assert!(!level.includes(ResourceType::Practitioner));
        }
        let mut all = ResourceType::ALL.into_iter();
        assert!(all.all(|it| ExportLevel::Organization.includes(it)));
    }
}
