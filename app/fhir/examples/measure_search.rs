//! Measures the search values of resources: their stored length by type, which of them overflow, and the time of reading,
//! storing and matching them.
//!
//! `cargo run -p fhir --release --example measure_search -- FOLDER…`: folders of JSON files, each a resource or a Bundle.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a tool that prints its results"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use fhir::Resource;
use fhir::ResourceType;
use fhir::SensitiveJson;
use fhir::search::ResourceQuery;
use fhir::search::SearchValues;
use serde_json::Value;
use uuid::Uuid;

/// The lengths of a type's stored values.
#[derive(Default)]
struct Lengths {
    count: usize,
    sum: usize,
    longest: usize,
    overflows: Vec<String>,
}

fn main() {
    let mut resources = Vec::new();
    for folder in std::env::args().skip(1) {
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("readable");
            let Ok(json) = serde_json::from_slice::<Value>(&bytes) else {
                continue;
            };
            let entries = json.get("entry").and_then(Value::as_array);
            let all = entries.map_or_else(
                || vec![json.clone()],
                |all| {
                    all.iter()
                        .filter_map(|it| it.get("resource").cloned())
                        .collect()
                },
            );
            for mut json in all {
                map_ids(&mut json);
                if let Ok(resource) = Resource::validate(SensitiveJson::new(json), None) {
                    resources.push((path.display().to_string(), resource));
                }
            }
        }
    }
    lengths(&resources);
    if let Some((_, observation)) = resources
        .iter()
        .find(|(_, it)| it.resource_type() == ResourceType::Observation)
    {
        times(observation);
    }
}

/// Replaces the ids of references by UUIDs, as an import with mapped ids does.
fn map_ids(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(map_ids),
        Value::Object(members) => {
            for (name, member) in members {
                if let ("reference", Value::String(text)) = (name.as_str(), &mut *member) {
                    if let Some((kind, id)) = text.split_once('/') {
                        let number = id
                            .bytes()
                            .fold(1_u128, |sum, byte| sum * 31 % (1 << 100) + u128::from(byte));
                        *text = format!("{kind}/{}", Uuid::from_u128(number));
                    }
                } else {
                    map_ids(member);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn lengths(resources: &[(String, Resource)]) {
    let mut by_type = BTreeMap::<&str, Lengths>::new();
    for (path, resource) in resources {
        let values = SearchValues::of(resource);
        let owner = resource.owner("").ok().flatten();
        let bytes = values.encode(owner);
        let lengths = by_type.entry(resource.resource_type().name()).or_default();
        lengths.count += 1;
        lengths.sum += bytes.len();
        lengths.longest = lengths.longest.max(bytes.len());
        let stored = SearchValues::decode(resource.resource_type(), &bytes, owner);
        let stored = stored.expect("readable");
        if stored.is_incomplete() {
            lengths.overflows.push(path.clone());
        }
    }
    for (name, lengths) in by_type {
        let mean = lengths.sum / lengths.count;
        let overflows = lengths.overflows.len();
        println!(
            "{name}: {} resources, mean {mean}, longest {}, incomplete {overflows}",
            lengths.count, lengths.longest
        );
        for overflow in lengths.overflows.iter().take(3) {
            println!("    {overflow}");
        }
    }
}

fn times(observation: &Resource) {
    let each = |name: &str, rounds: u32, work: &mut dyn FnMut()| {
        work();
        let start = Instant::now();
        for _ in 0..rounds {
            work();
        }
        println!("{name}: {:?}", start.elapsed() / rounds);
    };
    let resource_type = ResourceType::Observation;
    let values = SearchValues::of(observation);
    let bytes = values.encode(None);
    let form = b"code=http://loinc.org|85354-9,8480-6&category=vital-signs&status=final&date=ge2010&date=lt2020";
    let parse = || ResourceQuery::parse(resource_type, "", form, None).expect("valid");
    let query = parse();
    each("values of an Observation", 100_000, &mut || {
        black_box(SearchValues::of(observation));
    });
    each("storing them", 100_000, &mut || {
        black_box(values.encode(None));
    });
    each("reading them", 100_000, &mut || {
        black_box(SearchValues::decode(resource_type, &bytes, None));
    });
    each("parsing a query", 100_000, &mut || {
        black_box(parse());
    });
    each("matching 1,000 resources", 1_000, &mut || {
        for _ in 0..1_000 {
            black_box(query.matches(black_box(&values)));
        }
    });
    each("reading and matching 1,000 resources", 1_000, &mut || {
        for _ in 0..1_000 {
            let values = SearchValues::decode(resource_type, &bytes, None);
            black_box(values.map(|values| query.matches(&values)));
        }
    });
}
