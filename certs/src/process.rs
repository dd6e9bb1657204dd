//! Keeps what a process holds in memory out of files: private keys, and in the app tier PHI.

use nix::errno::Errno;
use nix::sys::mman::MlockAllFlags;
use nix::sys::mman::mlockall;
use nix::sys::prctl;
use nix::sys::resource::RLIM_INFINITY;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;

/// `MCL_ONFAULT` of mlockall(2), which `nix` does not name: a page is locked when it is first
/// touched, so that reserved stacks take no memory.
const ON_FAULT: MlockAllFlags = MlockAllFlags::from_bits_retain(4);

/// How far a process's memory is kept out of files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memory {
    /// Neither core dumps nor swap will hold any of it.
    Locked,
    /// No core dump will hold any of it. It may be swapped: the system limits locked memory
    /// (`LimitMEMLOCK=infinity` in a systemd unit lifts that).
    Swappable,
}

/// Forbids core dumps and debuggers of the same user, and locks memory where there is no limit to
/// that. Call it first thing in `main`, before any secret is read.
///
/// # Errors
/// The system refuses, which it has no reason to.
pub fn protect_memory() -> Result<Memory, Errno> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_dumpable(false)?;
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    // Under a limit, an allocation past it would end the process.
    if limit != RLIM_INFINITY {
        return Ok(Memory::Swappable);
    }
    let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | ON_FAULT;
    match mlockall(flags) {
        Ok(()) => Ok(Memory::Locked),
        Err(_refused) => Ok(Memory::Swappable),
    }
}
