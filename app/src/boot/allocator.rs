//! Configuration of the C library's allocator: memory of dropped documents is returned to the
//! kernel.
//!
//! By default glibc creates an arena for each thread, up to eight for each core, and raises its
//! threshold for `mmap` whenever a larger block is freed. A few large Bundles on different threads
//! then retain several times the memory that all callers together may use
//! (`limits::MAX_MEMORY_BYTES`): measured were 310 MiB that were never returned; with these
//! settings 125 MiB at the peak, of which 70 MiB stayed.
//!
//! glibc reads the settings once, before `main`. The program therefore executes itself again with
//! them; the process id stays the same for the service manager.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The settings (`mallopt(3)`). Other C libraries ignore them.
const SETTINGS: [(&str, &str); 3] = [
    // Enough for the threads that allocate at the same moment: small blocks are cached by each
    // thread.
    ("MALLOC_ARENA_MAX", "4"),
    // In bytes. A fixed value, so that every large body, row or response is a mapping of its own.
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    // In bytes: free memory at the end of an arena above this is returned.
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// Executes the program again with the settings that its environment lacks. Returns if none is
/// missing, or on failure.
pub(crate) fn configure() {
    let is_missing = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    if !SETTINGS.iter().any(is_missing) {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        eprintln!("app: the program's path is unknown: the allocator keeps its defaults");
        return;
    };
    let missing = SETTINGS.into_iter().filter(is_missing);
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).envs(missing);
    let error = command.exec();
    eprintln!(
        "app: the program cannot be executed again: the allocator keeps its defaults: {error}"
    );
}
