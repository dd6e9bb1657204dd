//! The configuration of automatic logoff.

use settings::Reader;
use settings::Reported;
use settings::section;

use crate::services::callers::SessionLimits;

/// Reads the section.
pub(super) fn read(reader: &Reader) -> Result<SessionLimits, Reported> {
    section!(SessionLimits {
        idle: reader.seconds("SESSION_IDLE_SECONDS", 900, 1..=900),
        absolute: reader.seconds("SESSION_ABSOLUTE_SECONDS", 43_200, 1..=43_200),
    })
}
