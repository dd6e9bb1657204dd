//! The injection tests of the OWASP Core Rule Set: as they are written, with web's host; and their
//! payloads in the places that the app reads.

use std::collections::BTreeMap;

use progress::Progress;
use tests::edge::Edge;
use tests::edge::EdgeBuilder;
use tests::scanners::core_rule_set;
use tests::scanners::core_rule_set::Case;

use super::cases::REPLACED_HEADERS;
use super::cases::payloads;
use super::cases::percent_encoded;
use super::cases::request;
use super::client::ScreeningClient;

/// The header with free text, which is forwarded unchanged.
const FREE_TEXT_HEADER: &str = "user-agent";

/// The number of sent and of refused requests.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: u32,
    refused: u32,
}

impl Tally {
    fn refused_share(self) -> f64 {
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

/// An edge whose rate limits do not apply to the thousands of requests of one client.
async fn edge() -> anyhow::Result<Edge> {
    let edge = EdgeBuilder::with_origins(1)
        .without_rate_limits()
        .start()
        .await?;
    edge.ready().await?;
    Ok(edge)
}

/// Asserts that a forwarded request has nothing of its case's attack.
fn assert_harmless(edge: &Edge, case: &Case) -> anyhow::Result<()> {
    for message in edge.origin()?.take_record().messages {
        let dropped = case.headers.iter().filter(|(name, _)| {
            let known = ["accept", "content-type", FREE_TEXT_HEADER];
            let name = name.to_ascii_lowercase();
            !REPLACED_HEADERS.contains(&name.as_str())
                && !known.iter().any(|it| name.starts_with(it))
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

/// The number of refusals by reason.
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
    let mut client = ScreeningClient::new(&edge);
    for case in &cases {
        let refused = client.is_refused(&request(case, edge.host())).await?;
        families.entry(&case.family).or_default().add(refused);
        if !refused {
            assert_harmless(&edge, case)?;
            passed.push(case.title.as_str());
        }
    }
    println!(
        "by family: {families:#?}\nby reason: {:?}\nforwarded without the attack: {passed:?}",
        reasons(&edge)?
    );
    let mut all = Tally::default();
    for tally in families.values() {
        all.sent += tally.sent;
        all.refused += tally.refused;
    }
    assert!(all.sent > 1_500, "{all:?}");
    assert!(all.refused_share() >= 0.95, "{all:?}");
    Ok(())
}

/// The places in which the app would read a payload, each with a target and a header line.
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
        header(FREE_TEXT_HEADER),
    ]
}

#[tokio::test]
async fn payloads_of_the_core_rule_set_are_refused_in_every_place_that_the_app_reads()
-> anyhow::Result<()> {
    let (cases, edge) = (cases().await?, edge().await?);
    let payloads = payloads(&cases);
    let mut places: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut passed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut client = ScreeningClient::new(&edge);
    for payload in &payloads {
        for (place, target, header) in places_of(payload) {
            let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n", edge.host());
            let request = [head.as_bytes(), &header, b"\r\n"].concat();
            let refused = client.is_refused(&request).await?;
            places.entry(place).or_default().add(refused);
            if !refused {
                drop(edge.origin()?.take_record());
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
        // A user agent may contain almost any text, and parts of payloads that were split at `&`
        // are mere words.
        let least = if *place == FREE_TEXT_HEADER {
            0.9
        } else {
            0.99
        };
        assert!(tally.refused_share() >= least, "{place}: {tally:?}");
    }
    Ok(())
}
