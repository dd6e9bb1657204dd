//! Bundles: the requests of a transaction or a batch, for the record service to execute.
//!
//! A **transaction** succeeds or fails as a whole: one invalid entry refuses it, and the issue names
//! that entry. In a **batch** each entry is independent and has its own response. In both, the server
//! assigns the id of a POST, and references are resolved against the entries' `fullUrl` (`full_url`).

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
use full_url::FullUrlIndex;
pub use response::EntryJson;
pub use response::EntryResponse;
pub(crate) use response::bundle_of;
pub use response::response;
pub use segments::Segment;
pub use segments::segments;

/// `Bundle.type` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleType {
    /// All entries succeed, or none.
    Transaction,
    /// Entries succeed or fail independently.
    Batch,
}

/// The requests of a Bundle.
#[derive(Debug)]
pub enum BundleRequest {
    /// The writes of a transaction, ordered so that a resource precedes those that refer to it.
    Transaction(Vec<ResourceWrite>),
    /// The items of a batch in the Bundle's order; the outcome of each entry that is refused.
    Batch(Vec<Result<BatchItem, OperationOutcome>>),
}

/// The request of one batch entry.
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
    /// The index of the Bundle entry, from 0.
    pub entry: usize,
    /// The resource type.
    pub resource_type: ResourceType,
    /// The id; for a POST a new one.
    pub id: Uuid,
    /// The patient that owns the resource; `None` if the organization does.
    pub owner: Option<Uuid>,
    /// The resource, with its id and with its references rewritten.
    pub resource: Resource,
    /// Whether the request is a POST: the id must not exist yet.
    pub create: bool,
}

impl ResourceWrite {
    /// The path of the entry: `Bundle.entry[3]`.
    #[must_use]
    pub fn path(&self) -> String {
        entry_path(self.entry)
    }
}

/// The path of an entry in its Bundle: `Bundle.entry[3]`.
#[must_use]
pub fn entry_path(entry: usize) -> String {
    format!("Bundle.entry[{entry}]")
}

/// Parses a Bundle.
///
/// `new_id` returns a random id for each resource that is created. `server` is the server's own base
/// (`https://host/fhir`), if known: references below it are local.
///
/// # Errors
///
/// The document is neither a transaction nor a batch, or an entry of a transaction is invalid.
pub fn parse(
    bytes: &[u8],
    server: Option<&str>,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Result<BundleRequest, OperationOutcome> {
    let bundle = SensitiveJson::parse(bytes).map_err(OperationOutcome::bad_request)?;
    let (bundle_type, entries) = open(bundle).map_err(OperationOutcome::bad_request)?;
    let mut entries: Vec<Result<ParsedEntry, Refusal>> = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| entry::parse(index, entry, bundle_type, new_id))
        .collect();
    // All fullUrls are indexed before references are resolved: an entry may refer to a later one.
    let urls = full_urls(&mut entries, server);
    let items = entries
        .into_iter()
        .map(|entry| entry.and_then(|entry| batch_item(entry, &urls)));
    match bundle_type {
        BundleType::Batch => Ok(BundleRequest::Batch(
            items
                .map(|item| item.map_err(OperationOutcome::from))
                .collect(),
        )),
        BundleType::Transaction => transaction(items),
    }
}

/// The Bundle's type and its entries.
fn open(bundle: SensitiveJson) -> Result<(BundleType, Vec<SensitiveJson>), Issue> {
    let root = ElementPath::Root("Bundle");
    let Value::Object(mut members) = bundle.into_value() else {
        return Err(Issue::new(
            IssueCode::Structure,
            "a Bundle is a JSON object",
        ));
    };
    // The entries are removed, so that the Bundle's own elements are validated without them: each entry
    // is validated separately, and a batch accepts invalid ones.
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
    let (bundle_type, max_entries) = match text("type") {
        Some("transaction") => (BundleType::Transaction, MAX_TRANSACTION_ENTRIES),
        Some("batch") => (BundleType::Batch, MAX_BATCH_ENTRIES),
        _ => {
            let why = "only Bundles of type transaction or batch are supported";
            return Err(Issue::new(IssueCode::NotSupported, why).at("Bundle.type"));
        }
    };
    let entries = match entries {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries.into_iter().map(SensitiveJson::new).collect(),
        Some(_) => {
            let why = "this element must be an array";
            return Err(Issue::new(IssueCode::Structure, why).at("Bundle.entry"));
        }
    };
    if entries.len() > max_entries {
        let why = format!("a Bundle of this type has at most {max_entries} entries: send several");
        return Err(Issue::new(IssueCode::TooLong, why).at("Bundle.entry"));
    }
    Ok((bundle_type, entries))
}

/// The index of entries by `fullUrl`. Refuses an entry whose `fullUrl` is invalid.
fn full_urls<'s>(
    entries: &mut [Result<ParsedEntry, Refusal>],
    server: Option<&'s str>,
) -> FullUrlIndex<'s> {
    let mut urls = FullUrlIndex::new(server);
    for (index, slot) in entries.iter_mut().enumerate() {
        let Ok(entry) = slot else { continue };
        if let (Some(url), Some(target)) = (&entry.full_url, entry.written())
            && let Err(issue) = urls.add(url, target, entry.version.take())
        {
            let path = format!("{}.fullUrl", entry_path(index));
            *slot = Err(Refusal::request(issue.at(&path)));
        }
    }
    urls
}

/// The request of an entry, with its references resolved and its owner determined.
fn batch_item(entry: ParsedEntry, urls: &FullUrlIndex<'_>) -> Result<BatchItem, Refusal> {
    let path = format!("{}.resource", entry_path(entry.index));
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
        &ElementPath::Root(&path),
    )
    .map_err(Refusal::resource)?;
    let owner = resource.owner(&path).map_err(Refusal::resource)?;
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

/// The writes of a transaction; otherwise the issues of all its entries.
fn transaction(
    items: impl Iterator<Item = Result<BatchItem, Refusal>>,
) -> Result<BundleRequest, OperationOutcome> {
    let mut writes = Vec::new();
    let mut refusals = Vec::new();
    let mut targets = HashSet::new();
    for item in items {
        match item {
            Ok(BatchItem::Write(write)) => {
                // R4 forbids it: the result would depend on the order in which the server executes the writes.
                if !targets.insert((write.resource_type, write.id)) {
                    let why = "an earlier entry of this transaction writes the same resource";
                    let path = format!("{}.request.url", write.path());
                    let issue = Issue::new(IssueCode::Duplicate, why).at(&path);
                    refusals.push(Refusal::request(issue));
                }
                writes.push(write);
            }
            // `entry::parse` refuses reads in a transaction.
            Ok(BatchItem::Read(_)) => {}
            Err(refusal) => refusals.push(refusal),
        }
    }
    if let Some(refusal) = refusals.into_iter().reduce(Refusal::merge) {
        return Err(refusal.into());
    }
    Ok(BundleRequest::Transaction(sorted(writes)))
}

/// Orders writes: directory, then patients, then resources that refer to patients.
fn sorted(mut writes: Vec<ResourceWrite>) -> Vec<ResourceWrite> {
    writes.sort_by_key(
        |write| match (write.resource_type.compartment(), write.resource_type) {
            (Some(Compartment::Directory), _) => 0_u8,
            (Some(Compartment::Patient), ResourceType::Patient) => 1,
            (Some(Compartment::Patient) | None, _) => 2,
        },
    );
    writes
}

#[cfg(test)]
mod tests;
