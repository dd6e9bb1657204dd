//! The page of the audit trail, for privacy officers.

use std::collections::HashMap;

use access::DataClass;
use access::List;
use access::Read;
use access::Subject;
use askama::Template;
use audit::Action;
use audit::Event;
use audit::Outcome;
use audit::PurposeOfUse;
use axum::extract::State;
use phi::Phi;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::dates::DisplayDate;
use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use super::layout::role_label;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The largest number of events on the page.
const MAX_EVENTS: u32 = 200;

/// The organization's audit trail.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "pages.audit",
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Html<AuditPage>, Problem> {
    let organization = caller.organization();
    let subject = Subject::of("audit", DataClass::Audit, organization);
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let person = Subject::of("person", DataClass::People, organization);
    let people = app.gate.permit(&caller, Read, person).await?;
    let names = app.identity.names(&people).await?;
    let names = names.into_inner();
    let latest = app
        .trail
        .latest(&permitted, &app.memory, MAX_EVENTS, |event| {
            let row = EventRow::new(event, &names);
            let length = row.estimated_bytes();
            Ok((row, length))
        });
    let latest = latest.await?;
    let user = CurrentUser::of(&app, &caller, NavSection::Audit).await?;
    Ok(Html::reserved(latest.map(|latest| {
        let page = AuditPage {
            organization: user.organization.clone(),
            layout: Layout {
                title: "Audit",
                user: Some(user),
            },
            events: latest.events,
            is_cut: latest.is_truncated,
        };
        (page, latest.reserved)
    })))
}

/// The page of the latest events.
#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    pub(crate) layout: Layout,
    pub(crate) organization: String,
    /// Newest first.
    pub(crate) events: Vec<EventRow>,
    /// Whether earlier events are omitted because the page would be too long.
    pub(crate) is_cut: bool,
}

/// The row of an event, as display text.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    at: EventTime,
    person: String,
    role: &'static str,
    action: &'static str,
    outcome: Outcome,
    records: Vec<RecordName>,
    more_records: usize,
    /// The number of matches that a search counted and the event does not name.
    counted: Option<u32>,
    purpose: &'static str,
    source: String,
}

/// The largest number of records listed for an event; a search may concern hundreds.
const MAX_RECORDS: usize = 3;

/// The estimated markup of a row, in bytes.
const ROW_MARKUP_BYTES: usize = 1_500;

/// The text for a code that a later release has written. The event itself is authentic, so it is shown.
const UNKNOWN_CODE: &str = "Unknown (of a later release)";

impl EventRow {
    /// The row of an opened event; `names` are the names of the organization's people.
    pub(crate) fn new(event: &Event, names: &HashMap<Uuid, Phi<String>>) -> Self {
        let name = event.person.and_then(|person| names.get(&person));
        let person = match (name, event.person) {
            (Some(name), _) => name.expose().clone(),
            (None, Some(_)) => "Unknown person (no longer listed)".to_owned(),
            (None, None) => "Not signed in".to_owned(),
        };
        let role = event.role.as_deref().map(role_label).unwrap_or_default();
        let listed = event
            .records
            .iter()
            .take(MAX_RECORDS)
            .map(|record| RecordName {
                kind: record.kind.clone(),
                id: record.id.map(|id| id.to_string()).unwrap_or_default(),
            });
        Self {
            at: EventTime::new(event.at),
            person,
            role,
            action: action(event.action),
            outcome: event.outcome,
            records: listed.collect(),
            more_records: event.records.len().saturating_sub(MAX_RECORDS),
            counted: event
                .suppressed
                .filter(|_| event.outcome != Outcome::Refused),
            purpose: purpose(event.purpose),
            source: event.source.clone().unwrap_or_default(),
        }
    }

    /// The estimated length of the row in the page, in bytes.
    fn estimated_bytes(&self) -> usize {
        let records = self.records.iter();
        let records: usize = records.map(|it| it.kind.len() + it.id.len()).sum();
        ROW_MARKUP_BYTES + self.person.len() + self.source.len() + records
    }

    fn outcome(&self) -> &'static str {
        match self.outcome {
            Outcome::Success => "Done",
            Outcome::Partial => "Done in part",
            Outcome::Failed => "Failed",
            Outcome::Refused => "Refused",
            Outcome::NotFound => "Not found",
            Outcome::Unknown => UNKNOWN_CODE,
        }
    }

    /// The class of the outcome's badge.
    fn badge_class(&self) -> &'static str {
        match self.outcome {
            Outcome::Success => "good",
            Outcome::Refused | Outcome::Failed | Outcome::Partial => "bad",
            Outcome::NotFound | Outcome::Unknown => "",
        }
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::SignIn => "Sign in",
        Action::SignOut => "Sign out",
        Action::IssueToken => "Issue a token",
        Action::Write => "Write",
        Action::Read => "Read",
        Action::List => "List",
        Action::Search => "Search",
        Action::Provision => "Set up",
        Action::ChangeCredential => "Change sign-in",
        Action::ChangeCareTeam => "Change care team",
        Action::BreakGlass => "Emergency access",
        Action::Review => "Review",
        Action::Attest => "Attest",
        Action::KeyOperation => "Key operation",
        Action::Export => "Export",
        Action::FinishUpgrade => "Finish an upgrade",
        Action::Tampering => "Tampering found",
        #[cfg(feature = "next-release")]
        Action::NextRelease => "Next release",
        Action::Unknown => UNKNOWN_CODE,
    }
}

fn purpose(purpose: PurposeOfUse) -> &'static str {
    match purpose {
        PurposeOfUse::Treatment => "Treatment",
        PurposeOfUse::Operations => "Operations",
        PurposeOfUse::BreakGlass => "Emergency",
        PurposeOfUse::Payment => "Payment",
        PurposeOfUse::Administration => "Administration",
        PurposeOfUse::PatientRequest => "Patient's request",
        PurposeOfUse::Unknown => UNKNOWN_CODE,
    }
}

/// A record by kind and id, without its content.
#[derive(Debug, Clone)]
struct RecordName {
    kind: String,
    id: String,
}

/// The time of an event in UTC, for the `datetime` attribute and for display.
#[derive(Debug, Clone)]
struct EventTime {
    iso: String,
    date: String,
    clock: String,
}

impl EventTime {
    fn new(at: OffsetDateTime) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        let iso = at.format(&Rfc3339).unwrap_or_default();
        let clock = iso
            .split_once('T')
            .and_then(|(_, clock)| clock.get(..8))
            .unwrap_or_default();
        Self {
            date: DisplayDate::new(&iso).text,
            clock: clock.to_owned(),
            iso,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_time_is_displayed_in_utc_to_the_second() {
        let time = EventTime::new(datetime!(2026-11-23 10:04:09.5 -05:00));
        assert_eq!(
            (time.date.as_str(), time.clock.as_str()),
            ("23 Nov 2026", "15:04:09")
        );
    }
}
