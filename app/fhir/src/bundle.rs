//! Bundles: the requests of a transaction or a batch, for the record service to execute.
//!
//! A **transaction** succeeds or fails as a whole: one invalid entry refuses it, and the issue names
//! that entry. In a **batch** each entry is independent and has its own response. In both, the server
//! assigns the id of a POST, and references are resolved against the entries' `fullUrl` (`full_url`).
//!
//! There are two steps, because conditions are searches. [`parse`] returns a [`ParsedBundle`] with its
//! [`ParsedBundle::conditions`]; the record service searches for each of them, and [`ParsedBundle::resolve`] returns the
//! [`BundleRequest`]. All conditions are resolved before any entry is executed, so a condition never matches what an entry
//! of the same Bundle writes: only a `fullUrl` refers to another entry.

use serde_json::Value;
use uuid::Uuid;

use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::SensitiveJson;
use crate::limits::MAX_BATCH_ENTRIES;
use crate::limits::MAX_PATCHES_PARSED_BYTES;
use crate::limits::MAX_TRANSACTION_ENTRIES;
use crate::validate;

mod condition;
mod entry;
mod full_url;
mod interaction;
mod order;
mod read;
mod refusal;
mod register;
mod resolve;
mod response;
mod rewrite;
mod segments;
pub mod single;
mod write;

pub use condition::ConditionMatch;
pub use condition::ConditionScope;
pub use condition::ConditionalIdentifier;
pub use condition::ConditionalQuery;
pub use condition::ConditionalSystem;
use condition::Conditions;
use entry::EntryParser;
use entry::ParsedEntry;
use full_url::FullUrlIndex;
pub use read::EntryRead;
pub use read::ReadInteraction;
pub use read::ReadPrecondition;
use refusal::Refusal;
pub use response::EntryJson;
pub use response::EntryResponse;
pub use response::WrittenContent;
pub(crate) use response::bundle_of;
pub use response::response;
pub use segments::Segment;
pub use segments::segments;
pub use write::EntryNoOp;
pub use write::ResourceWrite;
pub use write::WriteContent;
pub use write::WriteMode;
pub use write::WritePrecondition;

/// `Bundle.type` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleType {
    /// All entries succeed, or none.
    Transaction,
    /// Entries succeed or fail independently.
    Batch,
}

/// A Bundle whose conditions are not resolved.
pub struct ParsedBundle {
    bundle_type: BundleType,
    entries: Vec<Result<ParsedEntry, Refusal>>,
    urls: FullUrlIndex,
    conditions: Conditions,
}

/// The requests of a Bundle.
#[derive(Debug)]
pub enum BundleRequest {
    /// The requests of a transaction.
    Transaction(TransactionRequest),
    /// The items of a batch in the Bundle's order; the outcome of each entry that is refused.
    Batch(Vec<Result<BatchItem, OperationOutcome>>),
}

/// The requests of a transaction, in the order in which they are executed.
#[derive(Debug, Default)]
pub struct TransactionRequest {
    /// The writes, of distinct resources: deletes first, then the others, ordered so that a resource precedes those that
    /// refer to it.
    pub writes: Vec<ResourceWrite>,
    /// The entries that write nothing because of their condition.
    pub no_ops: Vec<EntryNoOp>,
    /// The reads, which see all writes.
    pub reads: Vec<EntryRead>,
}

/// The request of one batch entry.
#[derive(Debug)]
pub enum BatchItem {
    /// POST, PUT, PATCH or DELETE.
    Write(ResourceWrite),
    /// A conditional write that has nothing to write.
    NoOp(EntryNoOp),
    /// GET.
    Read(EntryRead),
}

/// The path of an entry in its Bundle: `Bundle.entry[3]`.
#[must_use]
pub fn entry_path(entry: usize) -> String {
    format!("Bundle.entry[{entry}]")
}

/// Parses a Bundle. `server` is the server's own base (`https://host/fhir`), if known: references below it are local.
///
/// # Errors
///
/// The document is neither a transaction nor a batch, or an entry of a transaction is invalid.
pub fn parse(bytes: &[u8], server: Option<&str>) -> Result<ParsedBundle, OperationOutcome> {
    let server = server.map(|base| base.trim_end_matches('/'));
    let bundle = SensitiveJson::parse(bytes).map_err(OperationOutcome::bad_request)?;
    let (bundle_type, entries) = open(bundle).map_err(OperationOutcome::bad_request)?;
    let mut parser = EntryParser {
        server,
        remaining_patch_bytes: MAX_PATCHES_PARSED_BYTES,
    };
    let mut entries: Vec<Result<ParsedEntry, Refusal>> = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| parser.parse(index, entry))
        .collect();
    // All fullUrls are indexed before references are resolved: an entry may refer to a later one.
    let urls = full_urls(&mut entries, server);
    let conditions = register::conditions(&mut entries, &urls);
    if bundle_type == BundleType::Transaction {
        entries = order::all_valid(entries)?;
    }
    Ok(ParsedBundle {
        bundle_type,
        entries,
        urls,
        conditions,
    })
}

impl ParsedBundle {
    /// The type.
    #[must_use]
    pub fn bundle_type(&self) -> BundleType {
        self.bundle_type
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The distinct conditions, in the order in which they are resolved.
    #[must_use]
    pub fn conditions(&self) -> &[ConditionalQuery] {
        self.conditions.queries()
    }

    /// The requests, once each condition is resolved: `matches` has the result of each of [`Self::conditions`], in the same
    /// order. `new_id` returns a random id for each entry that creates a resource, by its index: always the same id, if the
    /// Bundle is parsed and resolved again after the result of a condition has changed.
    ///
    /// # Errors
    ///
    /// An entry of a transaction is refused.
    pub fn resolve(
        self,
        matches: &[ConditionMatch],
        new_id: &mut dyn FnMut(usize) -> Uuid,
    ) -> Result<BundleRequest, OperationOutcome> {
        let mut settled = resolve::settle(self.entries, matches, new_id);
        if self.bundle_type == BundleType::Transaction {
            // Otherwise every reference to a refused entry would be an issue too.
            settled = order::all_valid(settled)?;
        }
        let items = resolve::items(settled, &self.urls, &self.conditions, matches);
        match self.bundle_type {
            BundleType::Transaction => order::transaction(items).map(BundleRequest::Transaction),
            BundleType::Batch => {
                let items = items.into_iter();
                let items = items.map(|item| item.map_err(OperationOutcome::from));
                Ok(BundleRequest::Batch(items.collect()))
            }
        }
    }
}

impl std::fmt::Debug for ParsedBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bundle_type, entries) = (self.bundle_type, self.entries.len());
        write!(
            f,
            "ParsedBundle({bundle_type:?}, {entries} entries, [redacted])"
        )
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
fn full_urls(entries: &mut [Result<ParsedEntry, Refusal>], server: Option<&str>) -> FullUrlIndex {
    let mut urls = FullUrlIndex::new(server);
    for (index, slot) in entries.iter_mut().enumerate() {
        let Ok(entry) = slot else { continue };
        if let (Some(url), Some(resource_type)) = (&entry.full_url, entry.stored_type())
            && let Err(issue) = urls.add(url, index, resource_type, entry.version.take())
        {
            let path = format!("{}.fullUrl", entry_path(index));
            *slot = Err(Refusal::request(issue.at(&path)));
        }
    }
    urls
}

#[cfg(test)]
mod tests;
