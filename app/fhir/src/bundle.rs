//! Bundles: the requests of a transaction or a batch, for the record service to execute.
//!
//! A **transaction** is done whole or not at all: one entry that cannot be done refuses it, with
//! that entry's place. In a **batch** every entry stands alone and gets its own answer. In both, a
//! POST gets an id of the server's making, and references are resolved against the entries'
//! `fullUrl` (`full_url`).

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use crate::Compartment;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::SensitiveJson;
use crate::limits::MAX_BATCH_ENTRIES;
use crate::limits::MAX_TRANSACTION_ENTRIES;
use crate::validate;

mod entry;
mod full_url;
mod response;
mod segments;

use entry::EntryRequest;
use entry::ParsedEntry;
use entry::Refusal;
use full_url::FullUrls;
pub use response::EntryJson;
pub use response::EntryResponse;
pub(crate) use response::bundle_of;
pub use response::response;
pub use segments::Segment;
pub use segments::segments;

/// Whether entries succeed or fail together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All or nothing.
    Transaction,
    /// Each on its own.
    Batch,
}

/// The requests of a Bundle.
#[derive(Debug)]
pub enum BundleRequest {
    /// Writes of one transaction; resources that others refer to come first.
    Transaction(Vec<ResourceWrite>),
    /// The items in the Bundle's order, or why an entry is refused.
    Batch(Vec<Result<BatchItem, OperationOutcome>>),
}

/// One entry of a batch.
#[derive(Debug)]
pub enum BatchItem {
    /// PUT or POST.
    Write(ResourceWrite),
    /// GET.
    Read(Reference),
}

/// A resource to be written.
#[derive(Debug)]
pub struct ResourceWrite {
    /// Which entry of the Bundle it was, from 0.
    pub entry: usize,
    /// Its type.
    pub resource_type: ResourceType,
    /// Its id: for a POST a new one.
    pub id: Uuid,
    /// The patient that owns it; `None` for what belongs to the organization.
    pub owner: Option<Uuid>,
    /// The resource, with its id and with its references rewritten.
    pub resource: Resource,
    /// POST: nothing of this id may be there yet.
    pub create: bool,
}

impl ResourceWrite {
    /// Where the entry stands: `Bundle.entry[3]`.
    #[must_use]
    pub fn place(&self) -> String {
        entry_place(self.entry)
    }
}

/// Where an entry of a Bundle stands: `Bundle.entry[3]`.
#[must_use]
pub fn entry_place(entry: usize) -> String {
    format!("Bundle.entry[{entry}]")
}

/// Reads a Bundle; `new_id` makes the ids of what is created
/// (random ones), and `server` is the server's own base (`https://host/fhir`), if it is known:
/// references below it are local.
///
/// # Errors
///
/// Why the whole is refused: it is no transaction or batch, or an entry of a transaction cannot be
/// done.
pub fn parse(
    bytes: &[u8],
    server: Option<&str>,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Result<BundleRequest, OperationOutcome> {
    let bundle = SensitiveJson::parse(bytes).map_err(OperationOutcome::bad_request)?;
    let (mode, entries) = open(bundle).map_err(OperationOutcome::bad_request)?;
    let mut entries: Vec<Result<ParsedEntry, Refusal>> = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| entry::read(index, entry, mode, new_id))
        .collect();
    let urls = full_urls(&mut entries, server);
    let steps = entries
        .into_iter()
        .map(|entry| entry.and_then(|entry| batch_item(entry, &urls)));
    match mode {
        Mode::Batch => Ok(BundleRequest::Batch(
            steps
                .map(|step| step.map_err(OperationOutcome::from))
                .collect(),
        )),
        Mode::Transaction => transaction(steps),
    }
}

/// The Bundle's mode and its entries.
fn open(bundle: SensitiveJson) -> Result<(Mode, Vec<SensitiveJson>), Issue> {
    let root = ElementPath::Root("Bundle");
    let Value::Object(mut members) = bundle.take() else {
        return Err(Issue::new(
            IssueCode::Structure,
            "a Bundle is a JSON object",
        ));
    };
    let entries = members.shift_remove("entry");
    let members = SensitiveJson::new(Value::Object(members));
    let text = |name: &str| members.value().get(name).and_then(Value::as_str);
    if text("resourceType") != Some("Bundle") {
        let why = "send a Bundle here; a single resource is sent as a Bundle of one entry";
        return Err(Issue::new(IssueCode::Structure, why).at("resourceType"));
    }
    if let Some(object) = members.value().as_object()
        && let Some(issue) = validate::object("Bundle", object, &root).into_first()
    {
        return Err(issue);
    }
    let (mode, most) = match text("type") {
        Some("transaction") => (Mode::Transaction, MAX_TRANSACTION_ENTRIES),
        Some("batch") => (Mode::Batch, MAX_BATCH_ENTRIES),
        _ => {
            let why = "only a Bundle of type transaction or batch can be done";
            return Err(Issue::new(IssueCode::NotSupported, why).at("Bundle.type"));
        }
    };
    let entries = match entries {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries.into_iter().map(SensitiveJson::new).collect(),
        Some(_) => {
            let why = "this element is an array";
            return Err(Issue::new(IssueCode::Structure, why).at("Bundle.entry"));
        }
    };
    if entries.len() > most {
        let why = format!("at most {most} entries in a Bundle of this type; send several");
        return Err(Issue::new(IssueCode::TooLong, why).at("Bundle.entry"));
    }
    Ok((mode, entries))
}

/// The entries by `fullUrl`. An entry whose `fullUrl` is wrong is refused.
fn full_urls<'s>(
    entries: &mut [Result<ParsedEntry, Refusal>],
    server: Option<&'s str>,
) -> FullUrls<'s> {
    let mut urls = FullUrls::new(server);
    for (index, slot) in entries.iter_mut().enumerate() {
        let Ok(entry) = slot else { continue };
        if let (Some(url), Some(target)) = (&entry.full_url, entry.written())
            && let Err(issue) = urls.add(url, target, entry.version.take())
        {
            let place = format!("{}.fullUrl", entry_place(index));
            *slot = Err(Refusal::request(issue.at(&place)));
        }
    }
    urls
}

/// The item that an entry requests, with its references resolved and its owner known.
fn batch_item(entry: ParsedEntry, urls: &FullUrls<'_>) -> Result<BatchItem, Refusal> {
    let place = format!("{}.resource", entry_place(entry.index));
    let (target, mut resource, create) = match entry.request {
        EntryRequest::Read(target) => return Ok(BatchItem::Read(target)),
        EntryRequest::Write {
            target,
            resource,
            create,
        } => (target, resource, create),
    };
    urls.rewrite(
        resource.value_mut(),
        entry.full_url.as_deref(),
        &ElementPath::Root(&place),
    )
    .map_err(Refusal::resource)?;
    let owner = resource.owner(&place).map_err(Refusal::resource)?;
    let Reference { resource_type, id } = target;
    Ok(BatchItem::Write(ResourceWrite {
        entry: entry.index,
        resource_type,
        id,
        owner,
        resource,
        create,
    }))
}

/// All writes of a transaction, or everything that is wrong with it.
fn transaction(
    steps: impl Iterator<Item = Result<BatchItem, Refusal>>,
) -> Result<BundleRequest, OperationOutcome> {
    let mut writes = Vec::new();
    let mut refusals = Vec::new();
    let mut targets = HashSet::new();
    for step in steps {
        match step {
            Ok(BatchItem::Write(write)) => {
                if !targets.insert((write.resource_type, write.id)) {
                    let why = "an earlier entry of this transaction writes the same resource";
                    let place = format!("{}.request.url", write.place());
                    let issue = Issue::new(IssueCode::Duplicate, why).at(&place);
                    refusals.push(Refusal::request(issue));
                }
                writes.push(write);
            }
            // `entry::read` refuses reads in a transaction.
            Ok(BatchItem::Read(_)) => {}
            Err(refusal) => refusals.push(refusal),
        }
    }
    if let Some(refusal) = refusals.into_iter().reduce(Refusal::and) {
        return Err(refusal.into());
    }
    Ok(BundleRequest::Transaction(sorted(writes)))
}

/// The directory, then patients, then what refers to them.
fn sorted(mut writes: Vec<ResourceWrite>) -> Vec<ResourceWrite> {
    writes.sort_by_key(
        |write| match (write.resource_type.compartment(), write.resource_type) {
            (Compartment::Directory, _) => 0_u8,
            (Compartment::Patient, ResourceType::Patient) => 1,
            (Compartment::Patient, _) => 2,
        },
    );
    writes
}

#[cfg(test)]
mod tests;
