//! The budgets of this tier, as plain numbers. What is parsed has its own in `fhir::limits`.
//!
//! A process keeps within 256 MiB beyond what it holds when it is idle, whatever callers send: memory for documents and
//! responses is reserved before it is used ([`MAX_MEMORY_BYTES`]), and what is not reserved is a few times the largest
//! of the rows that the pool's connections read.

pub(crate) mod sign_in;

use std::time::Duration;

/// A body of a form or of a workflow request, in bytes: a search form with the longest values that are read has half.
pub(crate) const MAX_FORM_BYTES: usize = 64 << 10;
/// A body of a Bundle, in bytes: a patient's whole history in one request; the web tier admits as much.
pub(crate) const MAX_BUNDLE_BYTES: usize = 8 << 20;

/// Memory for documents, in bytes: bodies that are read, JSON trees, and responses until they were sent. With what is
/// not reserved it leaves the process below 256 MiB.
pub(crate) const MAX_MEMORY_BYTES: usize = 176 << 20;
/// Memory of one caller, in bytes: the largest Bundle (8 MiB, which people's records make a tree of 97 MiB) and its
/// response. A second caller has room beside it.
pub(crate) const MAX_CALLER_MEMORY_BYTES: usize = 112 << 20;
/// The part of the memory, in bytes, that only callers with little in use may take: several callers that take all they
/// can leave it to the others.
pub(crate) const SMALL_CALLERS_MEMORY_BYTES: usize = 32 << 20;
/// What a caller with little in use has at most, in bytes: a search or a few reads of ordinary records at once.
pub(crate) const MAX_SMALL_CALLER_BYTES: usize = 4 << 20;
/// Seconds until a caller retries whose share, or the whole memory, was taken: longer than nearly every request takes.
pub(crate) const BUSY_RETRY_AFTER: u32 = 1;
/// A document that is parsed on an async worker, in bytes: beyond it parsing takes more than half a millisecond.
pub(crate) const MAX_INLINE_PARSE_BYTES: usize = 64 << 10;

/// A response, in bytes: twice the largest request, so that what was written by one Bundle is read by one or two.
/// Batches and searches that would have more are answered in part.
pub(crate) const MAX_RESPONSE_BYTES: usize = 16 << 20;
/// A frame of a response under `/fhir`, in bytes: four TLS records.
pub(crate) const RESPONSE_FRAME_BYTES: usize = 64 << 10;
/// The outcomes in the response to a batch, in bytes: a thousand refused entries say why. Beyond it they have their
/// status alone.
pub(crate) const MAX_OUTCOMES_BYTES: usize = 512 << 10;
/// An entry of a response besides what was read, in bytes: status, location and time take 250.
pub(crate) const ENTRY_RESPONSE_BYTES: usize = 512;

/// Sealed bodies that are read by one statement, in bytes; a longer one is read alone. The memory of a group is reserved
/// before it is read, and a caller with little in use has room for one.
pub(crate) const READ_GROUP_BYTES: usize = 1 << 20;
/// Resources of a chart whose lengths are read by one statement.
pub(crate) const LENGTHS_PER_STATEMENT: u32 = 1_000;
/// A response with audit events, in bytes: five times the 200 events of ordinary requests. An event of a transaction names
/// a thousand resources, and a response has thirty of these.
pub(crate) const MAX_EVENTS_BYTES: usize = 4 << 20;

/// Patients that are opened to be compared, for one search.
pub(crate) const MAX_COMPARED_PATIENTS: usize = 1_000;
/// Patients whose rows are read by one statement, before they are opened one by one.
pub(crate) const PATIENTS_PER_STATEMENT: usize = 16;
/// Social security numbers of one patient: each costs a call of the key service for each index.
pub(crate) const MAX_SOCIAL_SECURITY_NUMBERS: usize = 10;

/// Searches of rosters that run at once: they take whole cores, and leave one to everything else on most machines.
pub(crate) const MAX_RUNNING_SEARCHES: usize = 2;
/// Searches of rosters that run or wait: at 50 ms each, the slowest search of a million names, all are done in three
/// seconds.
pub(crate) const MAX_SEARCHES: usize = 128;
/// Searches of one caller that run or wait: a quarter, which delays another caller's search by less than a second.
pub(crate) const MAX_CALLER_SEARCHES: usize = 32;

/// Names and contact data of one patient, in bytes: ten full names take half of it. It bounds a row of a list, and the
/// patient's part of a roster, of which a roster so has room for 65,000 at least.
pub(crate) const MAX_DEMOGRAPHICS_BYTES: usize = 16 << 10;
/// A roster, in bytes: one million patients take less than half of it.
pub(crate) const MAX_ROSTER_BYTES: usize = 1 << 30;
/// All rosters that are built, in bytes; beyond it, those that were not used for the longest time are discarded. The
/// memory of rosters is the organizations' own, and no part of [`MAX_MEMORY_BYTES`].
pub(crate) const MAX_ROSTERS_BYTES: usize = 2 << 30;
/// Rosters that are built at once.
pub(crate) const MAX_BUILDING_ROSTERS: usize = 2;
/// Each of the two waits of a request for a roster: for one that is current, and for patients that are read again.
pub(crate) const ROSTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Refusals of one caller that are recorded one by one, each minute: more than a person causes by mistake.
pub(crate) const MAX_CALLER_REFUSALS_PER_MINUTE: u32 = 20;
/// Audit events in one commit.
pub(crate) const MAX_COMMIT_EVENTS: usize = 256;
/// Audit events that wait for a commit; further callers wait for room.
pub(crate) const MAX_WAITING_EVENTS: usize = 4_096;
