//! The units as systemd judges them, without running them.

use std::fs;
use std::process::Command;

use progress::Progress;
use tests::Machine;

use super::release;

/// Services, and how exposed each may be by systemd's own account, in tenths. What is left: networks, its own
/// system calls for limits and priorities, the root folder of the machine.
const EXPOSED: [(&str, u32); 6] = [
    ("web.service", 13),
    ("app.service", 13),
    ("migration.service", 13),
    ("certificates@web.service", 13),
    ("secrets@app.service", 13),
    ("amazon-cloudwatch-agent.service", 17),
];

/// What else there is.
const OTHERS: [&str; 4] = [
    "web-https.socket",
    "web-http.socket",
    "certificates@web.timer",
    "var-lib-stack.mount",
];

/// A machine on which the units lie, and stand-ins for the programs that they name; none is started.
fn with_units() -> Option<Machine> {
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        eprintln!("not run: only root can start a service manager apart");
        return None;
    }
    let system = tools::system(Progress::hidden()).unwrap();
    let machine = Machine::boot(&system, "units").unwrap();
    let agent = "/opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent";
    let unit = format!("[Service]\nExecStart={agent}\n");
    let units = "/etc/systemd/system";
    machine
        .write(&format!("{units}/amazon-cloudwatch-agent.service"), &unit)
        .unwrap();
    machine.write("/opt/stack/bin/place", "").unwrap();
    machine.write(agent, "").unwrap();
    let copy = |from: &str, to: &str| {
        let status = Command::new("cp")
            .arg("-R")
            .arg(release::source().join(from))
            .arg(machine.path(to))
            .status();
        assert!(status.unwrap().success(), "{from}");
    };
    copy("units/.", units);
    copy(".", "/opt/stack/machine");
    copy("system/sysusers.conf", "/usr/lib/sysusers.d/stack.conf");
    let place = "for program in /opt/stack/bin/web /opt/stack/bin/app /opt/stack/bin/migrate \"$0\"; do \
                 install -m 0755 /bin/true \"$program\"; done; systemd-sysusers; useradd --system cwagent";
    machine.run(&["sh", "-c", place, agent]).unwrap();
    Some(machine)
}

#[test]
fn systemd_understands_every_unit_and_exposes_little() {
    let Some(machine) = with_units() else {
        return;
    };
    let analyze = |arguments: &[&str]| {
        let output = machine
            .output(&[&["systemd-analyze"], arguments].concat())
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    };
    let all: Vec<&str> = EXPOSED
        .iter()
        .map(|(unit, _)| *unit)
        .chain(OTHERS)
        .collect();
    let (well, said) = analyze(&[&["verify", "--man=no"], &all[..]].concat());
    assert!(well && said.trim().is_empty(), "{said}");
    for (unit, most) in EXPOSED {
        let threshold = format!("--threshold={most}");
        let (well, said) = analyze(&["security", "--offline=true", "--no-pager", &threshold, unit]);
        let level = said
            .lines()
            .find(|line| line.contains("Overall"))
            .unwrap_or_default();
        println!("  {}", level.trim());
        assert!(well, "{unit} is exposed more than {most}:\n{said}");
    }
}

#[test]
fn every_unit_of_the_folder_is_judged() {
    for entry in fs::read_dir(release::source().join("units")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let instance = |unit: &str| match unit.split_once('@') {
            Some((name, rest)) => format!("{name}@.{}", rest.split_once('.').unwrap().1),
            None => unit.to_owned(),
        };
        let judged = EXPOSED
            .iter()
            .map(|(unit, _)| *unit)
            .chain(OTHERS)
            .map(instance);
        let mut judged = judged.chain(["amazon-cloudwatch-agent.service.d".to_owned()]);
        assert!(judged.any(|unit| unit == name), "{name}");
    }
}
