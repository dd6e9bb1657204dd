//! One-line summaries of resources, for the timeline of a chart.

use serde_json::Value;
use time::OffsetDateTime;
use time::Time;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

use super::Resource;
use super::ResourceType;
use super::limits::MAX_SUMMARY_BYTES;
use super::primitive::instant;
use super::primitive::partial_date;

/// The summary of a resource: title, detail and date. Long texts are truncated, so that the length of a chart's lines is
/// bounded.
///
/// All fields are PHI: they are zeroized on drop, and there is no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Summary {
    /// The display text of its code.
    pub title: String,
    /// The value, status or reason; may be empty.
    pub detail: String,
    /// The clinical date as sent: a FHIR date or dateTime.
    pub date: Option<String>,
    /// The same as a time, for sorting; for a date without a time its start, in UTC.
    #[zeroize(skip)]
    pub when: Option<OffsetDateTime>,
}

impl Summary {
    /// The summary of a resource.
    pub fn of(resource: &Resource) -> Self {
        let json = resource.value();
        let (title, detail) = resource.resource_type().summary(json);
        let date = date(resource.resource_type(), json);
        let when = date.and_then(start_time);
        let title = title.unwrap_or_else(|| resource.resource_type().name().to_owned());
        Self {
            title: truncated(title),
            detail: truncated(detail),
            date: date.map(str::to_owned),
            when,
        }
    }
}

/// The text, or its beginning with an ellipsis.
fn truncated(mut text: String) -> String {
    if text.len() <= MAX_SUMMARY_BYTES {
        return text;
    }
    let ends = (0..=MAX_SUMMARY_BYTES).rev();
    let end = ends.into_iter().find(|end| text.is_char_boundary(*end));
    let beginning = end.and_then(|end| text.get(..end)).unwrap_or_default();
    // A new string, because `String::truncate` keeps the memory.
    let short = format!("{beginning}…");
    text.zeroize();
    short
}

/// The start of a FHIR date or dateTime.
fn start_time(text: &str) -> Option<OffsetDateTime> {
    let day = || partial_date(text).map(|(day, _)| day.with_time(Time::MIDNIGHT).assume_utc());
    instant(text).or_else(day)
}

/// The clinical date: the first date element that is present, or the start of a period.
fn date(resource_type: ResourceType, json: &Value) -> Option<&str> {
    resource_type.date_elements().iter().find_map(|name| {
        let element = json.get(*name)?;
        element.as_str().or_else(|| element.get("start")?.as_str())
    })
}

#[cfg(test)]
mod tests;
