//! Timelines: grouping, filters and paging.

use time::format_description::well_known::Rfc3339;

use super::*;

fn record(resource_type: ResourceType, date: Option<&str>, title: &str) -> TimelineRecord {
    TimelineRecord {
        resource_type,
        date: date.map(str::to_owned),
        when: date.and_then(|date| OffsetDateTime::parse(date, &Rfc3339).ok()),
        line: RecordLine {
            title: title.to_owned(),
            detail: String::new(),
        },
    }
}

fn observations(count: usize) -> Vec<TimelineRecord> {
    (0..count)
        .map(|_| record(ResourceType::Observation, Some("2020-01-01"), "pulse"))
        .collect()
}

#[test]
fn records_are_grouped_by_year_day_and_type_newest_first() {
    let records = vec![
        record(ResourceType::Condition, None, "undated"),
        record(
            ResourceType::Observation,
            Some("2024-05-02T10:01:00Z"),
            "weight",
        ),
        record(ResourceType::Encounter, Some("2025-01-01"), "visit"),
        record(
            ResourceType::Encounter,
            Some("2024-05-02T09:00:00Z"),
            "check-up",
        ),
        record(
            ResourceType::Observation,
            Some("2024-05-02T10:00:00Z"),
            "pulse",
        ),
        record(ResourceType::Procedure, Some("2024"), "some time that year"),
    ];
    let years = Timeline::new("3f1c", records, None, 1).years;
    let names: Vec<_> = years.iter().map(|year| year.name.as_str()).collect();
    assert_eq!(names, ["2025", "2024", "Without a date"]);
    assert_eq!(years[1].days.len(), 2);
    let day = &years[1].days[0];
    assert_eq!(day.groups[0].resource_type, ResourceType::Encounter);
    let titles: Vec<_> = day.groups[1]
        .lines
        .iter()
        .map(|line| &*line.title)
        .collect();
    assert_eq!(titles, ["pulse", "weight"]);
}

#[test]
fn the_day_is_the_local_one_of_the_record() {
    let evening = record(
        ResourceType::Encounter,
        Some("2024-05-01T22:30:00-05:00"),
        "late visit",
    );
    let next_day = record(ResourceType::Encounter, Some("2024-05-02"), "next day");
    let years = Timeline::new("3f1c", vec![evening, next_day], None, 1).years;
    let days: Vec<_> = years[0]
        .days
        .iter()
        .filter_map(|day| day.date.as_ref())
        .collect();
    assert_eq!(days[0].text, "2 May 2024");
    assert_eq!(days[1].text, "1 May 2024");
}

#[test]
fn the_filters_count_all_types_independently_of_the_active_one() {
    let mut records = observations(3);
    records.push(record(ResourceType::Procedure, None, "appendectomy"));
    records.push(record(
        ResourceType::Practitioner,
        None,
        "not part of a chart",
    ));
    let timeline = Timeline::new("3f1c", records, Some(ResourceType::Procedure), 1);
    let counts: Vec<_> = timeline
        .filters
        .iter()
        .map(|filter| filter.count.0)
        .filter(|count| *count > 0)
        .collect();
    assert_eq!(counts, [4, 3, 1]);
    let shown = timeline
        .filters
        .iter()
        .find(|filter| filter.current)
        .unwrap();
    assert_eq!(shown.href, "/patients/3f1c?kind=Procedure");
    assert_eq!(timeline.paging.total.0, 1);
}

#[test]
fn a_long_chart_is_paged_by_records_with_its_filter() {
    let timeline = Timeline::new(
        "3f1c",
        observations(250),
        Some(ResourceType::Observation),
        3,
    );
    assert_eq!((timeline.paging.from.0, timeline.paging.to.0), (201, 250));
    assert_eq!(timeline.years[0].days[0].groups[0].lines.len(), 50);
    let past = Timeline::new(
        "3f1c",
        observations(250),
        Some(ResourceType::Observation),
        9,
    );
    assert_eq!(past.paging, timeline.paging);
    let previous = timeline.paging.previous.unwrap();
    assert_eq!(previous, "/patients/3f1c?kind=Observation&page=2");
}

#[test]
fn damaged_records_are_listed_and_counted_within_the_filter() {
    let damaged = |kind, id| DamagedRecord {
        resource_type: kind,
        id: uuid::Uuid::from_u128(id),
    };
    let all = [
        damaged(Some(ResourceType::Procedure), 1),
        damaged(Some(ResourceType::Observation), 2),
        damaged(None, 3),
    ];
    let timeline = Timeline::new("3f1c", observations(2), None, 1).with_damaged(&all);
    let kinds: Vec<_> = timeline.damaged.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["Unknown type", "Observation", "Procedure"]);
    assert_eq!(timeline.filters[0].count.0, 5);
    let shown = Some(ResourceType::Observation);
    let timeline = Timeline::new("3f1c", observations(2), shown, 1).with_damaged(&all);
    assert_eq!(timeline.damaged.len(), 1);
    let current = timeline.filters.iter().find(|it| it.current).unwrap();
    assert_eq!(current.count.0, 3);
}

#[test]
fn a_page_lists_a_bounded_number_of_damaged_records() {
    let damaged: Vec<_> = (0..250)
        .map(|id| DamagedRecord {
            resource_type: Some(ResourceType::Observation),
            id: uuid::Uuid::from_u128(id),
        })
        .collect();
    let timeline = Timeline::new("3f1c", Vec::new(), None, 1).with_damaged(&damaged);
    assert_eq!(
        (timeline.damaged.len(), timeline.more_damaged.0),
        (100, 150)
    );
}
