//! The output of a process that panics.

use std::process::Command;

/// Environment variable that is set in the process that panics.
const PANICS: &str = "TELEMETRY_TEST_PANICS";
/// PHI that a panic's message may quote.
const SECRET: &str = "Testperson 999-12-3456";

#[test]
fn a_panic_is_logged_with_its_place_and_without_its_text() {
    if std::env::var_os(PANICS).is_some() {
        let _guard = telemetry::init("test", telemetry::LevelFilter::INFO, None).unwrap();
        let panicking = std::thread::spawn(|| panic!("no such patient: {SECRET}"));
        assert!(panicking.join().is_err());
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--nocapture",
            "a_panic_is_logged_with_its_place_and_without_its_text",
        ])
        .env(PANICS, "1")
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    assert!(child.status.success());
    let output = [child.stdout, child.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(
        output.contains("panics.rs") && output.contains("\"level\":\"ERROR\""),
        "{output}"
    );
    assert!(
        !output.contains("Testperson") && !output.contains("999-12"),
        "{output}"
    );
}
