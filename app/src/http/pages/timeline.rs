//! The timeline of clinical records, grouped by year, day and resource type.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use fhir::ResourceType;
use fhir::Summary;

use super::dates::DisplayDate;
use super::numbers::Count;
use super::paging::Paging;
use crate::services::records::DamagedRecord;

/// A page of a chart's timeline, with its filters.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    /// The heading: all records, or one type.
    pub(crate) title: &'static str,
    /// All records, then each type.
    pub(crate) filters: Vec<Filter>,
    /// The records that could not be opened, in the order of their types and ids.
    pub(crate) damaged: Vec<DamagedLine>,
    /// The number of records that could not be opened and are not listed.
    pub(crate) more_damaged: Count,
    /// Newest first.
    pub(crate) years: Vec<TimelineYear>,
    /// Paging by records.
    pub(crate) paging: Paging,
}

/// A filter by resource type.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// The resource type; none for all records.
    pub(crate) resource_type: Option<ResourceType>,
    pub(crate) label: &'static str,
    /// The number of records in the chart.
    pub(crate) count: Count,
    /// The URL of the filtered chart.
    pub(crate) href: String,
    /// Whether the filter is active.
    pub(crate) current: bool,
}

impl Filter {
    /// The CSS class of the colour.
    pub(crate) fn colour_class(&self) -> &'static str {
        self.resource_type.map_or("", |it| it.colour().name())
    }
}

/// A year of the timeline.
#[derive(Debug, Clone)]
pub(crate) struct TimelineYear {
    /// The year, or the heading of records without a date.
    pub(crate) name: String,
    /// Newest first.
    pub(crate) days: Vec<TimelineDay>,
}

/// A day of the timeline.
#[derive(Debug, Clone)]
pub(crate) struct TimelineDay {
    /// The date; none for records without one.
    pub(crate) date: Option<DisplayDate>,
    /// In the order of the filters.
    pub(crate) groups: Vec<TimelineGroup>,
}

/// The records of one type on one day.
#[derive(Debug, Clone)]
pub(crate) struct TimelineGroup {
    pub(crate) resource_type: ResourceType,
    /// Sorted by time, then by title.
    pub(crate) lines: Vec<RecordLine>,
}

impl TimelineGroup {
    /// The CSS class of the colour.
    pub(crate) fn colour_class(&self) -> &'static str {
        self.resource_type.colour().name()
    }

    pub(crate) fn label(&self) -> &'static str {
        self.resource_type.plural()
    }
}

/// The line of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordLine {
    /// The display text of its code.
    pub(crate) title: String,
    /// The value, status or reason; may be empty.
    pub(crate) detail: String,
}

/// The line of a record that could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamagedLine {
    /// The name of its type.
    pub(crate) kind: &'static str,
    /// Its id.
    pub(crate) id: String,
}

/// A record to be grouped into the timeline.
#[derive(Debug, Clone)]
pub(crate) struct TimelineRecord {
    pub(crate) resource_type: ResourceType,
    /// The FHIR date or dateTime, if known.
    pub(crate) date: Option<String>,
    /// The same as a time.
    pub(crate) when: Option<OffsetDateTime>,
    pub(crate) line: RecordLine,
}

impl TimelineRecord {
    /// The record of a summary.
    pub(crate) fn new((resource_type, mut summary): (ResourceType, Summary)) -> Self {
        // Texts are moved rather than copied: a chart may have many thousand records.
        Self {
            resource_type,
            date: summary.date.take(),
            when: summary.when,
            line: RecordLine {
                title: std::mem::take(&mut summary.title),
                detail: std::mem::take(&mut summary.detail),
            },
        }
    }
}

/// Records on a page of a chart.
const PAGE_SIZE: usize = 100;
/// The largest number of damaged records that a page lists.
const MAX_DAMAGED: usize = 100;

impl Timeline {
    /// Page `page` of the chart of `patient`, with the records of type `shown` or all; the last page if
    /// there are fewer.
    pub(crate) fn new(
        patient: &str,
        mut records: Vec<TimelineRecord>,
        shown: Option<ResourceType>,
        page: usize,
    ) -> Self {
        let mut counted: BTreeMap<ResourceType, usize> = BTreeMap::new();
        for record in &records {
            let count = counted.entry(record.resource_type).or_default();
            *count = count.saturating_add(1);
        }
        // Types that the chart does not have are not offered, except the one that is asked for.
        let counts: Vec<_> = ResourceType::in_charts()
            .map(|it| (it, counted.get(&it).copied().unwrap_or_default()))
            .filter(|(it, count)| *count > 0 || shown == Some(*it))
            .collect();
        records.retain(|record| match shown {
            Some(shown) => record.resource_type == shown,
            None => counts.iter().any(|(it, _)| *it == record.resource_type),
        });
        records.sort_by(|a, b| {
            day_of(b)
                .cmp(&day_of(a))
                .then_with(|| a.resource_type.cmp(&b.resource_type))
                .then_with(|| a.when.cmp(&b.when))
                .then_with(|| a.line.title.cmp(&b.line.title))
        });
        // A link to a page that no longer exists leads to the last one.
        let page = page.min(records.len().div_ceil(PAGE_SIZE).max(1));
        let paging = Paging::new(page, PAGE_SIZE, records.len(), &url(patient, shown));
        let skipped = Paging::skipped(page, PAGE_SIZE);
        Self {
            title: shown.map_or("All records", ResourceType::plural),
            filters: filters(patient, &counts, shown),
            damaged: Vec::new(),
            more_damaged: Count(0),
            years: grouped(records.into_iter().skip(skipped).take(PAGE_SIZE)),
            paging,
        }
    }

    /// The same page with the records of the chart that could not be opened. Each page lists them,
    /// as far as the filter includes their types, and the filters count them.
    pub(crate) fn with_damaged(mut self, damaged: &[DamagedRecord]) -> Self {
        for filter in &mut self.filters {
            let counted = damaged.iter().filter(|it| {
                filter.resource_type.is_none() || it.resource_type == filter.resource_type
            });
            filter.count.0 += counted.count();
        }
        let current = self.filters.iter().find(|filter| filter.current);
        let shown = current.and_then(|filter| filter.resource_type);
        let mut listed: Vec<_> = damaged
            .iter()
            .filter(|it| shown.is_none() || it.resource_type == shown)
            .collect();
        listed.sort_by_key(|it| (it.resource_type, it.id));
        self.more_damaged = Count(listed.len().saturating_sub(MAX_DAMAGED));
        let listed = listed.into_iter().take(MAX_DAMAGED);
        self.damaged = listed
            .map(|it| DamagedLine {
                kind: it.resource_type.map_or("Unknown type", ResourceType::name),
                id: it.id.to_string(),
            })
            .collect();
        self
    }
}

fn filters(
    patient: &str,
    counts: &[(ResourceType, usize)],
    shown: Option<ResourceType>,
) -> Vec<Filter> {
    let all = Filter {
        resource_type: None,
        label: "All records",
        count: Count(counts.iter().map(|(_, count)| count).sum()),
        href: url(patient, None),
        current: shown.is_none(),
    };
    let types = counts.iter().map(|&(resource_type, count)| Filter {
        resource_type: Some(resource_type),
        label: resource_type.plural(),
        count: Count(count),
        href: url(patient, Some(resource_type)),
        current: shown == Some(resource_type),
    });
    std::iter::once(all).chain(types).collect()
}

/// The URL of a chart.
fn url(patient: &str, shown: Option<ResourceType>) -> String {
    match shown {
        Some(shown) => format!("/patients/{patient}?kind={}", shown.name()),
        None => format!("/patients/{patient}"),
    }
}

/// Groups sorted records by year, day and type.
fn grouped(records: impl Iterator<Item = TimelineRecord>) -> Vec<TimelineYear> {
    let mut years: Vec<TimelineYear> = Vec::new();
    for record in records {
        let date = record.date.as_deref().map(DisplayDate::new);
        let name = date
            .as_ref()
            .map_or("Without a date", DisplayDate::year)
            .to_owned();
        let days = Vec::new();
        let year = last_or(
            &mut years,
            |year| year.name == name,
            TimelineYear {
                name: name.clone(),
                days,
            },
        );
        let groups = Vec::new();
        let new = TimelineDay {
            date: date.clone(),
            groups,
        };
        let day = year.and_then(|year| last_or(&mut year.days, |day| day.date == date, new));
        let (resource_type, lines) = (record.resource_type, Vec::new());
        let new = TimelineGroup {
            resource_type,
            lines,
        };
        let same = |group: &TimelineGroup| group.resource_type == resource_type;
        let group = day.and_then(|day| last_or(&mut day.groups, same, new));
        if let Some(group) = group {
            group.lines.push(record.line);
        }
    }
    years
}

/// The date of a record without the time.
fn day_of(record: &TimelineRecord) -> Option<&str> {
    record
        .date
        .as_deref()
        .map(|date| date.split_once('T').map_or(date, |(day, _)| day))
}

/// The last item of `list` if it is the `same`, otherwise `new`, which is appended.
fn last_or<T>(list: &mut Vec<T>, same: impl Fn(&T) -> bool, new: T) -> Option<&mut T> {
    if !list.last().is_some_and(same) {
        list.push(new);
    }
    list.last_mut()
}

#[cfg(test)]
mod tests;
