//! One resource in a line: what a chart's timeline shows of it.

use serde_json::Value;
use time::{OffsetDateTime, Time};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::validate::primitive::{instant, partial_date};
use super::{Kind, Resource};

mod lines;
mod words;

use lines::lines;

/// What a person reads of a resource: a title, a detail, a date.
///
/// All of it is PHI: it is wiped when dropped and has no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Summary {
    /// What it is: the code's words.
    pub(crate) title: String,
    /// Its value, status or reason; may be empty.
    pub(crate) detail: String,
    /// Its clinical date as it was sent: a FHIR date, perhaps with a time.
    pub(crate) date: Option<String>,
    /// The same as a point in time, to sort by; a date without a time is its beginning, in UTC.
    #[zeroize(skip)]
    pub(crate) when: Option<OffsetDateTime>,
}

impl Summary {
    /// Reads a resource.
    pub(crate) fn of(resource: &Resource) -> Self {
        let json = resource.value();
        let (title, detail) = lines(resource.kind(), json);
        let date = date(resource.kind(), json);
        let when = date.and_then(moment);
        let title = title.unwrap_or_else(|| resource.kind().name().to_owned());
        Self {
            title,
            detail,
            date: date.map(str::to_owned),
            when,
        }
    }
}

/// The point in time that a FHIR date or dateTime begins with.
fn moment(text: &str) -> Option<OffsetDateTime> {
    let day = || partial_date(text).map(|(day, _)| day.with_time(Time::MIDNIGHT).assume_utc());
    instant(text).or_else(day)
}

/// The element that says when it happened: what happened before when it was written down.
fn date(kind: Kind, json: &Value) -> Option<&str> {
    let elements: &[&str] = match kind {
        Kind::Patient | Kind::Practitioner | Kind::Organization | Kind::Location => &[],
        Kind::Encounter => &["period"],
        Kind::Observation | Kind::DiagnosticReport => &[
            "effectiveDateTime",
            "effectiveInstant",
            "effectivePeriod",
            "issued",
        ],
        Kind::Condition | Kind::AllergyIntolerance => {
            &["onsetDateTime", "onsetPeriod", "recordedDate"]
        }
        Kind::MedicationRequest => &["authoredOn"],
        Kind::Immunization => &["occurrenceDateTime", "recorded"],
        Kind::Procedure => &["performedDateTime", "performedPeriod"],
        Kind::CarePlan => &["period", "created"],
    };
    elements.iter().find_map(|name| {
        let element = json.get(*name)?;
        element.as_str().or_else(|| element.get("start")?.as_str())
    })
}

#[cfg(test)]
mod tests;
