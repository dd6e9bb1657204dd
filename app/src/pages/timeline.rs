//! The clinical record in time: years, days, and in a day the records of one kind together.

use crate::fhir::Kind;

use super::dates::Day;
use super::kind::{self, CHART};
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
    pub(crate) kind: Option<Kind>,
    /// Its words.
    pub(crate) label: &'static str,
    /// How many records the chart has of it.
    pub(crate) count: usize,
    /// Where it leads.
    pub(crate) href: String,
    /// Whether it is what is shown.
    pub(crate) current: bool,
}

impl Tab {
    /// The class of its colour.
    pub(crate) fn family(&self) -> &'static str {
        self.kind.map(kind::family).unwrap_or_default()
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
    pub(crate) kind: Kind,
    /// In the order they came.
    pub(crate) entries: Vec<Entry>,
}

impl Group {
    /// The class of its colour.
    pub(crate) fn family(&self) -> &'static str {
        kind::family(self.kind)
    }

    /// Its heading.
    pub(crate) fn label(&self) -> &'static str {
        kind::plural(self.kind)
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
    pub(crate) kind: Kind,
    /// Its FHIR date or instant, if it has one.
    pub(crate) date: Option<String>,
    /// What it shows.
    pub(crate) entry: Entry,
}

/// The filters of the chart `patient`, given how many records it has of each kind.
pub(crate) fn tabs(patient: &str, count: impl Fn(Kind) -> usize, shown: Option<Kind>) -> Vec<Tab> {
    let all = Tab {
        kind: None,
        label: "All records",
        count: CHART.into_iter().map(&count).sum(),
        href: address(patient, None),
        current: shown.is_none(),
    };
    let kinds = CHART.into_iter().map(|kind| Tab {
        kind: Some(kind),
        label: kind::plural(kind),
        count: count(kind),
        href: address(patient, Some(kind)),
        current: shown == Some(kind),
    });
    std::iter::once(all).chain(kinds).collect()
}

/// The address of a chart, filtered by a kind or not.
pub(crate) fn address(patient: &str, kind: Option<Kind>) -> String {
    match kind {
        Some(kind) => format!("/patients/{patient}?kind={}", kind.name()),
        None => format!("/patients/{patient}"),
    }
}

/// Groups records by year, day and kind, newest first; those without a date come last.
pub(crate) fn grouped(mut records: Vec<Record>) -> Vec<Year> {
    records.sort_by(|a, b| {
        day_of(b)
            .cmp(&day_of(a))
            .then(kind::rank(a.kind).cmp(&kind::rank(b.kind)))
    });
    let mut years: Vec<Year> = Vec::new();
    for record in records {
        let date = record.date.as_deref().map(Day::new);
        let name = date.as_ref().map_or("Without a date", Day::year).to_owned();
        let year = last_or_push(
            &mut years,
            |year| year.name == name,
            || Year {
                name: name.clone(),
                days: Vec::new(),
            },
        );
        let Some(year) = year else { continue };
        let day = last_or_push(
            &mut year.days,
            |day| day.date == date,
            || DayOfRecord {
                date: date.clone(),
                groups: Vec::new(),
            },
        );
        let Some(day) = day else { continue };
        let group = last_or_push(
            &mut day.groups,
            |group| group.kind == record.kind,
            || Group {
                kind: record.kind,
                entries: Vec::new(),
            },
        );
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

fn last_or_push<T>(
    list: &mut Vec<T>,
    same: impl Fn(&T) -> bool,
    new: impl FnOnce() -> T,
) -> Option<&mut T> {
    if !list.last().is_some_and(same) {
        list.push(new());
    }
    list.last_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: Kind, date: Option<&str>, title: &str) -> Record {
        let entry = Entry {
            title: title.to_owned(),
            detail: String::new(),
        };
        Record {
            kind,
            date: date.map(str::to_owned),
            entry,
        }
    }

    #[test]
    fn records_stand_by_year_and_day_newest_first_and_together_by_kind() {
        let years = grouped(vec![
            record(Kind::Condition, None, "undated"),
            record(Kind::Observation, Some("2024-05-02T10:00:00Z"), "pulse"),
            record(Kind::Encounter, Some("2025-01-01"), "visit"),
            record(Kind::Encounter, Some("2024-05-02T09:00:00Z"), "check-up"),
            record(Kind::Observation, Some("2024-05-02T10:01:00Z"), "weight"),
        ]);
        let names: Vec<_> = years.iter().map(|year| year.name.as_str()).collect();
        assert_eq!(names, ["2025", "2024", "Without a date"]);
        let day = &years[1].days[0];
        assert_eq!(years[1].days.len(), 1);
        assert_eq!(day.groups[0].kind, Kind::Encounter);
        let titles: Vec<_> = day.groups[1]
            .entries
            .iter()
            .map(|entry| &*entry.title)
            .collect();
        assert_eq!(titles, ["pulse", "weight"]);
    }

    #[test]
    fn the_filters_count_every_kind_and_name_no_patient_but_by_id() {
        let tabs = tabs(
            "3f1c",
            |kind| usize::from(kind == Kind::Procedure) * 4,
            Some(Kind::Procedure),
        );
        assert_eq!((tabs[0].count, tabs[0].current), (4, false));
        let shown = tabs.iter().find(|tab| tab.current).unwrap();
        assert_eq!(shown.href, "/patients/3f1c?kind=Procedure");
        assert_eq!(tabs.len(), 10);
    }
}
