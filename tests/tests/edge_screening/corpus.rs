//! The regression tests of the OWASP Core Rule Set, its injections: first as they are written, but
//! for the host, which is ours; then what they carry, put where the app would read it.

use std::collections::BTreeMap;

use progress::Progress;
use tests::edge::Edge;
use tests::edge::Plan;
use tests::scanners::core_rule_set;
use tests::scanners::core_rule_set::Case;

use super::asker::Asker;
use super::cases::REPLACED;
use super::cases::payloads;
use super::cases::percent_encoded;
use super::cases::request;

/// The header that is text: what it says goes on to the app as it is.
const TEXT: &str = "user-agent";

/// How many were sent, and how many refused.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: u32,
    refused: u32,
}

impl Tally {
    fn share(self) -> f64 {
        f64::from(self.refused) / f64::from(self.sent)
    }

    fn add(&mut self, refused: bool) {
        self.sent += 1;
        self.refused += u32::from(refused);
    }
}

async fn cases() -> anyhow::Result<Vec<Case>> {
    tokio::task::spawn_blocking(|| core_rule_set::cases(Progress::shown())).await?
}

/// An edge that has no limit for who asks two thousand times.
async fn edge() -> anyhow::Result<Edge> {
    let edge = Plan::of(1).without_rate_limits().start().await?;
    edge.ready().await?;
    Ok(edge)
}

/// What came to the app of a request that was not refused must hold nothing of what attacks.
fn harmless(edge: &Edge, case: &Case) -> anyhow::Result<()> {
    for message in edge.origin()?.take().messages {
        let dropped = case.headers.iter().filter(|(name, _)| {
            let known = ["accept", "content-type", TEXT];
            let name = name.to_ascii_lowercase();
            !REPLACED.contains(&name.as_str()) && !known.iter().any(|it| name.starts_with(it))
        });
        for (name, value) in dropped {
            anyhow::ensure!(
                !message.head.contains(value.as_str()),
                "{}: {name}",
                case.title
            );
        }
        anyhow::ensure!(
            message.target() == "/",
            "{}: {}",
            case.title,
            message.target()
        );
        anyhow::ensure!(message.body.is_empty(), "{}: a body", case.title);
    }
    Ok(())
}

/// How often the edge gave which reason.
fn reasons(edge: &Edge) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut reasons = BTreeMap::new();
    for line in edge.web.log()?.lines() {
        if let Some((_, rest)) = line.split_once("refused") {
            let word = |c: char| !(c.is_ascii_lowercase() || c == '_');
            let reason = rest.trim_start_matches(word).split(word).next();
            *reasons
                .entry(reason.unwrap_or_default().to_owned())
                .or_default() += 1;
        }
    }
    Ok(reasons)
}

#[tokio::test]
async fn no_injection_of_the_core_rule_set_reaches_the_app() -> anyhow::Result<()> {
    let (cases, edge) = (cases().await?, edge().await?);
    let mut families: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut passed = Vec::new();
    let mut asker = Asker::of(&edge);
    for case in &cases {
        let refused = asker.is_refused(&request(case, edge.host())).await?;
        families.entry(&case.family).or_default().add(refused);
        if !refused {
            harmless(&edge, case)?;
            passed.push(case.title.as_str());
        }
    }
    println!(
        "by family: {families:#?}\nby reason: {:?}\nwithout what attacks: {passed:?}",
        reasons(&edge)?
    );
    let mut all = Tally::default();
    for tally in families.values() {
        all.sent += tally.sent;
        all.refused += tally.refused;
    }
    assert!(all.sent > 1_500, "{all:?}");
    assert!(all.share() >= 0.95, "{all:?}");
    Ok(())
}

/// Where the app would read a payload: the target and the header of each place.
fn places_of(payload: &[u8]) -> Vec<(&'static str, String, Vec<u8>)> {
    let encoded = percent_encoded(payload);
    let line: Vec<u8> = payload
        .iter()
        .map(|byte| {
            if b"\r\n\0".contains(byte) {
                b' '
            } else {
                *byte
            }
        })
        .collect();
    let target = |place, target: String| (place, target, Vec::new());
    let header = |name: &'static str| {
        let line = [name.as_bytes(), b": ", &line, b"\r\n"].concat();
        (name, "/sign-in".to_owned(), line)
    };
    vec![
        target("a value of the query", format!("/patients?page={encoded}")),
        target(
            "a word of the query",
            format!("/fhir/metadata?_format={encoded}"),
        ),
        target("the path", format!("/patients/{encoded}")),
        header("accept"),
        header("accept-language"),
        header("authorization"),
        header("if-none-match"),
        header(TEXT),
    ]
}

#[tokio::test]
async fn payloads_of_the_core_rule_set_are_refused_in_the_places_that_the_app_reads()
-> anyhow::Result<()> {
    let (cases, edge) = (cases().await?, edge().await?);
    let payloads = payloads(&cases);
    let mut places: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut passed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut asker = Asker::of(&edge);
    for payload in &payloads {
        for (place, target, header) in places_of(payload) {
            let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n", edge.host());
            let request = [head.as_bytes(), &header, b"\r\n"].concat();
            let refused = asker.is_refused(&request).await?;
            places.entry(place).or_default().add(refused);
            if !refused {
                drop(edge.origin()?.take());
                passed
                    .entry(place)
                    .or_default()
                    .push(String::from_utf8_lossy(payload).into_owned());
            }
        }
    }
    println!(
        "{} payloads: {places:#?}\nnot refused: {passed:#?}",
        payloads.len()
    );
    assert!(payloads.len() > 500, "{}", payloads.len());
    for (place, tally) in &places {
        // Programs may call themselves much: of what is cut at its `&` some pieces are mere words.
        let least = if *place == TEXT { 0.9 } else { 0.99 };
        assert!(tally.share() >= least, "{place}: {tally:?}");
    }
    Ok(())
}
