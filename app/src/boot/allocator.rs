//! The C library's allocator, set so that memory of dropped documents goes back to the kernel.
//!
//! By default glibc gives each thread an arena, up to eight for each core, and raises the size from which memory is
//! mapped by itself whenever a larger block is freed. A few large Bundles on different threads then leave several times
//! what all callers together may use (`limits::MAX_MEMORY_BYTES`): measured were 310 MiB that never came back, and
//! 125 MiB at the peak, of which 70 MiB stayed, with these settings. They are read once, before `main`: so the process begins again with them, as
//! the same process of its service manager.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The settings (`mallopt(3)`); a C library that has none of them ignores them.
const SETTINGS: [(&str, &str); 3] = [
    // Enough for the threads that allocate at the same moment: small blocks are kept by each thread.
    ("MALLOC_ARENA_MAX", "4"),
    // In bytes: fixed, so that a body, a row or a response is a mapping of its own.
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    // In bytes: what is free at the end of an arena beyond this is given back.
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// Begins the program again with the settings that its environment lacks; returns if it has them all, or if that fails.
pub(crate) fn configure() {
    let is_missing = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    if !SETTINGS.iter().any(is_missing) {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        eprintln!("app: its own path is not known: the allocator keeps its defaults");
        return;
    };
    let missing = SETTINGS.into_iter().filter(is_missing);
    let mut again = Command::new(program);
    again.args(std::env::args_os().skip(1)).envs(missing);
    let error = again.exec();
    eprintln!("app: it does not begin again, and the allocator keeps its defaults: {error}");
}
