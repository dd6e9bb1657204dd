//! The memory of a process, as the kernel counts it.

use std::fs;

use anyhow::Context;

/// The memory of a process, from the time at which it was looked at first.
#[derive(Debug)]
pub struct Memory {
    pid: i32,
    idle: u64,
}

impl Memory {
    /// Has the kernel begin a new peak.
    ///
    /// # Errors
    /// When the process does not run.
    pub fn of(pid: Option<i32>) -> anyhow::Result<Self> {
        let pid = pid.context("the process does not run")?;
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        let idle = figure(pid, "VmRSS:")?;
        Ok(Self { pid, idle })
    }

    /// The peak beyond the first look, in bytes.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn growth(&self) -> anyhow::Result<u64> {
        Ok(figure(self.pid, "VmHWM:")?.saturating_sub(self.idle))
    }
}

/// A figure of `/proc/<pid>/status` (proc(5)), in bytes.
fn figure(pid: i32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.context("a figure of memory")?.parse::<u64>()? << 10)
}
