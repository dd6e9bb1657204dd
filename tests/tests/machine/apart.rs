//! A network of one's own: machines have the ports that they have.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use progress::Progress;
use stack::Database;
use stack::server::Server;
use tools::packages;

/// Says, in the process that runs apart, where the Debian system is.
const SYSTEM: &str = "MACHINE_SYSTEM";

/// Installs what a machine needs, and returns the root of the Debian system that it starts from.
fn obtain() -> anyhow::Result<PathBuf> {
    for (program, package) in [("unshare", "util-linux"), ("ip", "iproute2")] {
        packages::program(program, &[package], Progress::hidden())?;
    }
    // RDS runs MySQL.
    Server::obtain(Database::Mysql, Progress::hidden())?;
    stack::obtain_key_service_emulator(Progress::hidden())?;
    tools::system(Progress::hidden())
}

/// Runs this very test once more, in a network namespace in which there is nothing yet, unless it runs there
/// already: then says where the Debian system is that machines start from. `None`: the other process did the work,
/// or there can be none here.
pub(crate) fn system(test: &str) -> Option<PathBuf> {
    if let Some(system) = env::var_os(SYSTEM) {
        return Some(system.into());
    }
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        eprintln!("not run: only root can start a service manager apart");
        return None;
    }
    // What has to be fetched is fetched before there is no way out.
    let system = obtain().unwrap();
    let run = "ip link set lo up && ip address add 169.254.169.254/32 dev lo && exec \"$0\" --exact \"$1\" --nocapture";
    let outcome = Command::new("unshare")
        .args(["--net", "sh", "-c", run])
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env(SYSTEM, system)
        .status()
        .unwrap();
    assert!(outcome.success(), "{test} failed apart: see above");
    None
}
