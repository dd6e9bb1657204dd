//! Property tests: a roster returns what filtering and sorting a plain list returns.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use fhir::fold_name;
use proptest::prelude::*;
use roster::Condition;
use roster::DateComparison;
use roster::DatePrefix;
use roster::DateSpan;
use roster::NameElements;
use roster::NameFields;
use roster::Order;
use roster::Page;
use roster::PatientFields;
use roster::Roster;
use roster::RosterBuilder;
use roster::RosterQuery;
use roster::SortKey;
use roster::StringMatch;
use time::Date;
use time::Month;
use uuid::Uuid;

const LIMIT: usize = 1 << 30;

/// A regular expression of names, with few letters, so that names coincide.
const NAME: &str = "[abÁł]{0,3}([ '-][aßB]{1,2}){0,2}";

#[derive(Clone, Debug)]
struct Name {
    family: String,
    given: Vec<String>,
    other: Vec<String>,
}

#[derive(Clone, Debug)]
struct Entry {
    names: Vec<Name>,
    sort: (String, String),
    birth: Option<(Date, Date)>,
}

#[derive(Clone, Debug)]
enum Filter {
    Name(NameElements, StringMatch, Vec<String>),
    Birth(Vec<(DatePrefix, (Date, Date))>),
}

type Model = BTreeMap<Uuid, Entry>;

fn date(year: i32, month: u8, day: u8) -> Date {
    Date::from_calendar_date(year, Month::try_from(month).unwrap(), day).unwrap()
}

fn span((first, last): (Date, Date)) -> DateSpan {
    DateSpan::new(first, last).unwrap()
}

fn spans() -> impl Strategy<Value = (Date, Date)> {
    (1950..1954_i32, 1..=12_u8, 1..=28_u8, 0..3).prop_map(|(year, month, day, precision)| {
        match precision {
            0 => (date(year, 1, 1), date(year, 12, 31)),
            1 => (date(year, month, 1), date(year, month, 28)),
            _ => (date(year, month, day), date(year, month, day)),
        }
    })
}

fn patients() -> impl Strategy<Value = Uuid> {
    (0..60_u128).prop_map(|id| Uuid::from_u128(id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c)))
}

fn entries() -> impl Strategy<Value = Entry> {
    let names = (
        NAME,
        prop::collection::vec(NAME, 0..3),
        prop::collection::vec(NAME, 0..2),
    );
    let names = names.prop_map(|(family, given, other)| Name {
        family,
        given,
        other,
    });
    let names = prop::collection::vec(names, 0..3);
    (names, (NAME, NAME), prop::option::of(spans())).prop_map(|(names, sort, birth)| Entry {
        names,
        sort,
        birth,
    })
}

fn filters() -> impl Strategy<Value = Filter> {
    use DatePrefix::EndsBefore;
    use DatePrefix::Equal;
    use DatePrefix::Greater;
    use DatePrefix::GreaterOrEqual;
    use DatePrefix::Less;
    use DatePrefix::LessOrEqual;
    use DatePrefix::NotEqual;
    use DatePrefix::StartsAfter;
    let elements = prop::sample::select(vec![
        NameElements::Family,
        NameElements::Given,
        NameElements::Any,
    ]);
    let matching = prop::sample::select(vec![StringMatch::Prefix, StringMatch::Contains]);
    let prefix = prop::sample::select(vec![
        Equal,
        NotEqual,
        Greater,
        Less,
        GreaterOrEqual,
        LessOrEqual,
        StartsAfter,
        EndsBefore,
    ]);
    prop_oneof![
        (elements, matching, prop::collection::vec(NAME, 0..3))
            .prop_map(|(elements, matching, values)| Filter::Name(elements, matching, values)),
        prop::collection::vec((prefix, spans()), 0..3).prop_map(Filter::Birth),
    ]
}

fn with_fields<T>(entry: &Entry, then: impl FnOnce(&PatientFields<'_>) -> T) -> T {
    let views = |texts: &'_ Vec<String>| -> Vec<&'static str> {
        texts.iter().map(|text| &*text.clone().leak()).collect()
    };
    let given: Vec<_> = entry.names.iter().map(|name| views(&name.given)).collect();
    let other: Vec<_> = entry.names.iter().map(|name| views(&name.other)).collect();
    let names: Vec<_> = (entry.names.iter().zip(&given).zip(&other))
        .map(|((name, given), other)| NameFields {
            family: &name.family,
            given,
            other,
        })
        .collect();
    then(&PatientFields {
        names: &names,
        sort_family: &entry.sort.0,
        sort_given: &entry.sort.1,
        birth: entry.birth.map(span),
    })
}

/// The element from each of its words on.
fn suffixes(element: &str) -> Vec<String> {
    let starts = element
        .char_indices()
        .filter(|(at, c)| c.is_alphanumeric() && !element[..*at].ends_with(char::is_alphanumeric));
    starts
        .map(|(at, _)| fold_name(&element[at..]).to_string())
        .collect()
}

fn matches(entry: &Entry, filter: &Filter) -> bool {
    match filter {
        Filter::Name(elements, matching, values) => {
            let mut found = Vec::new();
            for name in &entry.names {
                if *elements != NameElements::Given {
                    found.extend(suffixes(&name.family));
                }
                if *elements != NameElements::Family {
                    found.extend(name.given.iter().flat_map(|given| suffixes(given)));
                }
                if *elements == NameElements::Any {
                    found.extend(name.other.iter().flat_map(|other| suffixes(other)));
                }
            }
            values.iter().map(|value| fold_name(value)).any(|value| {
                found.iter().any(|element| match matching {
                    StringMatch::Prefix => element.starts_with(value.as_str()),
                    StringMatch::Contains => element.contains(value.as_str()),
                })
            })
        }
        Filter::Birth(comparisons) => entry.birth.is_some_and(|birth| {
            comparisons.iter().any(|(prefix, wanted)| {
                let equal = wanted.0 <= birth.0 && birth.1 <= wanted.1;
                match prefix {
                    DatePrefix::Equal => equal,
                    DatePrefix::NotEqual => !equal,
                    DatePrefix::Greater => birth.1 > wanted.1,
                    DatePrefix::Less => birth.0 < wanted.0,
                    DatePrefix::GreaterOrEqual => equal || birth.1 > wanted.1,
                    DatePrefix::LessOrEqual => equal || birth.0 < wanted.0,
                    DatePrefix::StartsAfter => birth.0 > wanted.1,
                    DatePrefix::EndsBefore => birth.1 < wanted.0,
                }
            })
        }),
    }
}

fn expected(
    model: &Model,
    filters: &[Filter],
    among: Option<&[Uuid]>,
    order: Order,
    skip: usize,
    take: usize,
) -> Page {
    let mut found: Vec<_> = model
        .iter()
        .filter(|(id, _)| among.is_none_or(|among| among.contains(id)))
        .filter(|(_, entry)| filters.iter().all(|filter| matches(entry, filter)))
        .collect();
    found.sort_by_key(|(id, entry)| {
        let birth = (order.key == SortKey::BirthDate).then_some(entry.birth);
        let names = [&entry.sort.0, &entry.sort.1].map(|name| fold_name(name).to_string());
        (birth, names, **id)
    });
    if order.descending {
        found.reverse();
    }
    Page {
        total: found.len(),
        ids: found
            .into_iter()
            .skip(skip)
            .take(take)
            .map(|(id, _)| *id)
            .collect(),
    }
}

fn condition(filter: &Filter) -> Condition {
    match filter {
        Filter::Name(elements, matching, values) => {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            Condition::name(*elements, *matching, &values)
        }
        Filter::Birth(comparisons) => {
            let comparison = |(prefix, wanted): &_| DateComparison {
                prefix: *prefix,
                span: span(*wanted),
            };
            Condition::birth_date(comparisons.iter().map(comparison).collect())
        }
    }
}

fn built(initial: &[(Uuid, Entry)]) -> Roster {
    let (left, right) = initial.split_at(initial.len() / 2);
    let [first, second] = [left, right].map(|half| {
        let mut builder = RosterBuilder::new(LIMIT);
        for (id, entry) in half {
            with_fields(entry, |fields| builder.add(*id, fields)).unwrap();
        }
        builder
    });
    let mut builder = first;
    builder.merge(second).unwrap();
    builder.build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_roster_is_a_list_that_is_filtered_and_sorted(
        initial in prop::collection::vec((patients(), entries()), 0..80),
        changes in prop::collection::vec((patients(), prop::option::weighted(0.7, entries())), 0..60),
        queries in prop::collection::vec(
            (
                prop::collection::vec(filters(), 0..3),
                prop::option::weighted(0.2, prop::collection::vec(patients(), 0..20)),
                any::<(bool, bool)>(),
                (0..30_usize, 0..30_usize),
            ),
            1..8,
        ),
    ) {
        let mut roster = built(&initial);
        let mut model: Model = initial.into_iter().collect();
        for (id, change) in changes {
            if let Some(entry) = change {
                with_fields(&entry, |fields| roster.upsert(id, fields)).unwrap();
                model.insert(id, entry);
            } else {
                prop_assert_eq!(roster.remove(id), model.remove(&id).is_some());
            }
        }
        prop_assert_eq!(roster.len(), model.len());
        prop_assert!(roster.patients().eq(model.keys().copied()));
        for (filters, among, (by_birth, descending), (skip, take)) in queries {
            let key = if by_birth { SortKey::BirthDate } else { SortKey::Family };
            let order = Order { key, descending };
            let among = among.as_deref();
            let query = RosterQuery {
                conditions: filters.iter().map(condition).collect(),
                among,
            };
            let found = roster.search(&query, order, skip, take);
            prop_assert_eq!(found, expected(&model, &filters, among, order, skip, take));
        }
    }
}

/// With sizes at which sets become bitmaps and chunks are split.
#[test]
fn a_roster_of_many_is_a_list_that_is_filtered_and_sorted() {
    let mut random = 1_u64;
    let mut next = move |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % below
    };
    let mut entry = |id: u64| {
        let family = format!(
            "{}{}",
            ["Garcia", "Gómez ", "Łopez-"][usize::try_from(id % 3).unwrap()],
            next(50)
        );
        let year = 1950 + i32::try_from(next(3)).unwrap();
        Entry {
            sort: (family.clone(), String::new()),
            names: vec![Name {
                family,
                given: vec![format!("Ana {}", next(9))],
                other: Vec::new(),
            }],
            birth: Some((date(year, 1, 1), date(year, 12, 31))),
        }
    };
    let initial: Vec<_> = (0..9_000)
        .map(|id| (Uuid::from_u128(id.into()), entry(id)))
        .collect();
    let mut roster = built(&initial);
    let mut model: Model = initial.into_iter().collect();
    for id in 5_000..14_000_u64 {
        let (patient, entry) = (Uuid::from_u128(id.into()), entry(id));
        with_fields(&entry, |fields| roster.upsert(patient, fields)).unwrap();
        model.insert(patient, entry);
    }
    for id in (0..14_000_u128).filter(|id| id % 7 == 0 || (9_000..11_000).contains(id)) {
        assert!(roster.remove(Uuid::from_u128(id)));
        model.remove(&Uuid::from_u128(id));
    }
    let name = |value: &str| {
        Filter::Name(
            NameElements::Any,
            StringMatch::Prefix,
            vec![value.to_owned()],
        )
    };
    let years = (date(1950, 1, 1), date(1951, 12, 31));
    let birth = Filter::Birth(vec![(DatePrefix::Equal, years)]);
    for filters in [
        vec![],
        vec![name("g")],
        vec![name("g"), name("a")],
        vec![name("go"), birth],
        vec![name("1"), name("ana")],
    ] {
        assert_same_pages(&roster, &model, &filters);
    }
}

fn assert_same_pages(roster: &Roster, model: &Model, filters: &[Filter]) {
    for (key, descending, skip) in [
        (SortKey::Family, false, 0),
        (SortKey::Family, true, 2_345),
        (SortKey::BirthDate, false, 4_321),
        (SortKey::BirthDate, true, 17),
    ] {
        let order = Order { key, descending };
        let query = RosterQuery {
            conditions: filters.iter().map(condition).collect(),
            among: None,
        };
        let found = roster.search(&query, order, skip, 50);
        assert_eq!(found, expected(model, filters, None, order, skip, 50));
    }
}
