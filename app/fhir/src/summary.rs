//! One resource in a line: what a chart's timeline shows of it.

use serde_json::Value;
use time::OffsetDateTime;
use time::Time;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

use super::Resource;
use super::ResourceType;
use super::limits::MAX_SUMMARY_BYTES;
use super::validate::primitive::instant;
use super::validate::primitive::partial_date;

/// What a person reads of a resource: a title, a detail, a date. Long texts are cut, so that a chart of any resources
/// has lines of bounded length.
///
/// All of it is PHI: it is wiped when dropped and has no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Summary {
    /// What it is: the code's words.
    pub title: String,
    /// Its value, status or reason; may be empty.
    pub detail: String,
    /// Its clinical date as it was sent: a FHIR date, perhaps with a time.
    pub date: Option<String>,
    /// The same as a point in time, to sort by; a date without a time is its beginning, in UTC.
    #[zeroize(skip)]
    pub when: Option<OffsetDateTime>,
}

impl Summary {
    /// Reads a resource.
    pub fn of(resource: &Resource) -> Self {
        let json = resource.value();
        let (title, detail) = resource.resource_type().line(json);
        let date = date(resource.resource_type(), json);
        let when = date.and_then(moment);
        let title = title.unwrap_or_else(|| resource.resource_type().name().to_owned());
        Self {
            title: cut(title),
            detail: cut(detail),
            date: date.map(str::to_owned),
            when,
        }
    }
}

/// The text, or its beginning and an ellipsis.
fn cut(mut text: String) -> String {
    if text.len() <= MAX_SUMMARY_BYTES {
        return text;
    }
    let ends = (0..=MAX_SUMMARY_BYTES).rev();
    let end = ends.into_iter().find(|end| text.is_char_boundary(*end));
    let beginning = end.and_then(|end| text.get(..end)).unwrap_or_default();
    // A new string, because a truncated one keeps its memory.
    let short = format!("{beginning}…");
    text.zeroize();
    short
}

/// The point in time that a FHIR date or dateTime begins with.
fn moment(text: &str) -> Option<OffsetDateTime> {
    let day = || partial_date(text).map(|(day, _)| day.with_time(Time::MIDNIGHT).assume_utc());
    instant(text).or_else(day)
}

/// The element that says when it happened: what happened before when it was written down.
fn date(resource_type: ResourceType, json: &Value) -> Option<&str> {
    resource_type.date_elements().iter().find_map(|name| {
        let element = json.get(*name)?;
        element.as_str().or_else(|| element.get("start")?.as_str())
    })
}

#[cfg(test)]
mod tests;
