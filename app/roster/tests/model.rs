//! Property tests: a roster returns what filtering and sorting a plain list returns.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use fhir::InstantSpan;
use fhir::PatientFlags;
use fhir::PatientReference;
use fhir::fold_name;
use proptest::prelude::*;
use roster::AddressElements;
use roster::AddressFields;
use roster::Condition;
use roster::DateComparison;
use roster::DatePrefix;
use roster::DateSpan;
use roster::InstantQuery;
use roster::LanguageFields;
use roster::NameElements;
use roster::NameFields;
use roster::Order;
use roster::PagePosition;
use roster::PatientFields;
use roster::Roster;
use roster::RosterBuilder;
use roster::RosterQuery;
use roster::SortKey;
use roster::Start;
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
struct Address {
    street: Vec<String>,
    city: String,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    names: Vec<Name>,
    sort: (String, String),
    birth: Option<(Date, Date)>,
    addresses: Vec<Address>,
    /// System and code.
    languages: Vec<(String, String)>,
    practitioners: Vec<(bool, u128)>,
    flags: u32,
    death: Option<(i64, i64)>,
    updated: i64,
}

#[derive(Clone, Debug)]
enum Filter {
    Name(NameElements, StringMatch, Vec<String>),
    Birth(Vec<(DatePrefix, (Date, Date))>),
    City(StringMatch, Vec<String>),
    Address(StringMatch, Vec<String>),
    Flags(u32, bool),
    Death(Vec<(DatePrefix, i64)>),
    Updated(Vec<(DatePrefix, i64)>),
    Ids(Vec<Uuid>),
    /// The parameters of a search form, and the test of an entry.
    Language(&'static str, fn(&[(String, String)]) -> bool),
    Practitioner(Option<bool>, u128),
}

/// Two ids of practitioners.
const PRACTITIONERS: [u128; 2] = [1 << 100, 2 << 100];

fn practitioner((is_role, id): (bool, u128)) -> String {
    let name = if is_role {
        "PractitionerRole"
    } else {
        "Practitioner"
    };
    format!("{name}/{}", Uuid::from_u128(id))
}

/// The conditions on languages, each with its meaning.
#[expect(clippy::type_complexity, reason = "a list of cases")]
const LANGUAGES: [(&str, fn(&[(String, String)]) -> bool); 6] = [
    ("language=EN", |all| {
        all.iter().any(|(_, code)| code == "en")
    }),
    ("language=s|en", |all| {
        all.contains(&("s".into(), "en".into()))
    }),
    ("language=|en", |all| {
        all.contains(&(String::new(), "en".into()))
    }),
    ("language=s|", |all| {
        all.iter().any(|(system, _)| system == "s")
    }),
    ("language:not=en", |all| {
        !all.iter().any(|(_, code)| code == "en")
    }),
    ("language:not=s|en,e", |all| {
        !all.iter()
            .any(|it| it.1 == "e" || *it == ("s".into(), "en".into()))
    }),
];

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
    let addresses = (prop::collection::vec(NAME, 0..3), NAME);
    let addresses = addresses.prop_map(|(street, city)| Address { street, city });
    let codes = prop::sample::select(vec!["en", "e", "eng"]).prop_map(str::to_owned);
    let systems = prop::sample::select(vec!["s", "", "ss"]).prop_map(str::to_owned);
    let practitioner = (any::<bool>(), prop::sample::select(PRACTITIONERS.to_vec()));
    let rest = (
        prop::collection::vec(addresses, 0..3),
        prop::collection::vec((systems, codes), 0..3),
        prop::collection::vec(practitioner, 0..2),
        0..16_u32,
        prop::option::of((0..6_i64, 0..3_i64)),
        0..6_i64,
    );
    let fields = (names, (NAME, NAME), prop::option::of(spans()), rest);
    fields.prop_map(|(names, sort, birth, rest)| {
        let (addresses, languages, practitioners, flags, death, updated) = rest;
        Entry {
            names,
            sort,
            birth,
            addresses,
            languages,
            practitioners,
            flags,
            death: death.map(|(day, days)| (day, day + days)),
            updated,
        }
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
    let texts = || prop::collection::vec(NAME, 0..3);
    let comparisons = prop::collection::vec((prefix.clone(), 0..6_i64), 0..3);
    let practitioner = prop::sample::select(PRACTITIONERS.to_vec());
    prop_oneof![
        (elements, matching.clone(), texts())
            .prop_map(|(elements, matching, values)| Filter::Name(elements, matching, values)),
        prop::collection::vec((prefix, spans()), 0..3).prop_map(Filter::Birth),
        (matching.clone(), texts()).prop_map(|(matching, values)| Filter::City(matching, values)),
        (matching, texts()).prop_map(|(matching, values)| Filter::Address(matching, values)),
        (0..16_u32, any::<bool>()).prop_map(|(flags, negated)| Filter::Flags(flags, negated)),
        comparisons.clone().prop_map(Filter::Death),
        comparisons.prop_map(Filter::Updated),
        prop::collection::vec(patients(), 0..20).prop_map(Filter::Ids),
        prop::sample::select(LANGUAGES.to_vec()).prop_map(|(form, is)| Filter::Language(form, is)),
        (any::<Option<bool>>(), practitioner).prop_map(|(role, id)| Filter::Practitioner(role, id)),
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
    let streets: Vec<_> = entry.addresses.iter().map(|it| views(&it.street)).collect();
    let addresses = entry.addresses.iter().zip(&streets);
    let addresses: Vec<_> = addresses
        .map(|(address, street)| AddressFields {
            street,
            city: &address.city,
            ..AddressFields::default()
        })
        .collect();
    let languages = entry.languages.iter();
    let languages: Vec<_> = languages
        .map(|(system, code)| LanguageFields { system, code })
        .collect();
    let practitioners = entry.practitioners.iter();
    let practitioners: Vec<_> = practitioners
        .map(|it| PatientReference::parse(&practitioner(*it)).unwrap())
        .collect();
    then(&PatientFields {
        names: &names,
        sort_family: &entry.sort.0,
        sort_given: &entry.sort.1,
        birth: entry.birth.map(span),
        addresses: &addresses,
        languages: &languages,
        practitioners: &practitioners,
        flags: PatientFlags::from_bits(entry.flags),
        death: entry.death.map(days),
        updated: entry.updated,
        ..PatientFields::default()
    })
}

/// Days of January 1970 as a span.
fn days((first, last): (i64, i64)) -> InstantSpan {
    const DAY: i64 = 86_400_000;
    let span = InstantSpan::parse(&format!("1970-01-{:02}", first + 1)).unwrap();
    let last = InstantSpan::parse(&format!("1970-01-{:02}", last + 1)).unwrap();
    assert_eq!(span.first(), first * DAY);
    InstantSpan::new(span.first(), last.last()).unwrap()
}

/// The comparison of spans of R4, written out.
fn compare(prefix: DatePrefix, stored: (i64, i64), wanted: (i64, i64)) -> bool {
    let equal = wanted.0 <= stored.0 && stored.1 <= wanted.1;
    match prefix {
        DatePrefix::Equal => equal,
        DatePrefix::NotEqual => !equal,
        DatePrefix::Greater => stored.1 > wanted.1,
        DatePrefix::Less => stored.0 < wanted.0,
        DatePrefix::GreaterOrEqual => equal || stored.1 > wanted.1,
        DatePrefix::LessOrEqual => equal || stored.0 < wanted.0,
        DatePrefix::StartsAfter => stored.0 > wanted.1,
        DatePrefix::EndsBefore => stored.1 < wanted.0,
    }
}

/// The words of all elements of addresses, each from each of its own words on.
fn address_words(entry: &Entry) -> Vec<String> {
    let mut found = Vec::new();
    for address in &entry.addresses {
        let words = address.street.iter().flat_map(|line| line.split(' '));
        found.extend(words.flat_map(suffixes));
        found.extend(suffixes(&address.city));
    }
    found
}

fn has_match(found: &[String], matching: StringMatch, value: &str) -> bool {
    found.iter().any(|element| match matching {
        StringMatch::Prefix => element.starts_with(value),
        StringMatch::Contains => element.contains(value),
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

fn matches(id: &Uuid, entry: &Entry, filter: &Filter) -> bool {
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
            let mut values = values.iter().map(|value| fold_name(value));
            values.any(|value| has_match(&found, *matching, &value))
        }
        Filter::City(matching, values) => {
            let cities = entry.addresses.iter();
            let found: Vec<_> = cities.flat_map(|it| suffixes(&it.city)).collect();
            let mut values = values.iter().map(|value| fold_name(value));
            values.any(|value| has_match(&found, *matching, &value))
        }
        Filter::Address(matching, values) => {
            let found = address_words(entry);
            values.iter().any(|value| {
                let mut words = value.split(' ').map(fold_name);
                let all = words.all(|word| word.is_empty() || has_match(&found, *matching, &word));
                all && !found.is_empty()
            })
        }
        Filter::Flags(flags, negated) => (entry.flags & flags != 0) != *negated,
        Filter::Death(comparisons) => entry.death.is_some_and(|death| {
            let mut comparisons = comparisons.iter();
            comparisons.any(|(prefix, day)| compare(*prefix, death, (*day, *day)))
        }),
        Filter::Updated(comparisons) => comparisons.iter().any(|(prefix, time)| {
            let updated = (entry.updated, entry.updated);
            compare(*prefix, updated, (*time, *time))
        }),
        Filter::Ids(ids) => ids.contains(id),
        Filter::Language(_, is_met) => is_met(&entry.languages),
        Filter::Practitioner(role, id) => entry
            .practitioners
            .iter()
            .any(|it| it.1 == *id && role.is_none_or(|role| role == it.0)),
        Filter::Birth(comparisons) => entry.birth.is_some_and(|birth| {
            comparisons.iter().any(|(prefix, wanted)| {
                let days = |(first, last): (Date, Date)| {
                    (first.to_julian_day().into(), last.to_julian_day().into())
                };
                compare(*prefix, days(birth), days(*wanted))
            })
        }),
    }
}

/// The matching patients in an order.
fn expected(model: &Model, filters: &[Filter], among: Option<&[Uuid]>, order: Order) -> Vec<Uuid> {
    let mut found: Vec<_> = model
        .iter()
        .filter(|(id, _)| among.is_none_or(|among| among.contains(id)))
        .filter(|(id, entry)| filters.iter().all(|filter| matches(id, entry, filter)))
        .collect();
    found.sort_by_key(|(id, entry)| {
        let family = fold_name(&entry.sort.0).to_string();
        let given = fold_name(&entry.sort.1).to_string();
        let (birth, updated, first, second) = match order.key {
            SortKey::Family => (None, 0, family, given),
            SortKey::Given => (None, 0, given, family),
            SortKey::BirthDate => (entry.birth, 0, family, given),
            SortKey::Updated => (None, entry.updated, String::new(), String::new()),
            SortKey::Id => (None, 0, String::new(), String::new()),
        };
        (birth, updated, first, second, **id)
    });
    if order.descending {
        found.reverse();
    }
    found.into_iter().map(|(id, _)| *id).collect()
}

/// A query of a form.
fn query(form: &str) -> fhir::search::PatientQuery {
    fhir::search::parse(form.as_bytes(), None).unwrap()
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
        Filter::City(matching, values) => {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            Condition::address_element(AddressElements::City, *matching, &values)
        }
        Filter::Address(matching, values) => {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            Condition::address(*matching, &values)
        }
        Filter::Flags(flags, negated) => {
            Condition::flags(PatientFlags::from_bits(*flags), *negated)
        }
        Filter::Death(comparisons) => {
            let on = |(prefix, day): &_| InstantQuery::new(*prefix, days((*day, *day)));
            Condition::death(comparisons.iter().map(on).collect())
        }
        Filter::Updated(comparisons) => {
            let at = |(prefix, time): &_| InstantQuery::new(*prefix, InstantSpan::at(*time));
            Condition::updated(comparisons.iter().map(at).collect())
        }
        Filter::Ids(ids) => Condition::ids(ids.clone()),
        Filter::Language(form, _) => {
            Condition::language(query(&form.replace('|', "%7C")).languages.first().unwrap())
        }
        Filter::Practitioner(role, id) => {
            let value = match role {
                Some(is_role) => practitioner((*is_role, *id)),
                None => Uuid::from_u128(*id).to_string(),
            };
            let form = format!("general-practitioner={value}");
            Condition::reference(query(&form).references.first().unwrap())
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
                orders(),
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
        for (filters, among, (key, descending), (skip, take)) in queries {
            let order = Order { key, descending };
            let among = among.as_deref();
            let query = RosterQuery {
                conditions: filters.iter().map(condition).collect(),
                among,
            };
            let all = expected(&model, &filters, among, order);
            let found = roster.search(&query, order, Start::Skip(skip), take);
            let right: Vec<_> = all.iter().copied().skip(skip).take(take).collect();
            prop_assert_eq!(&found.ids, &right);
            prop_assert_eq!((found.total, found.has_more), (all.len(), skip + take < all.len()));
            for (index, id) in found.ids.iter().enumerate() {
                let position = PagePosition::decode(found.position(index).unwrap(), key).unwrap();
                let next = roster.search(&query, order, Start::After(&position), take);
                let after = all.iter().skip_while(|it| *it != id).skip(1);
                prop_assert_eq!(next.ids, after.copied().take(take).collect::<Vec<_>>());
                prop_assert_eq!(next.total, all.len());
            }
        }
    }

    /// Unchanged patients are neither repeated nor skipped, whatever is written between two pages.
    #[test]
    fn a_list_is_continued_where_it_was_left_although_others_are_written(
        initial in prop::collection::vec((patients(), entries()), 0..80),
        changes in prop::collection::vec(
            (patients(), prop::option::weighted(0.7, entries())),
            0..40,
        ),
        (filter, (key, descending)) in (prop::option::of(filters()), orders()),
        take in 1..7_usize,
    ) {
        let mut roster = built(&initial);
        let mut model: Model = initial.into_iter().collect();
        let changed: Vec<_> = changes.iter().map(|(id, _)| *id).collect();
        let mut changes = changes.into_iter();
        let order = Order { key, descending };
        let filters: Vec<_> = filter.into_iter().collect();
        let mut unchanged = expected(&model, &filters, None, order);
        unchanged.retain(|id| !changed.contains(id));
        let query = RosterQuery {
            conditions: filters.iter().map(condition).collect(),
            among: None,
        };
        let mut listed = Vec::new();
        let mut position = None;
        loop {
            let start = position.as_ref().map_or(Start::Skip(0), Start::After);
            let page = roster.search(&query, order, start, take);
            listed.extend(page.ids.iter().copied());
            let Some(last) = page.ids.len().checked_sub(1) else { break };
            position = PagePosition::decode(page.position(last).unwrap(), key);
            for (id, change) in changes.by_ref().take(3) {
                if let Some(entry) = change {
                    with_fields(&entry, |fields| roster.upsert(id, fields)).unwrap();
                    model.insert(id, entry);
                } else {
                    roster.remove(id);
                    model.remove(&id);
                }
            }
        }
        listed.retain(|id| !changed.contains(id));
        prop_assert_eq!(listed, unchanged);
    }
}

fn orders() -> impl Strategy<Value = (SortKey, bool)> {
    let keys = vec![
        SortKey::Family,
        SortKey::Given,
        SortKey::BirthDate,
        SortKey::Updated,
        SortKey::Id,
    ];
    (prop::sample::select(keys), any::<bool>())
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
            addresses: vec![Address {
                street: vec![format!("{} Elm St", next(100))],
                city: "Springfield".to_owned(),
            }],
            flags: 1 << next(2),
            updated: i64::try_from(next(6)).unwrap(),
            ..Entry::default()
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
    for filters in filters_of_many() {
        assert_same_pages(&roster, &model, &filters);
    }
}

fn filters_of_many() -> Vec<Vec<Filter>> {
    let name = |value: &str| {
        Filter::Name(
            NameElements::Any,
            StringMatch::Prefix,
            vec![value.to_owned()],
        )
    };
    let years = (date(1950, 1, 1), date(1951, 12, 31));
    let birth = Filter::Birth(vec![(DatePrefix::Equal, years)]);
    vec![
        vec![],
        vec![name("g")],
        vec![name("g"), name("a")],
        vec![name("go"), birth],
        vec![name("1"), name("ana")],
        vec![Filter::Flags(1, false)],
        vec![Filter::Flags(1, true), name("g")],
        vec![Filter::Address(
            StringMatch::Prefix,
            vec!["1 st".to_owned()],
        )],
        vec![Filter::Address(
            StringMatch::Contains,
            vec!["lm spring".to_owned(), "99".to_owned()],
        )],
        vec![
            Filter::Updated(vec![(DatePrefix::GreaterOrEqual, 3)]),
            Filter::City(StringMatch::Prefix, vec!["spring".to_owned()]),
        ],
        vec![Filter::Language("language:not=en", |_| true), name("go")],
    ]
}

fn assert_same_pages(roster: &Roster, model: &Model, filters: &[Filter]) {
    for (key, descending, skip) in [
        (SortKey::Family, false, 0),
        (SortKey::Family, true, 2_345),
        (SortKey::BirthDate, false, 4_321),
        (SortKey::BirthDate, true, 17),
        (SortKey::Updated, true, 3_000),
        (SortKey::Given, false, 5_001),
        (SortKey::Id, true, 4_999),
    ] {
        let order = Order { key, descending };
        let query = RosterQuery {
            conditions: filters.iter().map(condition).collect(),
            among: None,
        };
        let all = expected(model, filters, None, order);
        let found = roster.search(&query, order, Start::Skip(skip), 50);
        let right: Vec<_> = all.iter().copied().skip(skip).take(50).collect();
        assert_eq!((&found.ids, found.total), (&right, all.len()));
        if let Some(last) = found.position(49) {
            let position = PagePosition::decode(last, key).unwrap();
            let next = roster.search(&query, order, Start::After(&position), 700);
            let right: Vec<_> = all.iter().copied().skip(skip + 50).take(700).collect();
            assert_eq!(next.ids, right);
        }
    }
}
