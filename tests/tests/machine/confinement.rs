//! The confinement of a unit's process, as the kernel reports it and as the process's owner could
//! test it.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Command;

use tests::Machine;

use super::tiers::report;

/// Checks the process of a tier.
pub(crate) fn check(machine: &Machine, tier: &str) {
    let unit = format!("{tier}.service");
    let status = machine.process(&unit, "status").unwrap();
    let is = |name: &str, value: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let found = line.map(str::trim).unwrap_or_default();
        assert_eq!(found, value, "{name} of {tier}");
    };
    is("NoNewPrivs", "1");
    is("Seccomp", "2");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        is(set, "0000000000000000");
    }
    let memory = memory(machine, tier, &status);
    assert!(!status.contains("Uid:\t0"), "{tier} is root");
    let limits = machine.process(&unit, "limits").unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().skip(4).collect::<Vec<_>>(),
        ["0", "0", "bytes"]
    );
    report(&format!(
        "{tier}: no new privileges, seccomp, no capability, no core file; {memory}"
    ));
    file_system(machine, tier);
    no_secret_in_the_environment(machine, tier);
}

/// Asserts that all memory is locked, where root may raise that limit.
fn memory(machine: &Machine, tier: &str, status: &str) -> String {
    assert_eq!(
        machine
            .property(&format!("{tier}.service"), "LimitMEMLOCK")
            .unwrap(),
        "infinity"
    );
    let lifted = Command::new("prlimit")
        .args(["--memlock=unlimited:unlimited", "true"])
        .output();
    if !lifted.unwrap().status.success() {
        return "memory locking is not checked here: root may not raise its limit".to_owned();
    }
    let locked = status
        .lines()
        .find_map(|line| line.strip_prefix("VmLck:"))
        .unwrap();
    let locked: u64 = locked.split_whitespace().next().unwrap().parse().unwrap();
    assert!(locked > 1024, "{tier} locked {locked} KiB of its memory");
    format!("{locked} KiB locked")
}

/// Asserts that only the tier's folder of the data volume, and private folders in memory, are
/// writable. The checks run as root through the process's own view of the file system, so file
/// permissions do not matter.
fn file_system(machine: &Machine, tier: &str) {
    let pid = machine
        .property(&format!("{tier}.service"), "MainPID")
        .unwrap();
    let write = |place: &str| fs::write(machine.path(&format!("/proc/{pid}/root{place}")), "x");
    for place in [
        "/x",
        "/etc/x",
        "/opt/stack/bin/x",
        "/usr/x",
        "/run/x",
        "/var/x",
        "/var/lib/stack/x",
    ] {
        let error = write(place).expect_err(place);
        assert_eq!(
            error.kind(),
            ErrorKind::ReadOnlyFilesystem,
            "{tier}: {place}"
        );
    }
    write(&format!("/var/lib/stack/{tier}/x")).unwrap();
    let own = format!("/var/lib/stack/{tier}");
    let private = [&own, "/tmp", "/var/tmp", "/proc"];
    for line in machine
        .process(&format!("{tier}.service"), "mountinfo")
        .unwrap()
        .lines()
    {
        let fields: Vec<&str> = line.split(' ').collect();
        let writable = fields[5].split(',').any(|option| option == "rw");
        let known = private.contains(&fields[4]) || fields[4].starts_with("/dev/");
        assert!(!writable || known, "{tier} may write to {}", fields[4]);
    }
    let mounts = machine
        .process(&format!("{tier}.service"), "mountinfo")
        .unwrap();
    let alone = mounts
        .lines()
        .any(|line| line.contains(" /proc ") && line.contains("hidepid=invisible"));
    assert!(alone, "{tier} sees the processes of others:\n{mounts}");
    report(&format!(
        "{tier}: writes to /var/lib/stack/{tier} and nowhere else"
    ));
}

/// Whether a tier reaches the metadata service, which issues the credentials of the machine's role:
/// checked from inside its control group, with a listener at that address.
pub(crate) fn reaches_credentials(machine: &Machine, tier: &str, expected: bool) {
    let listener = TcpListener::bind(("169.254.169.254", 80)).unwrap();
    let group = machine
        .property(&format!("{tier}.service"), "ControlGroup")
        .unwrap();
    let script = format!(
        "echo $$ >/sys/fs/cgroup{group}/cgroup.procs && exec 3<>/dev/tcp/169.254.169.254/80"
    );
    let outcome = machine
        .output(&["timeout", "2", "bash", "-c", &script])
        .unwrap();
    drop(listener);
    let output_text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(outcome.status.success(), expected, "{tier}: {output_text}");
    assert!(!output_text.contains("cgroup"), "{output_text}");
    let does = if expected {
        "reaches"
    } else {
        "does not reach"
    };
    report(&format!("{tier} {does} the metadata service"));
}

/// Asserts that the environment has no content of a secret.
fn no_secret_in_the_environment(machine: &Machine, tier: &str) {
    let environment = machine
        .process(&format!("{tier}.service"), "environ")
        .unwrap();
    for word in ["hV3xN8qRb6", "r7Q2mZx9Lw", "BEGIN"] {
        assert!(
            !environment.contains(word),
            "{tier}'s environment holds {word}"
        );
    }
}

/// Asserts that the root keys are those of the environment's aliases: by id, with the former one,
/// and without other environments' keys.
pub(crate) fn has_its_root_keys(machine: &Machine, former_key_id: &str) {
    let environment = machine.process("app.service", "environ").unwrap();
    let value = |name: &str| {
        let mut all = environment.split('\0');
        all.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
    };
    assert_eq!(value("KMS_FORMER_KEY_IDS"), former_key_id);
    assert!(!value("KMS_KEY_ID").is_empty() && !value("KMS_KEY_ID").contains("alias"));
    let password = machine
        .run(&["stat", "--format=%a %U", "/run/stack/app/database-password"])
        .unwrap();
    assert_eq!(password.trim(), "400 app");
    report(
        "app: root keys by id, the former one too; the password is a credential, not in the environment",
    );
}
