//! Measures rosters of synthetic patients, with the elements that Synthea writes: time to build, memory, and times of operations.
//!
//! ```text
//! cargo run --release -p roster --example measure [-- <patients> …]
//! ```

#![expect(clippy::print_stdout, reason = "the measurements are the output")]
#![expect(
    clippy::indexing_slicing,
    reason = "all indexes are remainders of lengths"
)]

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use fhir::InstantSpan;
use fhir::PatientFlags;
use fhir::PatientReference;
use peak_alloc::PeakAlloc;
use roster::AddressElements;
use roster::AddressFields;
use roster::Condition;
use roster::DateComparison;
use roster::DatePrefix;
use roster::DateSpan;
use roster::Full;
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
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const LIMIT: usize = 4 << 30;
const FAMILY_NAMES: u64 = 50_000;
const GIVEN_NAMES: u64 = 5_000;
const PATIENTS_PER_PRACTITIONER: u64 = 20;
const PATIENTS_PER_ORGANIZATION: u64 = 100;
const ROUNDS: u64 = 2_000;
const BY_NAME: Order = Order {
    key: SortKey::Family,
    descending: false,
};

const BY_BIRTH: Order = Order {
    key: SortKey::BirthDate,
    descending: true,
};

/// `SplitMix64`: the same patients in each run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// A number below `below`; small ones are more frequent, as some names are.
    fn skewed(&mut self, below: u64) -> u64 {
        let bound = self.next(below) + 1;
        let bound = self.next(bound) + 1;
        self.next(bound)
    }
}

/// The name with a number: three or four syllables, capitalized, some with accents.
fn name(number: u64, seed: u64) -> String {
    const ONSETS: [&str; 20] = [
        "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
        "ch", "st",
    ];
    const VOWELS: [&str; 6] = ["a", "e", "i", "o", "u", "á"];
    let mut random = Random(number ^ seed);
    let mut name = String::new();
    for _ in 0..3 + random.next(2) {
        name.push_str(ONSETS[usize::try_from(random.next(20)).unwrap_or(0)]);
        name.push_str(VOWELS[usize::try_from(random.next(6)).unwrap_or(0)]);
    }
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

/// A patient such as Synthea writes: a title, two given names, one name in four a former one in addition, an
/// address of four to six words in the street, a language, a general practitioner, one patient in six dead.
struct Patient {
    family: String,
    former: Option<String>,
    given: [String; 2],
    both_given: String,
    birth: Date,
    street: String,
    city: String,
    zip: String,
    practitioner: PatientReference,
    organization: PatientReference,
    flags: PatientFlags,
    death: Option<InstantSpan>,
    updated: i64,
}

const ADDRESS_FLAGS: [PatientFlags; 8] = [
    PatientFlags::HAS_IDENTIFIER,
    PatientFlags::HAS_TELECOM,
    PatientFlags::HAS_PHONE,
    PatientFlags::HAS_NAME,
    PatientFlags::HAS_FAMILY,
    PatientFlags::HAS_GIVEN,
    PatientFlags::HAS_ADDRESS,
    PatientFlags::HAS_CITY,
];

impl Patient {
    /// One of `size` patients.
    fn generate(random: &mut Random, size: usize) -> Result<Self, Box<dyn Error>> {
        let size = u64::try_from(size)?;
        let family = name(random.skewed(FAMILY_NAMES), 1 << 40);
        let given = [(); 2].map(|()| name(random.skewed(GIVEN_NAMES), 2 << 40));
        let day = i32::try_from(random.next(33_000))?;
        Ok(Self {
            both_given: given.join(" "),
            former: (random.next(4) == 0).then(|| name(random.skewed(FAMILY_NAMES), 1 << 40)),
            family,
            given,
            // From 1930 on.
            birth: Date::from_julian_day(2_425_978 + day)?,
            street: Self::street(random),
            city: name(random.skewed(500), 3 << 40),
            zip: format!("{:05}", 1_000 + random.next(1_700)),
            practitioner: reference(
                "Practitioner",
                random.next(size / PATIENTS_PER_PRACTITIONER + 1),
            )?,
            organization: reference(
                "Organization",
                random.next(size / PATIENTS_PER_ORGANIZATION + 1),
            )?,
            flags: Self::flags(random),
            death: (random.next(6) == 0)
                .then(|| InstantSpan::at(i64::try_from(random.next(1 << 40)).unwrap_or(0))),
            updated: i64::try_from(1_700_000_000_000 + random.next(1 << 32))?,
        })
    }

    fn street(random: &mut Random) -> String {
        const KINDS: [&str; 6] = ["Street", "Avenue", "Rue", "Loaf", "Ville", "Crescent"];
        let (number, name) = (random.next(1_100), name(random.skewed(5_000), 4 << 40));
        let kind = KINDS[usize::try_from(random.next(6)).unwrap_or(0)];
        let unit = match random.next(3) {
            0 => format!(" Apt {}", random.next(100)),
            1 => format!(" Unit {}", random.next(100)),
            _ => String::new(),
        };
        format!("{number} {name} {kind}{unit}")
    }

    fn flags(random: &mut Random) -> PatientFlags {
        let gender = [PatientFlags::MALE, PatientFlags::FEMALE];
        let gender = gender[usize::try_from(random.next(2)).unwrap_or(0)];
        let flags = gender.union(PatientFlags::ALIVE);
        ADDRESS_FLAGS.into_iter().fold(flags, PatientFlags::union)
    }

    fn with_fields<T>(&self, then: impl FnOnce(&PatientFields<'_>) -> T) -> T {
        let [first, second] = &self.given;
        let given = [first.as_str(), second.as_str()];
        let name = |family| NameFields {
            family,
            given: &given,
            other: &["Mrs."],
        };
        let names = [Some(&self.family), self.former.as_ref()];
        let names: Vec<_> = names
            .into_iter()
            .flatten()
            .map(|family| name(family))
            .collect();
        let address = AddressFields {
            street: &[&self.street],
            city: &self.city,
            state: "Massachusetts",
            postal_code: &self.zip,
            country: "US",
        };
        let language = LanguageFields {
            system: "urn:ietf:bcp:47",
            code: "en-US",
        };
        then(&PatientFields {
            names: &names,
            sort_family: &self.family,
            sort_given: &self.both_given,
            birth: Some(DateSpan::day(self.birth)),
            addresses: &[address],
            languages: &[language],
            practitioners: &[self.practitioner],
            organizations: &[self.organization],
            links: &[],
            flags: self.flags,
            death: self.death,
            updated: self.updated,
        })
    }
}

fn reference(name: &str, number: u64) -> Result<PatientReference, Box<dyn Error>> {
    let id =
        Uuid::from_u128(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834));
    Ok(PatientReference::parse(&format!("{name}/{id}")).ok_or("a reference")?)
}

/// Prints median and 99th percentile of an operation.
fn measure(what: &str, operation: impl FnMut(u64) -> Result<usize, Full>) {
    measure_rounds(ROUNDS, what, operation);
}

fn measure_rounds(rounds: u64, what: &str, mut operation: impl FnMut(u64) -> Result<usize, Full>) {
    let mut micros = Vec::new();
    let mut total = 0;
    for round in 0..rounds {
        let start = Instant::now();
        let result = black_box(operation(round));
        micros.push(start.elapsed().as_nanos());
        total += result.unwrap_or_default();
    }
    micros.sort_unstable();
    let at = |percent: usize| {
        micros
            .get(micros.len() * percent / 100)
            .map_or(0, |nanos| nanos / 100)
    };
    let tenths = |tenths: u128| format!("{}.{}", tenths / 10, tenths % 10);
    println!(
        "  {what:<44} p50 {:>8} µs  p99 {:>8} µs  mean total {}",
        tenths(at(50)),
        tenths(at(99)),
        total / usize::try_from(rounds).unwrap_or(1),
    );
}

fn letter(round: u64) -> char {
    const LETTERS: &[u8; 18] = b"bcdfghjklmnprstvwz";
    char::from(LETTERS[usize::try_from(round % 18).unwrap_or(0)])
}

fn prefix(elements: NameElements, value: &str) -> Condition {
    Condition::name(elements, StringMatch::Prefix, &[value])
}

fn search(roster: &Roster, conditions: Vec<Condition>, order: Order, skip: usize) -> usize {
    let query = RosterQuery {
        conditions,
        among: None,
    };
    black_box(roster.search(&query, order, Start::Skip(skip), 50)).total
}

fn build(patients: &[Patient]) -> Result<Roster, Box<dyn Error>> {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut builder = RosterBuilder::new(LIMIT);
    let mut ids = Random(7);
    for patient in patients {
        let id = id(&mut ids);
        patient.with_fields(|fields| builder.add(id, fields))?;
    }
    let added = start.elapsed();
    let roster = builder.build()?;
    let (elapsed, cpu) = (start.elapsed(), cpu_time().saturating_sub(cpu));
    let used = ALLOCATOR.current_usage() - before;
    let peak = ALLOCATOR.peak_usage() - before;
    println!(
        "{} patients: built in {elapsed:.2?} (adding {added:.2?}; on the processor {cpu:.2?}); {} bytes a patient ({} by `Roster::bytes`), peak {}",
        patients.len(),
        used / patients.len(),
        roster.bytes() / patients.len(),
        peak / patients.len(),
    );
    Ok(roster)
}

/// The processor time of this thread, which does not depend on other processes.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

fn id(random: &mut Random) -> Uuid {
    Uuid::from_u64_pair(random.next(u64::MAX), random.next(u64::MAX))
}

fn measure_searches(roster: &Roster, patients: &[Patient]) {
    let patient = |round: u64| {
        let index = usize::try_from(round * 7_919).unwrap_or(0) % patients.len();
        &patients[index]
    };
    measure("first page by family", |_| {
        Ok(roster.page(BY_NAME, Start::Skip(0), 50).ids.len())
    });
    measure("page in the middle by birth date", |_| {
        let middle = patients.len() / 2;
        Ok(roster.page(BY_BIRTH, Start::Skip(middle), 50).ids.len())
    });
    measure("family, whole name", |round| {
        Ok(search(
            roster,
            vec![prefix(NameElements::Family, &patient(round).family)],
            BY_NAME,
            0,
        ))
    });
    measure("family, 5 letters", |round| {
        let value: String = patient(round).family.chars().take(5).collect();
        Ok(search(
            roster,
            vec![prefix(NameElements::Family, &value)],
            BY_NAME,
            0,
        ))
    });
    measure("family and given, 3 letters each", |round| {
        let [given, _] = &patient(round).given;
        let [family, given] =
            [&patient(round).family, given].map(|name| name.chars().take(3).collect::<String>());
        let conditions = vec![
            prefix(NameElements::Family, &family),
            prefix(NameElements::Given, &given),
        ];
        Ok(search(roster, conditions, BY_NAME, 0))
    });
}

fn measure_broad_searches(roster: &Roster, patients: &[Patient]) {
    measure("family, 1 letter", |round| {
        let value = letter(round).to_string();
        Ok(search(
            roster,
            vec![prefix(NameElements::Family, &value)],
            BY_NAME,
            0,
        ))
    });
    measure("family, 1 letter, page at 1000, by birth", |round| {
        let value = letter(round).to_string();
        Ok(search(
            roster,
            vec![prefix(NameElements::Family, &value)],
            BY_BIRTH,
            1_000,
        ))
    });
    measure("any name, 1 letter", |round| {
        let value = letter(round).to_string();
        Ok(search(
            roster,
            vec![prefix(NameElements::Any, &value)],
            BY_NAME,
            0,
        ))
    });
    let born = |prefix, round| {
        let index = usize::try_from(round * 7_919).unwrap_or(0) % patients.len();
        let span = DateSpan::day(patients[index].birth);
        Condition::birth_date(vec![DateComparison { prefix, span }])
    };
    measure("birth date, a day", |round| {
        Ok(search(
            roster,
            vec![born(DatePrefix::Equal, round)],
            BY_NAME,
            0,
        ))
    });
    measure("birth date, all after a day", |round| {
        Ok(search(
            roster,
            vec![born(DatePrefix::Greater, round)],
            BY_NAME,
            0,
        ))
    });
    measure("birth date, a day, and family, 1 letter", |round| {
        let family = prefix(NameElements::Family, &letter(round).to_string());
        Ok(search(
            roster,
            vec![born(DatePrefix::Equal, round), family],
            BY_NAME,
            0,
        ))
    });
}

/// Searches by what names and birth dates are not, and pages by position.
fn measure_other_searches(roster: &Roster, patients: &[Patient]) {
    let patient = |round: u64| {
        let index = usize::try_from(round * 7_919).unwrap_or(0) % patients.len();
        &patients[index]
    };
    let contains = |round: u64| {
        patient(round)
            .street
            .split(' ')
            .nth(1)
            .unwrap_or("")
            .to_owned()
    };
    measure("address, number and street", |round| {
        let words: Vec<_> = patient(round).street.split(' ').take(2).collect();
        let value = words.join(" ");
        let condition = Condition::address(StringMatch::Prefix, &[&value]);
        Ok(search(roster, vec![condition], BY_NAME, 0))
    });
    measure("city, whole name", |round| {
        let city = [patient(round).city.as_str()];
        let city = Condition::address_element(AddressElements::City, StringMatch::Prefix, &city);
        Ok(search(roster, vec![city], BY_NAME, 0))
    });
    measure("general practitioner", |round| {
        let form = format!("general-practitioner={}", patient(round).practitioner);
        Ok(search(roster, of_form(&form), BY_NAME, 0))
    });
    measure("gender", |_| {
        Ok(search(
            roster,
            vec![Condition::flags(PatientFlags::MALE, false)],
            BY_NAME,
            0,
        ))
    });
    measure("gender, and family, 3 letters", |round| {
        let value: String = patient(round).family.chars().take(3).collect();
        let family = prefix(NameElements::Family, &value);
        let gender = Condition::flags(PatientFlags::MALE, false);
        Ok(search(roster, vec![gender, family], BY_NAME, 0))
    });
    measure("language, not", |_| {
        Ok(search(roster, of_form("language:not=de"), BY_NAME, 0))
    });
    measure_times_and_positions(roster, patients);
    measure_rounds(50, "address contains a street", |round| {
        let condition = Condition::address(StringMatch::Contains, &[&contains(round)]);
        Ok(search(roster, vec![condition], BY_NAME, 0))
    });
}

fn measure_times_and_positions(roster: &Roster, patients: &[Patient]) {
    measure("died after a day", |_| {
        Ok(search(
            roster,
            of_form("death-date=gt2000-01-01"),
            BY_NAME,
            0,
        ))
    });
    measure("changed after a time, by time", |_| {
        let time = InstantSpan::at(1_700_000_000_000 + (1 << 32) - 1_000_000);
        let query = fhir::search::InstantQuery::new(DatePrefix::Greater, time);
        let order = Order {
            key: SortKey::Updated,
            descending: false,
        };
        Ok(search(
            roster,
            vec![Condition::updated(vec![query])],
            order,
            0,
        ))
    });
    measure("page after a position in the middle", |_| {
        let middle = roster.page(BY_NAME, Start::Skip(patients.len() / 2), 1);
        let position = middle
            .position(0)
            .and_then(|it| PagePosition::decode(it, BY_NAME.key));
        let start = position.as_ref().map_or(Start::Skip(0), Start::After);
        Ok(roster.page(BY_NAME, start, 50).ids.len())
    });
}

fn of_form(form: &str) -> Vec<Condition> {
    let Ok(query) = fhir::search::parse(form.as_bytes(), None) else {
        return Vec::new();
    };
    let references = query.references.iter().map(Condition::reference);
    let languages = query.languages.iter().map(Condition::language);
    let deaths = query.death_dates.iter().cloned().map(Condition::death);
    references.chain(languages).chain(deaths).collect()
}

fn measure_updates(roster: &mut Roster, patients: &[Patient]) {
    let known: Vec<Uuid> = {
        let mut ids = Random(7);
        patients.iter().map(|_| id(&mut ids)).collect()
    };
    let pick = |round: u64| usize::try_from(round * 104_729).unwrap_or(0) % patients.len();
    let mut ids = Random(11);
    measure("contains a patient", |round| {
        Ok(usize::from(roster.contains(known[pick(round)])))
    });
    measure("upsert, new patient", |round| {
        let id = id(&mut ids);
        let fields = &patients[pick(round)];
        fields
            .with_fields(|fields| roster.upsert(id, fields))
            .map(|()| 1)
    });
    measure("upsert, another name and birth date", |round| {
        let id = known[pick(round)];
        let fields = &patients[pick(round + 1)];
        fields
            .with_fields(|fields| roster.upsert(id, fields))
            .map(|()| 1)
    });
    measure("upsert, nothing changed", |round| {
        let id = known[pick(round)];
        let fields = &patients[pick(round + 1)];
        fields
            .with_fields(|fields| roster.upsert(id, fields))
            .map(|()| 1)
    });
    measure("remove", |round| {
        Ok(usize::from(roster.remove(known[pick(round)])))
    });
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut sizes: Vec<usize> = Vec::new();
    for argument in std::env::args().skip(1) {
        sizes.push(argument.parse()?);
    }
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000, 1_000_000];
    }
    for size in sizes {
        let mut random = Random(5);
        let generated = (0..size).map(|_| Patient::generate(&mut random, size));
        let patients = generated.collect::<Result<Vec<_>, _>>()?;
        let mut roster = build(&patients)?;
        measure_searches(&roster, &patients);
        measure_broad_searches(&roster, &patients);
        measure_other_searches(&roster, &patients);
        measure_updates(&mut roster, &patients);
    }
    Ok(())
}
