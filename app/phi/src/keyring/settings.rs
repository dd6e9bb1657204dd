//! The settings of a keyring.

use std::time::Duration;

/// The limits of the keys that are open.
#[derive(Clone, Copy, Debug)]
pub struct KeyringSettings {
    /// The lifetime of an opened branch key, and of all keys under it. A value above
    /// [`KeyringSettings::MAX_CACHE`] counts as that.
    pub cache: Duration,
    /// The delay that [`KeyError::Unavailable`](super::KeyError::Unavailable) suggests before a retry.
    pub retry_after: Duration,
    /// The maximum number of organizations whose keys are open.
    pub organizations: usize,
    /// The maximum number of open scope keys of each organization.
    pub scopes: usize,
}

impl KeyringSettings {
    /// The maximum lifetime of an opened key: the longest time before a refusal of the key service takes effect.
    pub const MAX_CACHE: Duration = Duration::from_mins(5);
}

impl Default for KeyringSettings {
    fn default() -> Self {
        Self {
            cache: Self::MAX_CACHE,
            retry_after: Duration::from_secs(5),
            organizations: 1_000,
            scopes: 10_000,
        }
    }
}
