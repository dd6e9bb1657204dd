//! Limits of the app tier, each with its reason. The limits of parsing are in `fhir::limits`.
//!
//! A process stays within 256 MiB of its idle size, whatever callers send: memory for documents and
//! responses is reserved before it is used ([`MAX_MEMORY_BYTES`]); the remaining memory is a few
//! times the largest row, for each connection of the pool.

pub(crate) mod sign_in;

use std::time::Duration;

/// Maximum body of a form or of a workflow request, in bytes: twice a search form with the longest
/// allowed values.
pub(crate) const MAX_FORM_BYTES: usize = 64 << 10;
/// Maximum body of a Bundle, in bytes: a patient's whole history in one request. The web tier
/// admits as much.
pub(crate) const MAX_BUNDLE_BYTES: usize = 8 << 20;

/// Maximum memory for documents, in bytes: received bodies, JSON trees, and responses until they
/// were sent. Together with the memory that is not reserved, the process stays below 256 MiB.
pub(crate) const MAX_MEMORY_BYTES: usize = 176 << 20;
/// Maximum memory of one caller, in bytes: the largest Bundle (8 MiB, whose tree takes 97 MiB for
/// ordinary records) and its response. Beside it, 32 MiB are left to other callers with more than
/// [`MAX_SMALL_CALLER_BYTES`] in use.
pub(crate) const MAX_CALLER_MEMORY_BYTES: usize = 112 << 20;
/// Memory reserved for callers with little in use, in bytes, so that a few callers with much cannot
/// exclude the others.
pub(crate) const SMALL_CALLERS_MEMORY_BYTES: usize = 32 << 20;
/// Maximum memory in use of a caller that counts as one with little in use, in bytes: a search, or
/// a few reads of ordinary records at once.
pub(crate) const MAX_SMALL_CALLER_BYTES: usize = 4 << 20;
/// `Retry-After` of a request above a budget, in seconds: longer than nearly every request takes.
pub(crate) const BUSY_RETRY_AFTER_SECONDS: u32 = 1;
/// Maximum document that is parsed on an async worker, in bytes: a larger one takes more than half
/// a millisecond.
pub(crate) const MAX_INLINE_DOCUMENT_BYTES: usize = 64 << 10;

/// Maximum number of larger documents that are processed at once on a machine with this many cores:
/// half of the cores, so that the others serve short requests.
pub(crate) fn concurrent_documents(cores: usize) -> usize {
    (cores / 2).max(1)
}

/// Maximum response, in bytes: twice the largest request, so that the resources written by one
/// Bundle can be read by one or two requests. A batch or a search with a larger result gets a part
/// of it.
pub(crate) const MAX_RESPONSE_BYTES: usize = 16 << 20;
/// Maximum body frame of a response under `/fhir`, in bytes: four TLS records.
pub(crate) const RESPONSE_FRAME_BYTES: usize = 64 << 10;
/// Maximum size of the `OperationOutcome`s in the response to a batch, in bytes: enough for a
/// thousand refused entries. Further refused entries have only their status.
pub(crate) const MAX_OUTCOMES_BYTES: usize = 512 << 10;
/// Memory reserved for an entry of a response besides its resource, in bytes: status, location and
/// time take 250.
pub(crate) const ENTRY_RESPONSE_BYTES: usize = 512;

/// Maximum sealed bodies that one statement reads, in bytes; a longer body is read alone. The
/// memory of a batch is reserved before it is read, and a caller with little in use has room for
/// one.
pub(crate) const READ_BATCH_BYTES: usize = 1 << 20;
/// Maximum resources of a chart whose lengths one statement reads.
pub(crate) const LENGTHS_PER_STATEMENT: u32 = 1_000;
/// Maximum response with audit events, in bytes: five times the 200 events of ordinary requests. An
/// event of a transaction names a thousand resources, and a response has room for thirty of these.
pub(crate) const MAX_EVENTS_BYTES: usize = 4 << 20;

/// Maximum patients that one search opens to compare them.
pub(crate) const MAX_COMPARED_PATIENTS: usize = 1_000;
/// Maximum patients whose rows one statement reads, before they are opened individually.
pub(crate) const PATIENTS_PER_STATEMENT: usize = 16;
/// Maximum patients that the event of a search names which discloses only their number: as many as a page shows. That an
/// individual is among more than these is not disclosed by their number.
pub(crate) const MAX_NAMED_PATIENTS: usize = 200;
/// Maximum resources that one search opens because their search summaries do not decide.
pub(crate) const MAX_COMPARED_RESOURCES: usize = 1_000;
/// Maximum resources that a search includes beside its matches.
pub(crate) const MAX_INCLUDED_RESOURCES: usize = 200;
/// Maximum candidates that all searches of one request compare, those of a Bundle's conditions included: a transaction whose
/// hundred conditions each search ten thousand practitioners. One search compares at most as many as fit into the memory of
/// a caller, about a hundred thousand.
pub(crate) const MAX_REQUEST_CANDIDATES: usize = 1_000_000;
/// Maximum bodies that all searches and reads of one request open: one for each entry of the largest batch.
pub(crate) const MAX_REQUEST_BODIES: usize = 20_000;
/// Maximum length of the bodies that all searches and reads of one request open, in bytes: eight times the largest response,
/// because a search opens some bodies that it does not show.
pub(crate) const MAX_REQUEST_BODY_BYTES: usize = 8 * MAX_RESPONSE_BYTES;
/// Candidates that a request is charged for a lookup in a blind index: it is a statement of its own.
pub(crate) const CANDIDATES_PER_LOOKUP: usize = 10;
/// Patients of a roster for which a request is charged one candidate: they are compared in memory, without opening any.
pub(crate) const ROSTER_PATIENTS_PER_CANDIDATE: usize = 256;
/// Maximum heads that one statement of a search reads; each takes half a kilobyte.
pub(crate) const HEADS_PER_STATEMENT: u32 = 1_000;
/// Maximum resources whose bodies one statement of a search reads.
pub(crate) const RESOURCES_PER_STATEMENT: usize = 50;
/// Maximum social security numbers of one patient: each costs a call of the key service for each
/// index.
pub(crate) const MAX_SOCIAL_SECURITY_NUMBERS: usize = 10;

/// Maximum roster searches that run at once: each takes a core, and on most machines at least one
/// is left to other work.
pub(crate) const MAX_RUNNING_SEARCHES: usize = 2;
/// Maximum roster searches that run or wait: at 50 ms each, the slowest search of a million names,
/// all are complete after about three seconds.
pub(crate) const MAX_SEARCHES: usize = 128;
/// Maximum searches of one caller that run or wait: a quarter, which delays another caller's search
/// by less than a second.
pub(crate) const MAX_CALLER_SEARCHES: usize = 32;

/// Maximum names and contact data of one patient, in bytes: ten full names take half of it. It
/// bounds a row of a list and an entry of a roster, which therefore has room for at least 65,000
/// patients.
pub(crate) const MAX_DEMOGRAPHICS_BYTES: usize = 16 << 10;
/// Maximum size of a roster, in bytes: one million patients take less than half of it.
pub(crate) const MAX_ROSTER_BYTES: usize = 1 << 30;
/// Maximum size of all rosters, in bytes; above it, the least recently used ones are evicted. They
/// are not counted in [`MAX_MEMORY_BYTES`], since their size depends on the organizations, not on
/// callers.
pub(crate) const MAX_ROSTERS_BYTES: usize = 2 << 30;
/// Maximum rosters that are built at once.
pub(crate) const MAX_ROSTER_BUILDS: usize = 2;
/// Timeout of each of the two waits of a request for a roster: for a current roster, and for
/// patients that are read again.
pub(crate) const ROSTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum bulk exports that one person has at once; each keeps its files for a day.
pub(crate) const MAX_PERSON_EXPORTS: u64 = 10;
/// Maximum resources of a file of an export: as many as a transaction has, which one audit event names.
pub(crate) const MAX_EXPORT_FILE_RESOURCES: usize = 1_000;
/// Length from which a file of an export has no room for another resource, in bytes: with the longest resource, a response
/// with it stays below [`MAX_RESPONSE_BYTES`].
pub(crate) const MAX_EXPORT_FILE_BYTES: usize = 4 << 20;
/// Maximum part of a file of an export that is sealed by itself, in bytes.
pub(crate) const EXPORT_PART_BYTES: usize = 1 << 20;
/// Maximum files of an export: its progress takes a megabyte then, for twenty million resources.
pub(crate) const MAX_EXPORT_FILES: usize = 20_000;
/// Maximum ids of resources that one statement of an export reads.
pub(crate) const EXPORT_IDS_PER_STATEMENT: u32 = 1_000;
/// Time after which a request for the status of an export begins no other file: the client is not kept waiting.
pub(crate) const EXPORT_STEP_TIME: Duration = Duration::from_millis(500);
/// `Retry-After` of an export that is not complete, in seconds: each request for its status continues it.
pub(crate) const EXPORT_RETRY_AFTER_SECONDS: u32 = 1;

/// Maximum refusals of one caller that are recorded individually, per minute: more than a person
/// causes by mistake.
pub(crate) const MAX_CALLER_REFUSALS_PER_MINUTE: u32 = 20;
/// Maximum audit events in one commit.
pub(crate) const MAX_COMMIT_EVENTS: usize = 256;
/// Maximum audit events that wait for a commit; further callers wait until there is room.
pub(crate) const MAX_WAITING_EVENTS: usize = 4_096;

/// Maximum care teams of a person that are read: more patients than a clinician has, at 16 bytes each for each session in use.
/// Of more, those with the lowest patient ids count.
pub(crate) const MAX_CARE_TEAMS: usize = 10_000;
/// Maximum members of a care team.
pub(crate) const MAX_CARE_TEAM_MEMBERS: usize = 200;
/// Maximum emergency accesses of a person in force at once. A mass-casualty incident is answered by the organization's policy.
pub(crate) const MAX_EMERGENCIES: usize = 20;
/// The time for which an emergency access opens a chart.
pub(crate) const EMERGENCY_DURATION: time::Duration = time::Duration::hours(1);
/// Maximum length of the reason for an emergency access, and of the finding of its review, in characters.
pub(crate) const MAX_REASON_CHARS: usize = 500;
/// Emergency accesses that the page of reviews shows.
pub(crate) const MAX_SHOWN_EMERGENCIES: usize = 200;
