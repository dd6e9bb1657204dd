//! The limits of what is parsed. What a request may cost beyond that stands in `app/src/limits.rs`.

/// Levels of objects and arrays in a document. R4's deepest examples have fewer than 20; parsing, validation and wiping
/// recurse, and 64 levels fit into any thread's stack.
pub const MAX_DEPTH: usize = 64;
/// Values in a document: a Bundle of 8 MiB with a patient's whole history has 600,000.
pub const MAX_VALUES: usize = 1_000_000;

/// Entries of a transaction: its rows stay locked until the last of them is written.
pub const MAX_TRANSACTION_ENTRIES: usize = 1_000;
/// Entries of a batch: twice the entries of a patient's whole history.
pub const MAX_BATCH_ENTRIES: usize = 20_000;
/// Writes of a batch that are tried in one transaction of the database, in entries.
pub const MAX_SEGMENT_ENTRIES: usize = 200;

/// Issues of an outcome: more than a person corrects at once. The others are counted.
pub const MAX_ISSUES: usize = 50;
/// The text of an issue, in bytes: twice the longest sentence with the names of all search parameters. Longer lists of
/// codes are cut.
pub const MAX_DIAGNOSTICS_BYTES: usize = 1_000;

/// Parameters of a search form: four times as many as there are different ones.
pub const MAX_PARAMETERS: usize = 32;
/// Alternatives of all parameters together, in values: each is compared with the patients that the others leave.
pub const MAX_ALTERNATIVES: usize = 64;
/// Identifiers, telephone numbers and e-mail addresses of a search, in values: each is a query of the database, and one
/// that may be a social security number a call of the key service.
pub const MAX_INDEXED_VALUES: usize = 20;
/// The value of a search parameter, in bytes.
pub const MAX_PARAMETER_BYTES: usize = 1_000;
/// `_count`, in patients.
pub const MAX_COUNT: usize = 200;
/// `_count` of a form that has none, in patients.
pub const DEFAULT_COUNT: usize = 50;

/// The title or the detail of a summary, in bytes: many times as long as a line of a chart. Longer ones are cut.
pub const MAX_SUMMARY_BYTES: usize = 512;
