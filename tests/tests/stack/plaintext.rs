//! No value of a seeded patient is readable in the files of the stack.

use std::fs;
use std::path::Path;

use anyhow::Context;
use tests::Bundle;
use tests::Canaries;
use tests::Clinic;
use tests::Encoding;
use tests::Match;
use tests::Role;
use tests::RunningStack;
use tests::Scanner;
use tests::bundles;
use tests::fhir;

fn canaries(bundles: &[Bundle]) -> Canaries {
    let mut canaries = Canaries::default();
    for resource in bundles.iter().flat_map(|bundle| &bundle.resources) {
        canaries.add_resource(resource);
    }
    canaries
}

fn scan_everywhere(running: &RunningStack, scanner: &Scanner) -> anyhow::Result<(Vec<Match>, u64)> {
    let status = &running.status;
    let (mut matches, mut searched) = (Vec::new(), 0);
    for folder in [
        &status.database.folder,
        &status.logs,
        &status.home.join("import"),
    ] {
        let (found, bytes) = scanner.scan_folder(folder)?;
        matches.extend(found);
        searched += bytes;
    }
    for pid in [status.web.pid, status.app.pid, status.database.pid] {
        matches.extend(scanner.scan_process(pid.context("a process of the stack does not run")?)?);
    }
    Ok((matches, searched))
}

/// The database server stores its manual in tables, with names of people in the examples.
fn is_server_manual(hit: &Match) -> bool {
    let name = Path::new(&hit.source).file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let single_name = hit.kind == "name" && hit.value.chars().all(char::is_alphabetic);
    single_name && (name.starts_with("help_") || name == "mysql.ibd")
}

fn summary(matches: &[Match]) -> String {
    let lines: Vec<String> = matches.iter().take(20).map(ToString::to_string).collect();
    format!("{} matches\n{}", matches.len(), lines.join("\n"))
}

#[tokio::test]
async fn no_value_of_a_seeded_patient_is_readable_on_disk() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let bundles = bundles()?;
    let canaries = canaries(&bundles);
    for (kind, least) in [
        ("name", 60),
        ("SSN", 40),
        ("record number", 20),
        ("phone or e-mail", 40),
        ("address line", 20),
        ("birth date", 40),
        ("clinical text", 100),
    ] {
        let count = canaries.count(kind);
        assert!(count >= least, "only {count} values to scan for: {kind}");
    }
    let scanner = Scanner::new(&canaries)?;
    let (mut matches, searched) = scan_everywhere(&running, &scanner)?;
    matches.retain(|hit| !is_server_manual(hit));
    assert!(matches.is_empty(), "{}", summary(&matches));
    // 18,445 sealed resources are among these bytes.
    assert!(searched > 20_000_000, "only {searched} bytes were scanned");
    Ok(())
}

#[tokio::test]
async fn every_seeded_patient_is_read_through_the_api_as_it_was_imported() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    for bundle in bundles()? {
        let clinician = running.clinician(bundle.clinic).await?;
        let patient = bundle.patient()?;
        let read = clinician.read("Patient", fhir::id(patient)).await?;
        assert_eq!(fhir::without_server_meta(&read), *patient);
        let numbers = patient["identifier"].as_array().context("identifiers")?;
        for code in ["MR", "SS"] {
            let number = numbers
                .iter()
                .find(|number| number["type"]["coding"][0]["code"] == code)
                .and_then(|number| number["value"].as_str())
                .with_context(|| format!("a {code} number"))?;
            let found = clinician.found(&[("identifier", number)]).await?;
            let ids: Vec<_> = found.iter().map(fhir::id).collect();
            assert_eq!(ids, [fhir::id(patient)], "by {code}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn reads_and_searches_leave_no_value_in_a_log() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let bundles = bundles()?;
    let bundle = bundles.first().context("a bundle")?;
    let clinician = running.clinician(bundle.clinic).await?;
    let patient = bundle.patient()?;
    let family = patient["name"][0]["family"].as_str().context("a name")?;
    let birth_date = patient["birthDate"].as_str().context("a birth date")?;
    let phone = patient["telecom"][0]["value"].as_str().context("a phone")?;
    let id = fhir::id(patient);
    // Also in places that must not have such a value.
    for path in [
        format!("/fhir/Patient?family={family}"),
        format!("/fhir/Patient/{id}?birthdate={birth_date}"),
        format!("/fhir/Patient/{family}"),
        format!("/patients?q={family}"),
        format!("/patients/{birth_date}"),
        format!("/{phone}"),
    ] {
        let response = clinician.get(&path).await?;
        assert!(
            response.status.is_client_error(),
            "{path}: {}",
            response.status
        );
        assert!(!response.text().contains(family), "the value is echoed");
    }
    clinician
        .search(&[("family", family), ("birthdate", birth_date)])
        .await?
        .expect_status(200)?;
    clinician.search(&[("phone", phone)]).await?;
    clinician
        .bundle(&serde_json::json!({"resourceType": family, "entry": phone}))
        .await?;
    let mut canaries = Canaries::default();
    canaries.add_resource(patient);
    let (matches, _) = Scanner::new(&canaries)?.scan_folder(&running.status.logs)?;
    assert!(matches.is_empty(), "{}", summary(&matches));
    Ok(())
}

#[test]
fn the_scan_finds_a_value_in_a_file_in_every_encoding() -> anyhow::Result<()> {
    let value = "Wilhelmína Testperson";
    let scanner = Scanner::new(&Canaries::of_values(&[value]))?;
    let folder = tempfile::tempdir()?;
    let utf16 = |bytes: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(bytes).collect();
    let planted: [(Encoding, Vec<u8>); 9] = [
        (Encoding::Plain, value.into()),
        (Encoding::Folded, "wilhelmína testperson".into()),
        (Encoding::Latin1, b"Wilhelm\xedna Testperson".to_vec()),
        (
            Encoding::JsonEscaped,
            b"Wilhelm\\u00edna Testperson".to_vec(),
        ),
        (Encoding::UrlEncoded, b"Wilhelm%C3%ADna+Testperson".to_vec()),
        (Encoding::Utf16, utf16(u16::to_le_bytes)),
        (Encoding::Utf16, utf16(u16::to_be_bytes)),
        (
            Encoding::Hex,
            b"57696c68656c6dc3ad6e612054657374706572736f6e".to_vec(),
        ),
        (
            Encoding::Base64,
            b"eFdpbGhlbG3DrW5hIFRlc3RwZXJzb24=".to_vec(),
        ),
    ];
    for (encoding, text) in planted {
        let mut bytes = vec![0xe1; 70_001];
        bytes.splice(40_000..40_000, text);
        let path = folder.path().join("ibdata1");
        fs::write(&path, bytes)?;
        let (matches, searched) = scanner.scan_folder(folder.path())?;
        assert!(searched > 70_000);
        assert!(
            matches
                .iter()
                .any(|hit| hit.encoding == encoding && hit.offset.abs_diff(40_000) < 3),
            "{encoding:?}: {}",
            summary(&matches)
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_scan_finds_a_value_that_was_inserted_with_sql_in_the_server_s_files()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let mut attacker = running.attacker().await?;
    let marker = format!("planted-{}", fhir::random_id());
    let scanner = Scanner::new(&Canaries::of_values(&[&marker]))?;
    assert!(
        scanner
            .scan_folder(&running.status.database.folder)?
            .0
            .is_empty()
    );
    let table = format!("scratch_{}", fhir::random_id().simple());
    attacker
        .execute(
            &format!("CREATE TABLE {table} (note VARCHAR(200)) ENGINE = InnoDB"),
            &[],
        )
        .await?;
    attacker
        .execute(
            &format!("INSERT INTO {table} VALUES (?)"),
            &[marker.as_bytes()],
        )
        .await?;
    let (matches, _) = scanner.scan_folder(&running.status.database.folder)?;
    attacker
        .execute(&format!("DROP TABLE {table}"), &[])
        .await?;
    let in_file = |beginning: &str| {
        matches.iter().any(|hit| {
            Path::new(&hit.source)
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(beginning))
        })
    };
    assert!(in_file("binlog"), "the binary log: {}", summary(&matches));
    assert!(
        in_file("ib_logfile") || in_file("#ib_redo"),
        "the redo log: {}",
        summary(&matches)
    );
    Ok(())
}

#[tokio::test]
async fn a_search_by_an_unknown_parameter_is_refused() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    let response = desk
        .search(&[("address-line", "648 Cronin Club")])
        .await?
        .expect_status(400)?;
    assert!(!response.text().contains("648"), "{}", response.text());
    Ok(())
}
