//! No value of a seeded patient can be read from what the stack leaves on disk.

use std::fs;
use std::path::Path;

use anyhow::Context;
use tests::Bundle;
use tests::Clinic;
use tests::Find;
use tests::Hunt;
use tests::Needles;
use tests::Role;
use tests::Running;
use tests::Spelling;
use tests::bundles;
use tests::fhir;

fn needles(bundles: &[Bundle]) -> Needles {
    let mut needles = Needles::default();
    for resource in bundles.iter().flat_map(|bundle| &bundle.resources) {
        needles.add_resource(resource);
    }
    needles
}

fn hunt_everywhere(running: &Running, hunt: &Hunt) -> anyhow::Result<(Vec<Find>, u64)> {
    let status = &running.status;
    let (mut finds, mut searched) = (Vec::new(), 0);
    for folder in [
        &status.database.folder,
        &status.logs,
        &status.home.join("import"),
    ] {
        let (found, bytes) = hunt.folder(folder)?;
        finds.extend(found);
        searched += bytes;
    }
    for pid in [status.web.pid, status.app.pid, status.database.pid] {
        finds.extend(hunt.process(pid.context("a process of the stack does not run")?)?);
    }
    Ok((finds, searched))
}

/// The server keeps its manual in tables, with people of its own in the examples.
fn is_the_manual(find: &Find) -> bool {
    let name = Path::new(&find.place).file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let single_name = find.kind == "name" && find.value.chars().all(char::is_alphabetic);
    single_name && (name.starts_with("help_") || name == "mysql.ibd")
}

fn told(finds: &[Find]) -> String {
    let lines: Vec<String> = finds.iter().take(20).map(ToString::to_string).collect();
    format!("{} finds\n{}", finds.len(), lines.join("\n"))
}

#[tokio::test]
async fn no_value_of_a_seeded_patient_is_readable_on_disk() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let bundles = bundles()?;
    let needles = needles(&bundles);
    for (kind, least) in [
        ("name", 60),
        ("SSN", 40),
        ("record number", 20),
        ("phone or e-mail", 40),
        ("address line", 20),
        ("birth date", 40),
        ("words of the record", 100),
    ] {
        let count = needles.count(kind);
        assert!(count >= least, "only {count} values to look for: {kind}");
    }
    let hunt = Hunt::for_all(&needles)?;
    let (mut finds, searched) = hunt_everywhere(&running, &hunt)?;
    finds.retain(|find| !is_the_manual(find));
    assert!(finds.is_empty(), "{}", told(&finds));
    // 18,445 sealed resources are somewhere.
    assert!(searched > 20_000_000, "only {searched} bytes were searched");
    Ok(())
}

#[tokio::test]
async fn every_seeded_patient_comes_back_through_the_api_as_imported() -> anyhow::Result<()> {
    let running = Running::shared()?;
    for bundle in bundles()? {
        let clinician = running.clinician(bundle.clinic).await?;
        let patient = bundle.patient()?;
        let read = clinician.read("Patient", fhir::id(patient)).await?;
        assert_eq!(fhir::without_stamp(&read), *patient);
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
async fn what_is_read_and_searched_leaves_no_value_in_a_log() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let bundles = bundles()?;
    let bundle = bundles.first().context("a bundle")?;
    let clinician = running.clinician(bundle.clinic).await?;
    let patient = bundle.patient()?;
    let family = patient["name"][0]["family"].as_str().context("a name")?;
    let birth_date = patient["birthDate"].as_str().context("a birth date")?;
    let phone = patient["telecom"][0]["value"].as_str().context("a phone")?;
    let id = fhir::id(patient);
    // Also where such a value has no business.
    for path in [
        format!("/fhir/Patient?family={family}"),
        format!("/fhir/Patient/{id}?birthdate={birth_date}"),
        format!("/fhir/Patient/{family}"),
        format!("/patients?q={family}"),
        format!("/patients/{birth_date}"),
        format!("/{phone}"),
    ] {
        let answer = clinician.get(&path).await?;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        assert!(!answer.text().contains(family), "the value is echoed");
    }
    clinician
        .search(&[("family", family), ("birthdate", birth_date)])
        .await?
        .expecting(200)?;
    clinician.search(&[("phone", phone)]).await?;
    clinician
        .bundle(&serde_json::json!({"resourceType": family, "entry": phone}))
        .await?;
    let mut needles = Needles::default();
    needles.add_resource(patient);
    let (finds, _) = Hunt::for_all(&needles)?.folder(&running.status.logs)?;
    assert!(finds.is_empty(), "{}", told(&finds));
    Ok(())
}

#[test]
fn a_value_planted_in_a_file_is_found_in_every_spelling() -> anyhow::Result<()> {
    let value = "Wilhelmína Testperson";
    let hunt = Hunt::for_all(&Needles::of_values(&[value]))?;
    let folder = tempfile::tempdir()?;
    let utf16 = |bytes: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(bytes).collect();
    let planted: [(Spelling, Vec<u8>); 9] = [
        (Spelling::Plain, value.into()),
        (Spelling::Folded, "wilhelmína testperson".into()),
        (Spelling::Latin1, b"Wilhelm\xedna Testperson".to_vec()),
        (
            Spelling::JsonEscaped,
            b"Wilhelm\\u00edna Testperson".to_vec(),
        ),
        (Spelling::UrlEncoded, b"Wilhelm%C3%ADna+Testperson".to_vec()),
        (Spelling::Utf16, utf16(u16::to_le_bytes)),
        (Spelling::Utf16, utf16(u16::to_be_bytes)),
        (
            Spelling::Hex,
            b"57696c68656c6dc3ad6e612054657374706572736f6e".to_vec(),
        ),
        (
            Spelling::Base64,
            b"eFdpbGhlbG3DrW5hIFRlc3RwZXJzb24=".to_vec(),
        ),
    ];
    for (spelling, text) in planted {
        let mut bytes = vec![0xe1; 70_001];
        bytes.splice(40_000..40_000, text);
        let path = folder.path().join("ibdata1");
        fs::write(&path, bytes)?;
        let (finds, searched) = hunt.folder(folder.path())?;
        assert!(searched > 70_000);
        assert!(
            finds
                .iter()
                .any(|find| find.spelling == spelling && find.offset.abs_diff(40_000) < 3),
            "{spelling:?}: {}",
            told(&finds)
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_value_planted_through_sql_is_found_in_the_servers_files() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let mut intruder = running.intruder().await?;
    let marker = format!("planted-{}", fhir::random_id());
    let hunt = Hunt::for_all(&Needles::of_values(&[&marker]))?;
    assert!(hunt.folder(&running.status.database.folder)?.0.is_empty());
    let table = format!("scratch_{}", fhir::random_id().simple());
    intruder
        .execute(
            &format!("CREATE TABLE {table} (note VARCHAR(200)) ENGINE = InnoDB"),
            &[],
        )
        .await?;
    intruder
        .execute(
            &format!("INSERT INTO {table} VALUES (?)"),
            &[marker.as_bytes()],
        )
        .await?;
    let (finds, _) = hunt.folder(&running.status.database.folder)?;
    intruder
        .execute(&format!("DROP TABLE {table}"), &[])
        .await?;
    let in_file = |beginning: &str| {
        finds.iter().any(|find| {
            Path::new(&find.place)
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(beginning))
        })
    };
    assert!(in_file("binlog"), "the binary log: {}", told(&finds));
    assert!(
        in_file("ib_logfile") || in_file("#ib_redo"),
        "the redo log: {}",
        told(&finds)
    );
    Ok(())
}

#[tokio::test]
async fn searching_by_what_is_no_parameter_finds_nobody() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    let answer = desk
        .search(&[("address", "648 Cronin Club")])
        .await?
        .expecting(400)?;
    assert!(!answer.text().contains("648"), "{}", answer.text());
    Ok(())
}
