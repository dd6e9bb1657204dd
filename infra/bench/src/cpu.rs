//! CPU time of processes, with that of the processes they started.

use std::fs;
use std::time::Duration;

use anyhow::Context;

use stack::process::ProcessId;

/// `USER_HZ`, the unit of CPU times in `/proc`: 100 on every architecture Linux runs on today.
const TICKS_PER_SECOND: u32 = 100;

/// User and kernel time of a process and of those that it started, also of those that have ended.
pub(super) fn time_of(pid: i32) -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for pid in tree(pid) {
        // One that has ended meanwhile is counted by its parent.
        ticks += ticks_of(pid).unwrap_or_default();
    }
    ticks_of(pid).with_context(|| format!("process {pid} has ended"))?;
    Ok(Duration::from_secs(ticks) / TICKS_PER_SECOND)
}

/// A process and those that it started.
pub(super) fn tree(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|it| it.parse().ok()) {
            all.extend(tree(child));
        }
    }
    all
}

/// Time in user and kernel mode, in ticks: the process's own, and that of its children that have ended.
fn ticks_of(pid: i32) -> Option<u64> {
    ProcessId::of(pid)?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and parentheses: what follows starts after the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields = rest.split_whitespace().skip(11).take(4);
    let times: Result<Vec<u64>, _> = fields.map(str::parse).collect();
    times
        .ok()
        .filter(|times| times.len() == 4)
        .map(|times| times.iter().sum())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn time_spent_is_seen() {
        let pid = ProcessId::own().unwrap().pid;
        let begun = Instant::now();
        while ticks_of(pid).unwrap() < 5 {
            assert!(begun.elapsed() < Duration::from_mins(1));
        }
        assert!(tree(pid).contains(&pid));
        assert!(time_of(pid).unwrap() >= Duration::from_millis(50));
    }
}
