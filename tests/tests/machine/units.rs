//! Systemd's analysis of the units; no unit is started.

use std::fs;
use std::process::Command;

use progress::Progress;
use tests::Machine;

use super::release;

/// Services with the highest permitted exposure level by `systemd-analyze security`, in tenths. The
/// remaining exposure is networking, some system calls for limits and priorities, and the machine's
/// root folder.
const MAX_EXPOSURE: [(&str, u32); 6] = [
    ("web.service", 13),
    ("app.service", 13),
    ("migration.service", 13),
    ("certificates@web.service", 13),
    ("secrets@app.service", 13),
    ("amazon-cloudwatch-agent.service", 17),
];

/// The other units.
const OTHER_UNITS: [&str; 4] = [
    "web-https.socket",
    "web-http.socket",
    "certificates@web.timer",
    "var-lib-stack.mount",
];

/// A machine with the units, and with placeholders for their programs.
fn machine_with_units() -> Option<Machine> {
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        eprintln!("not run: only root can start a service manager");
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
fn systemd_accepts_every_unit_and_rates_its_exposure_low() {
    let Some(machine) = machine_with_units() else {
        return;
    };
    let analyze = |arguments: &[&str]| {
        let output = machine
            .output(&[&["systemd-analyze"], arguments].concat())
            .unwrap();
        let output_text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), output_text)
    };
    let all: Vec<&str> = MAX_EXPOSURE
        .iter()
        .map(|(unit, _)| *unit)
        .chain(OTHER_UNITS)
        .collect();
    let (accepted, output_text) = analyze(&[&["verify", "--man=no"], &all[..]].concat());
    assert!(accepted && output_text.trim().is_empty(), "{output_text}");
    for (unit, most) in MAX_EXPOSURE {
        let threshold = format!("--threshold={most}");
        let (accepted, output_text) =
            analyze(&["security", "--offline=true", "--no-pager", &threshold, unit]);
        let level = output_text
            .lines()
            .find(|line| line.contains("Overall"))
            .unwrap_or_default();
        println!("  {}", level.trim());
        assert!(
            accepted,
            "{unit} is exposed more than {most}:\n{output_text}"
        );
    }
}

#[test]
fn every_unit_of_the_folder_is_analysed() {
    for entry in fs::read_dir(release::source().join("units")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let instance = |unit: &str| match unit.split_once('@') {
            Some((name, rest)) => format!("{name}@.{}", rest.split_once('.').unwrap().1),
            None => unit.to_owned(),
        };
        let judged = MAX_EXPOSURE
            .iter()
            .map(|(unit, _)| *unit)
            .chain(OTHER_UNITS)
            .map(instance);
        let mut judged = judged.chain(["amazon-cloudwatch-agent.service.d".to_owned()]);
        assert!(judged.any(|unit| unit == name), "{name}");
    }
}
