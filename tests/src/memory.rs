//! The memory of a process, as the kernel counts it.

use std::fs;

use anyhow::Context;

/// The memory of a process in comparison with its first reading.
#[derive(Debug)]
pub struct MemoryMeter {
    pid: i32,
    first: u64,
}

impl MemoryMeter {
    /// Resets the kernel's peak, and notes the current size.
    ///
    /// # Errors
    /// When the process does not run.
    pub fn of(pid: Option<i32>) -> anyhow::Result<Self> {
        let pid = pid.context("the process does not run")?;
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        let first = value(pid, "VmRSS:")?;
        Ok(Self { pid, first })
    }

    /// The peak above the first reading, in bytes.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn growth(&self) -> anyhow::Result<u64> {
        Ok(value(self.pid, "VmHWM:")?.saturating_sub(self.first))
    }
}

/// A value of `/proc/<pid>/status` (proc(5)), in bytes.
fn value(pid: i32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.context("no memory value")?.parse::<u64>()? << 10)
}
