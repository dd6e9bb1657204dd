//! Tests of searches whose results FHIR R4 defines, and of limits.

use roster::Condition;
use roster::DateComparison;
use roster::DatePrefix;
use roster::DateSpan;
use roster::Full;
use roster::NameElements;
use roster::NameFields;
use roster::Order;
use roster::PatientFields;
use roster::Roster;
use roster::RosterBuilder;
use roster::RosterQuery;
use roster::SortKey;
use roster::Start;
use roster::StringMatch;
use time::macros::date;
use uuid::Uuid;

const BY_NAME: Order = Order {
    key: SortKey::Family,
    descending: false,
};

fn roster(patients: &[PatientFields<'_>]) -> Roster {
    let mut roster = Roster::new(1 << 24);
    for (id, fields) in (0..).map(Uuid::from_u128).zip(patients) {
        assert_eq!(roster.upsert(id, fields), Ok(()));
    }
    roster
}

fn found(roster: &Roster, condition: Condition) -> Vec<u128> {
    let query = RosterQuery {
        conditions: vec![condition],
        among: None,
    };
    let page = roster.search(&query, BY_NAME, Start::Skip(0), 10);
    assert_eq!(page.total, page.ids.len());
    let mut ids: Vec<_> = page.ids.iter().map(Uuid::as_u128).collect();
    ids.sort_unstable();
    ids
}

fn prefix(elements: NameElements, values: &[&str]) -> Condition {
    Condition::name(elements, StringMatch::Prefix, values)
}

fn family<'a>(names: &'a [NameFields<'a>; 1]) -> PatientFields<'a> {
    PatientFields {
        names,
        sort_family: names[0].family,
        ..PatientFields::default()
    }
}

fn named(family: &str) -> [NameFields<'_>; 1] {
    [NameFields {
        family,
        ..NameFields::default()
    }]
}

#[test]
fn a_birth_date_of_a_year_or_a_month_is_a_span() {
    use DatePrefix::EndsBefore;
    use DatePrefix::Equal;
    use DatePrefix::Greater;
    use DatePrefix::GreaterOrEqual;
    use DatePrefix::Less;
    use DatePrefix::LessOrEqual;
    use DatePrefix::NotEqual;
    use DatePrefix::StartsAfter;
    let year = DateSpan::new(date!(1933 - 01 - 01), date!(1933 - 12 - 31)).unwrap();
    let month = DateSpan::new(date!(1933 - 05 - 01), date!(1933 - 05 - 31)).unwrap();
    let day = DateSpan::day(date!(1933 - 05 - 17));
    let birth = |birth| PatientFields {
        birth: Some(birth),
        ..PatientFields::default()
    };
    let roster = roster(&[
        birth(year),
        birth(month),
        birth(day),
        PatientFields::default(),
    ]);
    let next_year = DateSpan::new(date!(1934 - 01 - 01), date!(1934 - 12 - 31)).unwrap();
    for (prefix, span, right) in [
        (Equal, year, &[0, 1, 2][..]),
        (Equal, month, &[1, 2]),
        (Equal, day, &[2]),
        (NotEqual, month, &[0]),
        (
            GreaterOrEqual,
            DateSpan::day(date!(1933 - 01 - 01)),
            &[0, 1, 2],
        ),
        (Greater, DateSpan::day(date!(1932 - 12 - 31)), &[0, 1, 2]),
        (Less, next_year, &[0, 1, 2]),
        (Greater, day, &[0, 1]),
        (Less, DateSpan::day(date!(1933 - 05 - 01)), &[0]),
        (GreaterOrEqual, day, &[0, 1, 2]),
        (LessOrEqual, day, &[0, 1, 2]),
        (StartsAfter, DateSpan::day(date!(1933 - 04 - 30)), &[1, 2]),
        (EndsBefore, DateSpan::day(date!(1933 - 06 - 01)), &[1, 2]),
        (Greater, DateSpan::day(date!(9999 - 12 - 31)), &[]),
    ] {
        let condition = Condition::birth_date(vec![DateComparison { prefix, span }]);
        assert_eq!(found(&roster, condition), right, "{prefix:?}");
    }
}

#[test]
fn family_given_and_name_consider_every_name() {
    let wed = [
        NameFields {
            family: "Wed",
            given: &["Maya"],
            other: &[],
        },
        NameFields {
            family: "Birch",
            ..NameFields::default()
        },
        NameFields {
            given: &["Mims"],
            ..NameFields::default()
        },
    ];
    let text = [NameFields {
        other: &["Solo Zark"],
        ..NameFields::default()
    }];
    let suffix = [NameFields {
        family: "Pre",
        other: &["Dz", "Qe"],
        ..NameFields::default()
    }];
    let patients = [&wed[..], &text, &suffix].map(|names| PatientFields {
        names,
        ..PatientFields::default()
    });
    let roster = roster(&patients);
    for (elements, value, right) in [
        (NameElements::Family, "Birch", &[0][..]),
        (NameElements::Given, "Mims", &[0]),
        (NameElements::Any, "Mims", &[0]),
        (NameElements::Any, "Zark", &[1]),
        (NameElements::Any, "Solo Zark", &[1]),
        (NameElements::Any, "Qe", &[2]),
        (NameElements::Family, "Maya", &[]),
    ] {
        assert_eq!(found(&roster, prefix(elements, &[value])), right, "{value}");
    }
}

#[test]
fn values_are_alternatives_and_conditions_are_not() {
    let names = ["Orfa", "Orsb", "Quell, Jr"].map(named);
    let roster = roster(&names.each_ref().map(family));
    assert_eq!(
        found(&roster, prefix(NameElements::Any, &["Orfa", "Orsb"])),
        [0, 1]
    );
    assert_eq!(
        found(&roster, prefix(NameElements::Family, &["Quell, Jr"])),
        [2]
    );
    assert!(found(&roster, prefix(NameElements::Family, &[])).is_empty());
    let both = ["orfa", "orsb"].map(|value| prefix(NameElements::Family, &[value]));
    let query = RosterQuery {
        conditions: both.into(),
        among: None,
    };
    assert_eq!(roster.search(&query, BY_NAME, Start::Skip(0), 10).total, 0);
}

#[test]
fn names_of_the_world_are_found_and_sorted_by_their_letters() {
    let names = [
        "Zorn",
        "Dvořák",
        "Nguyễn",
        "Łukasz",
        "Đoković",
        "Țepeș",
        "Muñoz-García",
        "Şahin",
    ]
    .map(named);
    let roster = roster(&names.each_ref().map(family));
    for (value, right) in [
        ("Dvorak", &[1][..]),
        ("DVOŘ", &[1]),
        ("Nguyen", &[2]),
        ("lukasz", &[3]),
        ("nguyen", &[2]),
        ("sahin", &[7]),
        ("Do", &[4]),
        ("munoz", &[6]),
        ("GAR", &[6]),
        ("oz", &[]),
    ] {
        assert_eq!(
            found(&roster, prefix(NameElements::Family, &[value])),
            right,
            "{value}"
        );
    }
    let ids: Vec<_> = roster
        .page(BY_NAME, Start::Skip(0), 10)
        .ids
        .iter()
        .map(Uuid::as_u128)
        .collect();
    assert_eq!(ids, [4, 1, 3, 6, 2, 7, 5, 0]);
}

#[test]
fn a_full_roster_refuses_and_stays_as_it_is() {
    let mut roster = Roster::new(200_000);
    let texts: Vec<_> = (0..5_000_u128).map(|id| format!("Name{id}")).collect();
    let ids = || (0_u128..).map(Uuid::from_u128);
    let refused = texts.iter().zip(ids()).find(|(text, id)| {
        let names = named(text);
        roster.upsert(*id, &family(&names)) == Err(Full)
    });
    let (_, refused) = refused.unwrap();
    assert!(!roster.contains(refused));
    assert_eq!(Uuid::from_u128(roster.len().try_into().unwrap()), refused);
    assert!(roster.bytes() < 200_000 + 150_000);
}

#[test]
fn debug_output_shows_no_contents() {
    let names = [named("Secretname")];
    let roster = roster(&[family(&names[0])]);
    let day = DateSpan::day(date!(1933 - 05 - 17));
    let condition = prefix(NameElements::Any, &["Secretname"]);
    let fields = family(&names[0]);
    let shown = format!("{roster:?} {day:?} {condition:?} {fields:?} {:?}", names[0]);
    assert!(
        !shown.contains("Secret") && !shown.contains("1933"),
        "{shown}"
    );
}

#[test]
fn parts_that_are_merged_have_their_limits_together() {
    const PART: usize = 1 << 20;
    // A builder with this number of patients, and the id of the first one that exceeds its limit.
    let part = |first: u128, count: u128| {
        let mut builder = RosterBuilder::new(PART);
        let full = (first..first + count).find(|id| {
            let text = format!("{id:032x}");
            let names = [NameFields {
                family: &text,
                ..NameFields::default()
            }];
            builder.add(Uuid::from_u128(*id), &family(&names)).is_err()
        });
        (builder, full)
    };
    let (_, full) = part(0, 1_000_000);
    let count = full.unwrap() * 3 / 4;
    let (mut merged, _) = part(0, count);
    let (second, _) = part(1 << 64, count);
    assert_eq!(merged.merge(second), Ok(()));
}

#[test]
fn the_memory_of_a_patient_grows_with_every_word_of_its_names() {
    let text = vec!["word"; 100].join(" ");
    let one = [NameFields {
        family: "word",
        ..NameFields::default()
    }];
    let many = [NameFields {
        family: &text,
        ..NameFields::default()
    }];
    assert!(family(&one).bytes() < 512);
    assert!(family(&many).bytes() > 10_000);
}
