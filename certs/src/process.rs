//! Protection of process memory (private keys, and in the app tier PHI) against core dumps and
//! swap.

use nix::errno::Errno;
use nix::sys::mman::MlockAllFlags;
use nix::sys::mman::mlockall;
use nix::sys::prctl;
use nix::sys::resource::RLIM_INFINITY;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;

/// `MCL_ONFAULT` of mlockall(2), which `nix` does not define: a page is locked at its first access,
/// so that reserved stacks take no memory.
const ON_FAULT: MlockAllFlags = MlockAllFlags::from_bits_retain(4);

/// The protection of a process's memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memory {
    /// No core dumps, no swap.
    Locked,
    /// No core dumps, but pages may be swapped: the system limits locked memory
    /// (`LimitMEMLOCK=infinity` in a systemd unit removes the limit).
    Swappable,
}

/// Forbids core dumps and debuggers of the same user, and locks memory if `RLIMIT_MEMLOCK` is
/// unlimited. `main` calls this first, before a secret is read.
///
/// # Errors
/// The error of setrlimit(2), prctl(2) or getrlimit(2).
pub fn protect_memory() -> Result<Memory, Errno> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_dumpable(false)?;
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    // With a limit, an allocation beyond it would fail and abort the process.
    if limit != RLIM_INFINITY {
        return Ok(Memory::Swappable);
    }
    let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | ON_FAULT;
    match mlockall(flags) {
        Ok(()) => Ok(Memory::Locked),
        Err(_refused) => Ok(Memory::Swappable),
    }
}
