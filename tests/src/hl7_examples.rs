//! HL7's example resources of R4, as this server can store them: with UUIDs as their ids, and about a patient that
//! exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;
use uuid::Builder;
use uuid::Uuid;

use crate::exact_json::ExactJson;
use progress::Progress;
use tools::NODE;
use tools::Npm;

const EXAMPLES: Npm = Npm {
    name: "hl7.fhir.r4.examples-4.0.1",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../programs/fhir-examples/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../programs/fhir-examples/package-lock.json"),
        ),
    ],
};

/// The files of the examples, by resource type.
#[derive(Debug)]
pub struct Hl7Examples(BTreeMap<String, Vec<PathBuf>>);

/// An example as it is sent.
#[derive(Clone, Debug)]
pub struct Hl7Example {
    /// The name of its file.
    pub name: String,
    /// The resource type.
    pub resource_type: String,
    /// Its id here.
    pub id: Uuid,
    /// The resource.
    pub resource: ExactJson,
}

impl Hl7Examples {
    /// The files, installed if they are missing.
    ///
    /// # Errors
    /// When npm is not available.
    pub fn obtain() -> anyhow::Result<Self> {
        let folder = EXAMPLES.obtain(Progress::hidden())?;
        let folder = folder.join("node_modules/hl7.fhir.r4.examples");
        let mut by_type: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for entry in fs::read_dir(&folder).context("the examples cannot be read")? {
            let path = entry.context("the examples cannot be read")?.path();
            // `Patient-glossy.json`; the others are about the package.
            let name = path.file_stem().and_then(|name| name.to_str());
            if let Some((resource_type, _)) = name.and_then(|name| name.split_once('-'))
                && resource_type.starts_with(|it: char| it.is_ascii_uppercase())
            {
                let files = by_type.entry(resource_type.to_owned()).or_default();
                files.push(path);
            }
        }
        for files in by_type.values_mut() {
            files.sort();
        }
        Ok(Self(by_type))
    }

    /// Every resource type that has an example.
    pub fn resource_types(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The number of examples of a type.
    #[must_use]
    pub fn count(&self, resource_type: &str) -> usize {
        self.0.get(resource_type).map_or(0, Vec::len)
    }

    /// The examples of a type. All that refers to a patient refers to this one.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(&self, resource_type: &str, patient: Uuid) -> anyhow::Result<Vec<Hl7Example>> {
        let files = self.0.get(resource_type).into_iter().flatten();
        files.map(|path| read(path, patient)).collect()
    }

    /// The smallest example of a type.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn smallest(&self, resource_type: &str, patient: Uuid) -> anyhow::Result<Hl7Example> {
        let files = self.0.get(resource_type).into_iter().flatten();
        let size = |path: &&PathBuf| fs::metadata(path).map_or(u64::MAX, |it| it.len());
        let path = files.min_by_key(size).context("no example of this type")?;
        read(path, patient)
    }
}

fn read(path: &Path, patient: Uuid) -> anyhow::Result<Hl7Example> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .context("a file without a name")?
        .to_owned();
    let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    let mut resource = ExactJson::parse(text.trim_start_matches('\u{feff}'))
        .with_context(|| format!("{name} is not JSON"))?;
    let text_of = |member: &str| {
        let text = resource.member(member).and_then(ExactJson::as_text);
        text.with_context(|| format!("{name} has no {member}"))
    };
    let resource_type = text_of("resourceType")?.to_owned();
    let id = id_of(&resource_type, text_of("id")?);
    resource.set_member("id", Some(ExactJson::Text(id.to_string())));
    resource.replace_texts("reference", &|text| reference(text, patient));
    Ok(Hl7Example {
        name,
        resource_type,
        id,
        resource,
    })
}

/// A UUID of version 4 that is always the same for this example.
fn id_of(resource_type: &str, id: &str) -> Uuid {
    let digest = Sha256::digest(format!("{resource_type}/{id}"));
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    Builder::from_random_bytes(bytes).into_uuid()
}

/// A reference with the ids of this server. References to contained resources, and addresses elsewhere of what is not a
/// patient, stay as they are.
fn reference(text: &str, patient: Uuid) -> String {
    let (unversioned, version) = match text.split_once("/_history/") {
        Some((before, version)) => (before, format!("/_history/{version}")),
        None => (text, String::new()),
    };
    let mut parts = unversioned.rsplit('/');
    let (id, resource_type) = (parts.next(), parts.next());
    let is_relative = parts.next().is_none();
    match (resource_type, id) {
        // The one patient has no version of these examples.
        (Some("Patient"), Some(_)) => format!("Patient/{patient}"),
        (Some(resource_type), Some(id)) if is_relative => {
            format!("{resource_type}/{}{version}", id_of(resource_type, id))
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::id_of;
    use super::reference;

    #[test]
    fn references_name_the_patient_and_the_ids_of_this_server() {
        let patient = Uuid::nil();
        let to_patient = format!("Patient/{patient}");
        let to_device = format!("Device/{}", id_of("Device", "d"));
        let cases = [
            ("Patient/example", to_patient.clone()),
            ("Patient/example/_history/3", to_patient.clone()),
            ("http://example.org/fhir/Patient/1", to_patient),
            ("Device/d", to_device.clone()),
            ("Device/d/_history/2", format!("{to_device}/_history/2")),
            ("#contained", "#contained".to_owned()),
            (
                "http://example.org/fhir/Device/d",
                "http://example.org/fhir/Device/d".to_owned(),
            ),
            ("urn:oid:1.2.3", "urn:oid:1.2.3".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(reference(text, patient), expected, "{text}");
        }
        assert_eq!(id_of("Device", "d").get_version_num(), 4);
    }
}
