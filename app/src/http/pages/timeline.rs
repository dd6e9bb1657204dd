//! The clinical record in time: years, days, and in a day the records of one kind together.

use time::OffsetDateTime;

use fhir::ResourceType;
use fhir::Summary;

use super::dates::Day;
use super::numbers::Count;
use super::paging::Paging;

/// One page of a chart's record, with the filters beside it.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    /// What is shown: all, or one kind.
    pub(crate) title: &'static str,
    /// All, then each kind, with counts.
    pub(crate) tabs: Vec<Tab>,
    /// Newest first.
    pub(crate) years: Vec<Year>,
    /// Counted in records.
    pub(crate) paging: Paging,
}

/// A filter by kind.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    /// The kind; none is all of them.
    pub(crate) kind: Option<ResourceType>,
    /// Its words.
    pub(crate) label: &'static str,
    /// How many records the chart has of it.
    pub(crate) count: Count,
    /// Where it leads.
    pub(crate) href: String,
    /// Whether it is what is shown.
    pub(crate) current: bool,
}

impl Tab {
    /// The class of its colour.
    pub(crate) fn family(&self) -> &'static str {
        self.kind.map_or("", |it| it.colour().name())
    }
}

/// A year of the record.
#[derive(Debug, Clone)]
pub(crate) struct Year {
    /// The year, or words for records without a date.
    pub(crate) name: String,
    /// Newest first.
    pub(crate) days: Vec<DayOfRecord>,
}

/// A day of the record.
#[derive(Debug, Clone)]
pub(crate) struct DayOfRecord {
    /// The date; none for records that have none.
    pub(crate) date: Option<Day>,
    /// In the order of the filters.
    pub(crate) groups: Vec<Group>,
}

/// What was recorded of one kind on one day.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The kind.
    pub(crate) kind: ResourceType,
    /// In the order they were recorded, then by title.
    pub(crate) entries: Vec<Entry>,
}

impl Group {
    /// The class of its colour.
    pub(crate) fn family(&self) -> &'static str {
        self.kind.colour().name()
    }

    /// Its heading.
    pub(crate) fn label(&self) -> &'static str {
        self.kind.plural()
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it is.
    pub(crate) title: String,
    /// Its value, status or reason; may be empty.
    pub(crate) detail: String,
}

/// A record on its way into the timeline.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Its kind.
    pub(crate) kind: ResourceType,
    /// Its FHIR date or instant, if it has one.
    pub(crate) date: Option<String>,
    /// The same as a point in time.
    pub(crate) when: Option<OffsetDateTime>,
    /// What it shows.
    pub(crate) entry: Entry,
}

impl Record {
    /// A resource in a line.
    pub(crate) fn of((kind, mut summary): (ResourceType, Summary)) -> Self {
        // Taken, not copied: a chart may have many thousands.
        Self {
            kind,
            date: summary.date.take(),
            when: summary.when,
            entry: Entry {
                title: std::mem::take(&mut summary.title),
                detail: std::mem::take(&mut summary.detail),
            },
        }
    }
}

/// Records on one page of a chart.
const PAGE: usize = 100;

impl Timeline {
    /// Page `page` of the chart `patient`, of one kind or of all; the last page, if there are fewer.
    pub(crate) fn new(
        patient: &str,
        mut records: Vec<Record>,
        shown: Option<ResourceType>,
        page: usize,
    ) -> Self {
        let count = |kind| records.iter().filter(|record| record.kind == kind).count();
        let counts: Vec<_> = ResourceType::in_charts()
            .map(|kind| (kind, count(kind)))
            .collect();
        records.retain(|record| match shown {
            Some(kind) => record.kind == kind,
            None => counts.iter().any(|(kind, _)| *kind == record.kind),
        });
        records.sort_by(|a, b| {
            day_of(b)
                .cmp(&day_of(a))
                .then_with(|| a.kind.cmp(&b.kind))
                .then_with(|| a.when.cmp(&b.when))
                .then_with(|| a.entry.title.cmp(&b.entry.title))
        });
        let page = page.min(records.len().div_ceil(PAGE).max(1));
        let paging = Paging::new(page, PAGE, records.len(), &address(patient, shown));
        let skipped = Paging::skipped(page, PAGE);
        Self {
            title: shown.map_or("All records", ResourceType::plural),
            tabs: tabs(patient, &counts, shown),
            years: grouped(records.into_iter().skip(skipped).take(PAGE)),
            paging,
        }
    }
}

fn tabs(patient: &str, counts: &[(ResourceType, usize)], shown: Option<ResourceType>) -> Vec<Tab> {
    let all = Tab {
        kind: None,
        label: "All records",
        count: Count(counts.iter().map(|(_, count)| count).sum()),
        href: address(patient, None),
        current: shown.is_none(),
    };
    let kinds = counts.iter().map(|&(kind, count)| Tab {
        kind: Some(kind),
        label: kind.plural(),
        count: Count(count),
        href: address(patient, Some(kind)),
        current: shown == Some(kind),
    });
    std::iter::once(all).chain(kinds).collect()
}

fn address(patient: &str, kind: Option<ResourceType>) -> String {
    match kind {
        Some(kind) => format!("/patients/{patient}?kind={}", kind.name()),
        None => format!("/patients/{patient}"),
    }
}

/// Groups sorted records by year, day and kind.
fn grouped(records: impl Iterator<Item = Record>) -> Vec<Year> {
    let mut years: Vec<Year> = Vec::new();
    for record in records {
        let date = record.date.as_deref().map(Day::new);
        let name = date.as_ref().map_or("Without a date", Day::year).to_owned();
        let days = Vec::new();
        let year = last_or(
            &mut years,
            |year| year.name == name,
            Year {
                name: name.clone(),
                days,
            },
        );
        let groups = Vec::new();
        let new = DayOfRecord {
            date: date.clone(),
            groups,
        };
        let day = year.and_then(|year| last_or(&mut year.days, |day| day.date == date, new));
        let (kind, entries) = (record.kind, Vec::new());
        let new = Group { kind, entries };
        let group = day.and_then(|day| last_or(&mut day.groups, |group| group.kind == kind, new));
        if let Some(group) = group {
            group.entries.push(record.entry);
        }
    }
    years
}

fn day_of(record: &Record) -> Option<&str> {
    record
        .date
        .as_deref()
        .map(|date| date.split_once('T').map_or(date, |(day, _)| day))
}

/// The last of `list` if it is the `same`, otherwise `new`, put behind it.
fn last_or<T>(list: &mut Vec<T>, same: impl Fn(&T) -> bool, new: T) -> Option<&mut T> {
    if !list.last().is_some_and(same) {
        list.push(new);
    }
    list.last_mut()
}

#[cfg(test)]
mod tests;
