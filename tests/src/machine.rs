//! A machine in namespaces: systemd as the first process of a Debian system.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use tempfile::TempDir;

/// The limit for a start, and for every other state that is waited for.
const STATE_TIMEOUT: Duration = Duration::from_mins(1);

/// `PATH` of programs on a machine.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running machine; powered off when dropped. It shares the network of the process that started
/// it.
#[derive(Debug)]
pub struct Machine {
    outer: Child,
    init: u32,
    folder: TempDir,
    control_group: PathBuf,
}

impl Machine {
    /// Starts a machine on top of the system in `root`, which stays unchanged.
    ///
    /// # Errors
    /// When it does not start; shows its console.
    pub fn boot(root: &Path, name: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("machine-{name}-"))
            .tempdir()?;
        let work = folder.path().join("work");
        fs::create_dir(&work)?;
        let boot = folder.path().join("boot.sh");
        fs::write(&boot, include_str!("machine/boot.sh"))?;
        let control_group = control_group(folder.path())?;
        let console = fs::File::create(folder.path().join("console"))?;
        // The shell enters the control group before `unshare` makes that the root of a control
        // group namespace.
        let outer = Command::new("sh")
            .args(["-c", "echo 0 >\"$0\"/cgroup.procs && exec \"$@\""])
            .arg(&control_group)
            .args(["unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup"])
            .args(["--fork", "--kill-child", "sh"])
            .arg(&boot)
            .arg(root)
            .arg(&work)
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            .spawn()
            .context("unshare cannot be started")?;
        let mut machine = Self {
            outer,
            init: 0,
            folder,
            control_group,
        };
        machine.await_start()?;
        Ok(machine)
    }

    fn await_start(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + STATE_TIMEOUT;
        loop {
            self.init = self.first_child().unwrap_or(0);
            let running = self.init != 0 && self.run(&["systemctl", "is-system-running"]).is_ok();
            if running {
                return Ok(());
            }
            if self.exit_status()?.is_some() || Instant::now() > deadline {
                bail!("the machine does not start:\n{}", self.console()?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn first_child(&self) -> Option<u32> {
        let outer = self.outer.id();
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// A file of the machine, as a path of the host.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// Writes a file, and creates its parent folders.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let file = self.path(path);
        let folder = file.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&file, text).with_context(|| format!("{path} cannot be written"))
    }

    /// A command that runs on the machine as root.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.init.to_string()])
            .args(["--mount", "--pid", "--uts", "--ipc", "--cgroup"])
            .args(["--root", "--wd", "--"])
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command on the machine and returns its standard output.
    ///
    /// # Errors
    /// When it fails; shows its output.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments)?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{} ended with {}:\n{printed}{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(printed)
    }

    /// Runs a command on the machine, whatever its exit status.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let output = self.command(arguments).output();
        output.context("nsenter cannot be started")
    }

    /// A property of a unit.
    ///
    /// # Errors
    /// When systemd does not report it.
    pub fn property(&self, unit: &str, property: &str) -> anyhow::Result<String> {
        let value = self.run(&["systemctl", "show", "--value", "--property", property, unit])?;
        Ok(value.trim().to_owned())
    }

    /// Waits until a unit is in this state, such as `active`.
    ///
    /// # Errors
    /// When it is not within [`STATE_TIMEOUT`]; shows its journal.
    pub fn await_state(&self, unit: &str, state: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + STATE_TIMEOUT;
        while self.property(unit, "ActiveState")? != state {
            if Instant::now() > deadline {
                bail!("{unit} does not become {state}:\n{}", self.journal(unit)?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The journal of a unit.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn journal(&self, unit: &str) -> anyhow::Result<String> {
        self.run(&["journalctl", "--no-pager", "--output=cat", "--unit", unit])
    }

    /// A file of the unit's main process in `/proc`, such as `status`.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn process(&self, unit: &str, file: &str) -> anyhow::Result<String> {
        let pid = self.property(unit, "MainPID")?;
        ensure!(pid != "0", "{unit} has no process");
        let path = self.path(&format!("/proc/{pid}/{file}"));
        fs::read_to_string(path).with_context(|| format!("{file} of {unit}"))
    }

    /// Waits until the machine has powered itself off.
    ///
    /// # Errors
    /// When it continues to run.
    pub fn await_end(&mut self) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + STATE_TIMEOUT;
        loop {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the machine does not power off");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.outer.try_wait()?)
    }

    /// The output of its console.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn console(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("console"))?)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // When the first process of a PID namespace ends, the kernel kills the others.
        drop(fs::write(self.control_group.join("cgroup.kill"), "1"));
        drop(self.outer.kill());
        drop(self.outer.wait());
        for _ in 0..50 {
            if remove_group(&self.control_group) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Creates a control group below that of this process.
fn control_group(folder: &Path) -> anyhow::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let unified = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let at = fields.next()?;
        (fields.next()? == "cgroup2").then_some(at)
    });
    let unified = unified.context("this system has no unified control groups (cgroup2)")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let name = folder.file_name().context("a folder has a name")?;
    let group = Path::new(unified).join(own.unwrap_or_default()).join(name);
    fs::create_dir(&group).with_context(|| format!("{} cannot be made", group.display()))?;
    Ok(group)
}

fn remove_group(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    fs::remove_dir(group).is_ok()
}
