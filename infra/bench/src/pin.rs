//! The cores: the measured proxy has the first one, load and origin share the second.

use std::fs;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;

/// The core of what is measured.
pub(super) const MEASURED: &str = "0";
/// The core of load and origin.
pub(super) const LOAD: &str = "1";

/// Niceness of the benchmark, ahead of other processes, where this user may set it.
const NICENESS: &str = "-15";

/// The niceness of this session: where the kernel groups processes by session, a process's niceness counts only within
/// its group.
const GROUP: &str = "/proc/self/autogroup";

/// Precedence of this session over others; given up when dropped.
pub(super) struct Precedence(());

impl Precedence {
    /// Takes precedence, where this user may.
    pub(super) fn take() -> Self {
        let _ = fs::write(GROUP, NICENESS);
        Self(())
    }
}

impl Drop for Precedence {
    fn drop(&mut self) {
        let _ = fs::write(GROUP, "0");
    }
}

/// The arguments before a command that pin it to a core.
pub(super) fn prefix(core: &str) -> [&str; 6] {
    ["nice", "-n", NICENESS, "taskset", "--cpu-list", core]
}

/// A command that is pinned to a core.
pub(super) fn command(core: &str) -> Command {
    let [program, arguments @ ..] = prefix(core);
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Runs a load to its end on a thread of its own on the load's core.
pub(super) async fn on_load_core<T, F>(load: F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let thread = tokio::task::spawn_blocking(move || {
        move_this_thread()?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("a runtime for the load cannot be made")?
            .block_on(load)
    });
    thread.await.context("the load's thread broke off")?
}

fn move_this_thread() -> anyhow::Result<()> {
    let taskset = ["taskset", "--cpu-list", "--pid", LOAD];
    for_this_thread(&taskset).context("taskset cannot be started")?;
    // A user without the right keeps the default priority.
    let _ = for_this_thread(&["renice", "-n", NICENESS, "-p"]);
    Ok(())
}

/// Gives this thread the lowest priority.
pub(super) fn yield_this_thread() -> anyhow::Result<()> {
    for_this_thread(&["renice", "-n", "19", "-p"])
}

/// Runs a command whose last argument is this thread.
fn for_this_thread(command: &[&str]) -> anyhow::Result<()> {
    let [program, arguments @ ..] = command else {
        return Ok(());
    };
    let link = fs::read_link("/proc/thread-self").context("/proc does not show this thread")?;
    let thread = link.file_name().context("this thread has no number")?;
    Command::new(program)
        .args(arguments)
        .arg(thread)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    Ok(())
}
