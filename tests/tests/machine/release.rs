//! A release, and the machine that it is installed on.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use tests::Machine;

use super::services::SimulatedServices;

/// The folder into which user data unpacks a release.
const RELEASE_FOLDER: &str = "/opt/release";

/// The unit of the CloudWatch agent's package, and a program that only sleeps.
const AGENT_UNIT: &str = "[Service]\nType=simple\nExecStart=/opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent\n";
const AGENT_PROGRAM: &str =
    "#!/bin/sh\nid -un >/opt/aws/amazon-cloudwatch-agent/logs/user && exec sleep infinity\n";

/// Starts a machine, copies a release of this build and the content of the image onto it, and
/// installs a tier. `settings` are added to the common ones of `install.env`; `drop_ins` change
/// units for a test.
pub(crate) fn install(
    services: &SimulatedServices,
    tier: &str,
    settings: &[(&str, String)],
    drop_ins: &[(&str, String)],
) -> Machine {
    let machine = Machine::boot(&services.system, tier).unwrap();
    copy_release_and_image(&machine, services);
    let common = [
        ("STACK_PROJECT", "example"),
        ("STACK_ENVIRONMENT", "dev"),
        ("STACK_TIER", tier),
        ("STACK_DATA_DEVICE", "/dev/sdf"),
        ("STACK_LOG_GROUP", "/example/dev/tier"),
        ("STACK_SYSTEM_LOG_GROUP", "/example/dev/system"),
        ("STACK_METRIC_NAMESPACE", "example/dev"),
        ("AWS_REGION", "us-east-1"),
    ];
    let lines = common
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    let more = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    let text: String = lines.chain(more).collect();
    machine.write("/etc/stack/install.env", &text).unwrap();
    for (unit, lines) in drop_ins {
        let path = format!("/etc/systemd/system/{unit}.d/test.conf");
        machine
            .write(&path, &format!("[Service]\n{lines}\n"))
            .unwrap();
    }
    let install = format!("{RELEASE_FOLDER}/machine/install.sh");
    machine.run(&[&install, tier]).unwrap();
    machine
}

/// Installs the tier again, which must neither fail nor stop running services.
pub(crate) fn install_again(machine: &Machine, tier: &str) {
    let install = format!("{RELEASE_FOLDER}/machine/install.sh");
    machine.run(&[&install, tier]).unwrap();
}

fn copy_release_and_image(machine: &Machine, services: &SimulatedServices) {
    copy(
        &source(),
        &machine.path(&format!("{RELEASE_FOLDER}/machine")),
    )
    .unwrap();
    for program in ["web", "app", "migrate"] {
        let to = machine.path(&format!("{RELEASE_FOLDER}/bin/{program}"));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(tests::program(program).unwrap(), to).unwrap();
    }
    machine
        .write("/etc/hosts", "127.0.0.1 localhost\n")
        .unwrap();
    copy(&services.aws, &machine.path("/usr/share/aws")).unwrap();
    executable(machine, "/usr/bin/aws", include_str!("aws.sh"));
    // Swap belongs to the host, not to the machine.
    executable(
        machine,
        "/usr/local/sbin/swapoff",
        "#!/bin/sh\n[ \"$*\" = --all ]\n",
    );
    let database = fs::read_to_string(&services.database_authority).unwrap();
    machine
        .write("/usr/local/share/stack/rds-ca.pem", &database)
        .unwrap();
    for folder in ["etc", "logs", "var"] {
        fs::create_dir_all(machine.path(&format!("/opt/aws/amazon-cloudwatch-agent/{folder}")))
            .unwrap();
    }
    let agent = "/opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent";
    executable(machine, agent, AGENT_PROGRAM);
    machine
        .write(
            "/etc/systemd/system/amazon-cloudwatch-agent.service",
            AGENT_UNIT,
        )
        .unwrap();
    machine.run(&["useradd", "--system", "cwagent"]).unwrap();
    // Services of other users of the machine read these files, too.
    machine
        .run(&[
            "chmod",
            "-R",
            "go+rX",
            "/usr/share/aws",
            "/usr/local/share/stack",
        ])
        .unwrap();
}

fn executable(machine: &Machine, path: &str, text: &str) {
    machine.write(path, text).unwrap();
    fs::set_permissions(machine.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The folder that every machine gets.
pub(crate) fn source() -> PathBuf {
    tools::workspace::root().unwrap().join("infra/aws/machine")
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let status = Command::new("cp")
        .arg("-R")
        .arg(from.join("."))
        .arg(to)
        .status()?;
    assert!(status.success());
    Ok(())
}
