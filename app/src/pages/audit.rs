//! The audit trail, for an organization's privacy officer.

use askama::Template;

use super::layout::Frame;

/// The latest events.
#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    pub(crate) frame: Frame,
    pub(crate) organization: String,
    /// Newest first.
    pub(crate) events: Vec<EventRow>,
}

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    /// When.
    pub(crate) at: Moment,
    /// The person's name, or what else acted.
    pub(crate) who: String,
    /// The role they acted in.
    pub(crate) role: String,
    /// What was done.
    pub(crate) action: String,
    /// `Allowed`, `Refused` or `Failed`.
    pub(crate) outcome: String,
    /// Which records, as many as a table bears.
    pub(crate) records: Vec<RecordName>,
    /// How many records are not listed.
    pub(crate) more_records: usize,
    /// Purpose of use.
    pub(crate) purpose: String,
    /// The pseudonym of the address.
    pub(crate) from: String,
}

impl EventRow {
    fn tone(&self) -> &'static str {
        match self.outcome.as_str() {
            "Allowed" => "good",
            "Refused" | "Failed" => "bad",
            _ => "",
        }
    }
}

/// A record by type and id; nothing of its content.
#[derive(Debug, Clone)]
pub(crate) struct RecordName {
    /// FHIR resource type.
    pub(crate) resource_type: String,
    /// The id.
    pub(crate) id: String,
}

/// An instant, UTC.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// RFC 3339.
    pub(crate) iso: String,
    /// `23 Nov 2026`.
    pub(crate) date: String,
    /// `15:04:09`.
    pub(crate) clock: String,
}
