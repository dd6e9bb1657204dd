//! Each setting of a machine is one that its program or scripts require, accept and use.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use tempfile::TempDir;

use super::settings::environment;
use super::settings::machine;
use super::settings::settings;

/// Runs a program's `check` with only these variables. The files that they name are created.
fn check(program: &str, mut variables: BTreeMap<String, String>) -> Output {
    let folder = TempDir::new().unwrap();
    for (number, value) in variables.values_mut().enumerate() {
        if value.starts_with('/') {
            let file: PathBuf = folder.path().join(number.to_string());
            fs::write(&file, "x").unwrap();
            *value = file.display().to_string();
        }
    }
    Command::new(tests::program(program).unwrap())
        .arg("check")
        .env_clear()
        .envs(variables)
        .output()
        .unwrap()
}

/// Asserts that a program accepts these variables, that it names each of `required` when it is
/// missing, and that it refuses the variable `unknown`.
fn assert_accepted(
    program: &str,
    variables: &BTreeMap<String, String>,
    required: &[&str],
    unknown: &str,
) {
    let outcome = check(program, variables.clone());
    assert!(
        outcome.status.success(),
        "{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
    for name in required {
        let mut fewer = variables.clone();
        assert!(fewer.remove(*name).is_some(), "{name} is not set");
        let outcome = check(program, fewer);
        assert_eq!(
            outcome.status.code(),
            Some(64),
            "{program} accepts a missing {name}"
        );
        assert!(String::from_utf8_lossy(&outcome.stderr).contains(name));
    }
    let mut more = variables.clone();
    more.insert(unknown.to_owned(), "1".to_owned());
    assert_eq!(check(program, more).status.code(), Some(64));
}

#[test]
fn web_accepts_the_settings_of_its_machine_and_requires_each() {
    let required = [
        "WEB_LISTEN",
        "WEB_REDIRECT_LISTEN",
        "WEB_PUBLIC_ORIGIN",
        "WEB_TLS_CERTIFICATE_FILE",
        "WEB_TLS_KEY_FILE",
        "WEB_UPSTREAMS",
        "WEB_UPSTREAM_NAME",
        "WEB_UPSTREAM_IDENTITY",
        "WEB_UPSTREAM_CA_FILE",
        "WEB_UPSTREAM_CERTIFICATE_FILE",
        "WEB_UPSTREAM_KEY_FILE",
    ];
    let variables = environment("web");
    assert_accepted("web", &variables, &required, "WEB_BALANCER");
    assert!(
        !variables["WEB_BALANCERS"].is_empty() && !variables.contains_key("WEB_PROXY_PROTOCOL")
    );
}

#[test]
fn app_accepts_the_settings_of_its_machine_and_requires_each() {
    let mut variables = environment("app");
    assert!(
        !variables.keys().any(|name| name.starts_with("KMS_")),
        "root keys are found on the machine"
    );
    for line in machine("secrets.sh")
        .split('"')
        .filter(|part| part.starts_with("KMS_"))
    {
        let name = line.split('=').next().unwrap();
        variables.insert(
            name.to_owned(),
            "0f0e0d0c-0b0a-4908-8706-050403020100".to_owned(),
        );
    }
    let unit = machine("units/app.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("Environment="))
        .unwrap();
    let (name, value) = line.split_once('=').unwrap();
    variables.insert(
        name.to_owned(),
        value.replace("%d", "/run/credentials/app.service"),
    );
    let required = [
        "APP_LISTEN",
        "APP_PUBLIC_ORIGIN",
        "APP_TLS_CERTIFICATE_FILE",
        "APP_TLS_KEY_FILE",
        "APP_TLS_CLIENT_CA_FILE",
        "APP_TLS_CLIENT_IDENTITY",
        "DATABASE_HOST",
        "DATABASE_CA_FILE",
        "KEY_SERVICE",
        "KMS_KEY_ID",
        "KMS_MAC_KEY_ID",
        "AWS_REGION",
    ];
    assert_accepted("app", &variables, &required, "KMS_FORMER_KEYS");
    assert!(
        variables.contains_key("KMS_FORMER_KEY_IDS")
            && variables.contains_key("DATABASE_PASSWORD_FILE")
    );
    assert_eq!(variables["KEY_SERVICE"], "aws-kms");
}

#[test]
fn every_setting_of_a_machine_is_used_and_every_used_one_is_set() {
    let used = |script: &str| -> BTreeSet<String> {
        let words = machine(script);
        let words = words
            .split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_'))
            .map(str::to_owned);
        words.filter(|word| word.starts_with("STACK_")).collect()
    };
    let scripts = [
        ("web", vec!["certificates.sh"]),
        ("app", vec!["certificates.sh", "secrets.sh"]),
        ("migration", vec!["secrets.sh"]),
    ];
    for (tier, scripts) in scripts {
        let mut wanted = used("install.sh");
        wanted.extend(scripts.into_iter().flat_map(used));
        if tier == "app" {
            wanted.remove("STACK_DATABASE_MASTER_SECRET");
        }
        // For operators who look at the machine.
        wanted.insert("STACK_RELEASE".to_owned());
        wanted.insert("STACK_PROJECT".to_owned());
        wanted.insert("STACK_ENVIRONMENT".to_owned());
        let set: BTreeSet<String> = settings(tier)
            .into_keys()
            .filter(|name| name.starts_with("STACK_"))
            .collect();
        assert_eq!(set, wanted, "{tier}");
    }
}
