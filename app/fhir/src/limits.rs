//! Limits of parsing. The other limits of a request are in `app/src/limits.rs`.

/// Nesting of objects and arrays in a document, in levels. R4's deepest examples have fewer than 20. Parsing, validation
/// and zeroizing recurse, and 64 levels fit into the stack of any thread.
pub const MAX_DEPTH: usize = 64;
/// Values in a document: a Bundle of 8 MiB with a patient's complete history has 600,000.
pub const MAX_VALUES: usize = 1_000_000;

/// Entries of a transaction: its rows stay locked until the last of them is written.
pub const MAX_TRANSACTION_ENTRIES: usize = 1_000;
/// Entries of a batch: twice the entries of a patient's complete history.
pub const MAX_BATCH_ENTRIES: usize = 20_000;
/// Writes of a batch that are tried in one database transaction, in entries.
pub const MAX_SEGMENT_ENTRIES: usize = 200;

/// Listed issues of an outcome: more than a person corrects at once. Further issues are only counted.
pub const MAX_ISSUES: usize = 50;
/// Diagnostics of an issue, in bytes: twice the longest sentence, which has the names of all search parameters. Longer
/// lists of codes are truncated.
pub const MAX_DIAGNOSTICS_BYTES: usize = 1_000;

/// Parameters of a search form: four times the number of distinct ones.
pub const MAX_PARAMETERS: usize = 32;
/// Values of all parameters of a search together: each is compared with the patients that match the others.
pub const MAX_ALTERNATIVES: usize = 64;
/// Identifiers, telephone numbers and e-mail addresses of a search, in values: each costs a database query, and one that
/// may be a social security number costs a call of the key service.
pub const MAX_INDEXED_VALUES: usize = 20;
/// The value of a search parameter, in bytes.
pub const MAX_PARAMETER_BYTES: usize = 1_000;
/// Largest `_count`, in patients.
pub const MAX_COUNT: usize = 200;
/// Default `_count`, in patients.
pub const DEFAULT_COUNT: usize = 50;

/// Title and detail of a summary, each in bytes: several lines of a chart. Longer texts are truncated.
pub const MAX_SUMMARY_BYTES: usize = 512;

/// The encoded search values of a resource, in bytes: a summary of them and of its version's id is sealed in a column of
/// 256 bytes.
pub const MAX_SEARCH_VALUES_BYTES: usize = 220;
/// Values of one path that are compared with each other to remove repetitions.
pub const MAX_COMPARED_VALUES: usize = 32;
/// The opaque cursor of a page, in bytes.
pub const MAX_CURSOR_BYTES: usize = 3_000;
/// Keys of a sort, and each of `_include`, `_revinclude`, `_type` and `_elements`, in values.
pub const MAX_LISTED_NAMES: usize = 20;

/// Distinct conditions of a Bundle (`ifNoneExist`, conditional updates, deletes and references): each costs a search.
pub const MAX_CONDITIONS: usize = 2_000;
/// `fullUrl`, in bytes: it is compared with every reference of its entry, so its length multiplies their number.
pub const MAX_FULL_URL_BYTES: usize = 2_000;
/// `request.url` and `ifNoneExist`, in bytes: the longest search.
pub const MAX_REQUEST_URL_BYTES: usize = 65_536;

/// Operations of a JSON Patch.
pub const MAX_PATCH_OPERATIONS: usize = 200;
/// Memory of all JSON Patches of a Bundle as estimated by `parsed_bytes`, in bytes. They arrive as base64, so the estimate
/// for the Bundle does not include it.
pub const MAX_PATCHES_PARSED_BYTES: usize = 8 * 1_048_576;
/// Text and values that the `copy` operations of a JSON Patch may add, in bytes: `copy` could double a resource 200 times.
pub const MAX_PATCH_COPIED_BYTES: usize = 1_048_576;
