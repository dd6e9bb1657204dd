//! The owner of each resource, by the standard's algorithm written a second time.

use proptest::prelude::*;

use super::references::ONE;
use super::references::TWO;
use super::references::entry;
use super::references::observation_at;
use super::*;

/// The owner of an Observation by the text of the standard alone.
#[derive(Debug, PartialEq)]
enum Owner {
    /// The patient that the entry with this index creates.
    Entry(usize),
    /// The server's own patient of this id.
    Server(String),
    /// Undetermined.
    Unknown,
}

/// The `fullUrl` and the version of a patient's entry.
#[derive(Debug)]
struct SentPatient(Option<String>, Option<&'static str>);

/// "Resolving references in Bundles", line by line: make the reference absolute, remove the version,
/// find the one entry with that fullUrl; without one, the resource is on the server or elsewhere.
fn by_the_standard(patients: &[SentPatient], full_url: Option<&str>, subject: &str) -> Owner {
    let (subject, version) = match subject.find("/_history/") {
        Some(at) => (&subject[..at], Some(&subject[at + "/_history/".len()..])),
        None => (subject, None),
    };
    let absolute = if subject.starts_with("http") || subject.starts_with("urn:") {
        subject.to_owned()
    } else {
        match full_url.filter(|url| url.starts_with("http")) {
            Some(url) => {
                let segments: Vec<&str> = url.split('/').collect();
                let root = segments[..segments.len() - 2].join("/");
                format!("{root}/{subject}")
            }
            None => format!("{SERVER}/{subject}"),
        }
    };
    let matching: Vec<usize> = (0..patients.len())
        .filter(|index| patients[*index].0.as_deref() == Some(&absolute))
        .collect();
    match matching[..] {
        [only] if version.is_none() || version == patients[only].1 => Owner::Entry(only),
        [] => match absolute.strip_prefix(&format!("{SERVER}/Patient/")) {
            Some(id) if id.len() == 36 => Owner::Server(id.to_owned()),
            _ => Owner::Unknown,
        },
        _ => Owner::Unknown,
    }
}

fn url(resource_type: &'static str) -> impl Strategy<Value = Option<String>> {
    let base = prop_oneof![Just(ONE), Just(TWO), Just(SERVER)];
    let id = prop_oneof![Just("1"), Just("2"), Just(PATIENT)];
    prop_oneof![
        4 => (base, id).prop_map(move |(base, id)| Some(format!("{base}/{resource_type}/{id}"))),
        1 => Just(None),
        1 => (0..3).prop_map(|number| Some(format!("urn:uuid:{number}"))),
    ]
}

fn subject() -> impl Strategy<Value = String> {
    let absolute = url("Patient").prop_map(|url| url.unwrap_or_else(|| "Patient/3".to_owned()));
    let relative = prop_oneof![
        Just("Patient/1".to_owned()),
        Just("Patient/2".to_owned()),
        Just(format!("Patient/{PATIENT}")),
    ];
    (prop_oneof![absolute, relative], any::<bool>()).prop_map(|(text, versioned)| {
        if versioned && !text.starts_with("urn") {
            format!("{text}/_history/1")
        } else {
            text
        }
    })
}

fn version() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("1")), Just(Some("2"))]
}

fn sent_patient() -> impl Strategy<Value = SentPatient> {
    (url("Patient"), version()).prop_map(|(url, version)| SentPatient(url, version))
}

proptest! {
    #[test]
    fn every_owner_is_the_one_of_the_standard_s_algorithm(
        patients in proptest::collection::vec(sent_patient(), 0..5),
        findings in proptest::collection::vec((url("Observation"), subject()), 1..5),
    ) {
        let made = patients.iter().map(|SentPatient(url, version)| {
            let meta = version.map_or(json!({"profile": ["p"]}), |it| json!({"versionId": it}));
            entry(url.as_deref(), &json!({"resourceType": "Patient", "meta": meta}))
        });
        let found = findings.iter().map(|(_, subject)| observation_at(None, subject));
        let mut entries: Vec<Value> = made.chain(found).collect();
        for (index, (url, _)) in findings.iter().enumerate() {
            // Duplicate fullUrls are refused; another test covers that.
            if let Some(url) = url.as_ref().filter(|url| url.starts_with("http")) {
                entries[patients.len() + index]["fullUrl"] = json!(format!("{url}{index}"));
            }
        }
        let items = items(&bundle("batch", &entries));
        let owner = |index: usize| match &items[index] {
            Ok(BatchItem::Write(write)) => super::owner(write),
            _ => None,
        };
        for (index, (url, subject)) in findings.iter().enumerate() {
            let here = patients.len() + index;
            let expected = match by_the_standard(&patients, url.as_deref(), subject) {
                Owner::Entry(entry) => owner(entry),
                Owner::Server(id) => Some(id.parse().unwrap()),
                Owner::Unknown => None,
            };
            prop_assert_eq!(owner(here), expected, "{:?} {}", url, subject);
        }
    }
}
