//! A network namespace for a test: machines listen on fixed ports.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use progress::Progress;
use stack::Database;
use stack::server::Server;
use tools::packages;

/// Passes the Debian system to the process inside the namespace.
const SYSTEM_VARIABLE: &str = "MACHINE_SYSTEM";

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

/// Runs the named test again in an empty network namespace, and returns `None`. Inside the
/// namespace, returns the Debian system that machines start from. Also returns `None` where no
/// namespace can be created.
pub(crate) fn enter(test: &str) -> Option<PathBuf> {
    if let Some(system) = env::var_os(SYSTEM_VARIABLE) {
        return Some(system.into());
    }
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        eprintln!("not run: only root can start a service manager");
        return None;
    }
    // Downloads must be complete before the process enters a namespace without a route.
    let system = obtain().unwrap();
    let run = "ip link set lo up && ip address add 169.254.169.254/32 dev lo && exec \"$0\" --exact \"$1\" --nocapture";
    let outcome = Command::new("unshare")
        .args(["--net", "sh", "-c", run])
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env(SYSTEM_VARIABLE, system)
        .status()
        .unwrap();
    assert!(
        outcome.success(),
        "{test} failed in its namespace: see above"
    );
    None
}
