//! Synthea-like patients, the same in every run: copies of the histories in `tests/data`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use import::expand;
use serde_json::Value;
use serde_json::json;

use super::chart::Template;
use super::chart::id;
use super::chart::is_a;
use super::chart::link;
use super::chart::text;

/// Directory resources in one transaction.
const CHUNK: usize = 100;
/// The types of the directory.
const DIRECTORY: [&str; 3] = ["Organization", "Location", "Practitioner"];

/// A transaction, and the number of its resources.
pub(super) struct Transaction {
    pub(super) body: Bytes,
    pub(super) resources: u32,
}

/// Patients of any number, and the directory that they share.
pub(super) struct Histories {
    directory: Vec<Value>,
    templates: Vec<Template>,
}

impl Histories {
    /// Reads the bundles of both organizations below a folder.
    pub(super) fn read(data: &Path) -> anyhow::Result<Self> {
        let files = expand(&[data.join("riverside"), data.join("lakeside")])?;
        let mut directory = BTreeMap::new();
        let mut templates = Vec::new();
        for file in files {
            let resources = resources(&file).with_context(|| file.display().to_string())?;
            templates.push(Template::cut(&resources)?);
            let shared = resources.into_iter();
            let shared = shared.filter(|it| DIRECTORY.iter().any(|kind| is_a(it, kind)));
            directory.extend(shared.filter_map(|it| Some((id(&it)?, it))));
        }
        let types = directory.iter();
        let types = types.filter_map(|(id, it)| Some((*id, text(it, "/resourceType")?.to_owned())));
        let types: BTreeMap<_, _> = types.collect();
        for template in &mut templates {
            template.link(&types);
        }
        let mut directory: Vec<Value> = directory.into_values().collect();
        for resource in &mut directory {
            link(resource, &types);
        }
        Ok(Self {
            directory,
            templates,
        })
    }

    /// The first directory resource of a type.
    pub(super) fn shared(&self, kind: &str) -> Option<&Value> {
        self.directory.iter().find(|it| is_a(it, kind))
    }

    /// All directory resources, as transactions.
    pub(super) fn directory(&self) -> Vec<Transaction> {
        self.directory.chunks(CHUNK).map(transaction).collect()
    }

    /// The resources of a patient, the Patient first.
    pub(super) fn history(&self, number: u32) -> Vec<Value> {
        let place = usize::try_from(number).unwrap_or_default() % self.templates.len().max(1);
        let template = self.templates.get(place);
        template.map(|it| it.copy(number)).unwrap_or_default()
    }

    /// A patient's whole history, as one transaction.
    pub(super) fn transaction(&self, number: u32) -> Transaction {
        transaction(&self.history(number))
    }
}

fn resources(file: &Path) -> anyhow::Result<Vec<Value>> {
    let mut json = Vec::new();
    MultiGzDecoder::new(File::open(file)?).read_to_end(&mut json)?;
    let mut bundle: Value = serde_json::from_slice(&json)?;
    let entries = bundle.get_mut("entry").and_then(Value::as_array_mut);
    let entries = entries.context("a bundle without entries")?;
    Ok(entries
        .iter_mut()
        .filter_map(|entry| entry.get_mut("resource").map(Value::take))
        .collect())
}

fn transaction(resources: &[Value]) -> Transaction {
    let entries = resources.iter().map(|resource| {
        let kind = text(resource, "/resourceType").unwrap_or_default();
        let url = format!("{kind}/{}", text(resource, "/id").unwrap_or_default());
        json!({"resource": resource, "request": {"method": "PUT", "url": url}})
    });
    let entries: Vec<Value> = entries.collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    Transaction {
        body: Bytes::from(bundle.to_string()),
        resources: u32::try_from(resources.len()).unwrap_or(u32::MAX),
    }
}
