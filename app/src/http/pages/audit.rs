//! The audit trail, for an organization's privacy officer.

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

use super::dates::Day;
use super::html::Html;
use super::layout::Area;
use super::layout::Frame;
use super::layout::Viewer;
use super::layout::role_in_words;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// So many events are shown, the latest first.
const LATEST: u32 = 200;

/// The organization's audit trail.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/audit",
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
    let latest = app.trail.latest(&permitted, &app.memory, LATEST, |event| {
        let row = EventRow::new(event, &names);
        let length = row.bytes();
        Ok((row, length))
    });
    let latest = latest.await?;
    let viewer = Viewer::of(&app, &caller, Area::Audit).await?;
    Ok(Html::reserved(latest.map(|latest| {
        let page = AuditPage {
            organization: viewer.organization.clone(),
            frame: Frame {
                title: "Audit",
                viewer: Some(viewer),
            },
            events: latest.events,
            is_cut: latest.is_truncated,
        };
        (page, latest.reserved)
    })))
}

/// The latest events.
#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    pub(crate) frame: Frame,
    pub(crate) organization: String,
    /// Newest first.
    pub(crate) events: Vec<EventRow>,
    /// Whether earlier ones are missing, because the page would be too long.
    pub(crate) is_cut: bool,
}

/// One event, in words.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    at: Moment,
    who: String,
    role: &'static str,
    action: &'static str,
    outcome: Outcome,
    records: Vec<RecordName>,
    more_records: usize,
    purpose: &'static str,
    from: String,
}

/// Records listed of one event; a search may have touched hundreds.
const LISTED: usize = 3;

/// The markup of a row, in bytes.
const ROW_MARKUP: usize = 1_500;

/// A code that a later release has written: the event is genuine, and shown with what is known of it.
const OF_LATER_RELEASE: &str = "Unknown (of a later release)";

impl EventRow {
    /// An opened event; `names` are those of the organization's people.
    pub(crate) fn new(event: &Event, names: &HashMap<Uuid, Phi<String>>) -> Self {
        let name = event.person.and_then(|person| names.get(&person));
        let who = match (name, event.person) {
            (Some(name), _) => name.expose().clone(),
            (None, Some(_)) => "Somebody who is gone".to_owned(),
            (None, None) => "Nobody signed in".to_owned(),
        };
        let role = event.role.as_deref().map(role_in_words).unwrap_or_default();
        let listed = event.records.iter().take(LISTED).map(|record| RecordName {
            kind: record.kind.clone(),
            id: record.id.map(|id| id.to_string()).unwrap_or_default(),
        });
        Self {
            at: Moment::new(event.at),
            who,
            role,
            action: action(event.action),
            outcome: event.outcome,
            records: listed.collect(),
            more_records: event.records.len().saturating_sub(LISTED),
            purpose: purpose(event.purpose),
            from: event.source.clone().unwrap_or_default(),
        }
    }

    /// About the length of the row in the page, in bytes.
    fn bytes(&self) -> usize {
        let records = self.records.iter();
        let records: usize = records.map(|it| it.kind.len() + it.id.len()).sum();
        ROW_MARKUP + self.who.len() + self.from.len() + records
    }

    fn outcome(&self) -> &'static str {
        match self.outcome {
            Outcome::Success => "Done",
            Outcome::Partial => "Done in part",
            Outcome::Failed => "Failed",
            Outcome::Refused => "Refused",
            Outcome::NotFound => "Not found",
            Outcome::Unknown => OF_LATER_RELEASE,
        }
    }

    fn tone(&self) -> &'static str {
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
        Action::Attest => "Attest",
        Action::KeyOperation => "Key operation",
        Action::FinishUpgrade => "Finish an upgrade",
        Action::Tampering => "Tampering found",
        #[cfg(feature = "next-release")]
        Action::NextRelease => "Next release",
        Action::Unknown => OF_LATER_RELEASE,
    }
}

fn purpose(purpose: PurposeOfUse) -> &'static str {
    match purpose {
        PurposeOfUse::Treatment => "Treatment",
        PurposeOfUse::Operations => "Operations",
        PurposeOfUse::Payment => "Payment",
        PurposeOfUse::Administration => "Administration",
        PurposeOfUse::PatientRequest => "Patient's request",
        PurposeOfUse::Unknown => OF_LATER_RELEASE,
    }
}

/// A record by kind and id; nothing of its content.
#[derive(Debug, Clone)]
struct RecordName {
    kind: String,
    id: String,
}

/// An instant, UTC, for a machine and for people.
#[derive(Debug, Clone)]
struct Moment {
    iso: String,
    date: String,
    clock: String,
}

impl Moment {
    fn new(at: OffsetDateTime) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        let iso = at.format(&Rfc3339).unwrap_or_default();
        let clock = iso
            .split_once('T')
            .and_then(|(_, clock)| clock.get(..8))
            .unwrap_or_default();
        Self {
            date: Day::new(&iso).text,
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
    fn a_time_is_told_in_utc_to_the_second() {
        let moment = Moment::new(datetime!(2026-11-23 10:04:09.5 -05:00));
        assert_eq!(
            (moment.date.as_str(), moment.clock.as_str()),
            ("23 Nov 2026", "15:04:09")
        );
    }
}
