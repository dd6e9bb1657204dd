//! How long people stay signed in.

use std::time::Duration;

use super::{ConfigError, Reader};

/// Limits of sessions (45 CFR 164.312(a)(2)(iii), automatic logoff).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionConfig {
    /// `SESSION_IDLE_SECONDS`: ends a session that nobody used for so long; at most 15 minutes.
    pub(crate) idle: Duration,
    /// `SESSION_ABSOLUTE_SECONDS`: ends every session after so long; at most 12 hours.
    pub(crate) absolute: Duration,
}

impl SessionConfig {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        Ok(Self {
            idle: reader.seconds("SESSION_IDLE_SECONDS", 900, 1..=900)?,
            absolute: reader.seconds("SESSION_ABSOLUTE_SECONDS", 43_200, 1..=43_200)?,
        })
    }
}
