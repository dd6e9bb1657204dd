//! An organization's open branch key, and the keys that were opened under it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use super::KeyringSettings;
use super::cache::SingleFlightCache;
use crate::authorization::AuthorizationKey;
use crate::index::IndexKey;
use crate::scope::ScopeKey;
use crate::secret::SecretKey;
use phi_types::KeyId;
use phi_types::OrganizationId;
use phi_types::Owner;

/// An open branch key.
pub(super) struct Branch {
    pub(super) id: KeyId,
    pub(super) version: u32,
    pub(super) key: SecretKey,
}

/// The open keys of an organization. It owns every key under the branch key, so that none outlives it.
pub(super) struct OpenOrganization {
    pub(super) organization: OrganizationId,
    pub(super) branch: Arc<Branch>,
    /// Branch keys of other versions, under which older keys are still wrapped.
    pub(super) former_branches: SingleFlightCache<KeyId, Arc<Branch>>,
    /// Scope keys: the owner's current one under `None`, any other under its id.
    pub(super) scopes: SingleFlightCache<(Owner, Option<KeyId>), Arc<ScopeKey>>,
    /// Index keys, by id.
    pub(super) indexes: SingleFlightCache<KeyId, Arc<IndexKey>>,
    /// The current authorization key.
    pub(super) authorization: SingleFlightCache<(), Arc<AuthorizationKey>>,
    /// Authorization keys that verify, by id.
    pub(super) authorizations: SingleFlightCache<KeyId, Arc<AuthorizationKey>>,
    opened: Instant,
    lifetime: Duration,
    used: AtomicBool,
}

impl OpenOrganization {
    /// `opened` is the time at which opening began, that is, before the key service permitted it.
    pub(super) fn new(
        organization: OrganizationId,
        branch: Branch,
        opened: Instant,
        settings: &KeyringSettings,
    ) -> Self {
        Self {
            organization,
            branch: Arc::new(branch),
            former_branches: SingleFlightCache::new(16),
            scopes: SingleFlightCache::new(settings.scopes),
            indexes: SingleFlightCache::new(16),
            authorization: SingleFlightCache::new(1),
            authorizations: SingleFlightCache::new(64),
            opened,
            lifetime: settings.cache,
            used: AtomicBool::new(false),
        }
    }

    /// The time at which all keys close.
    pub(super) fn deadline(&self) -> Instant {
        self.opened + self.lifetime
    }

    /// The time at which the branch key is refreshed, if it is in use.
    pub(super) fn refresh_at(&self) -> Instant {
        self.opened + self.lifetime * 4 / 5
    }

    /// Whether the keys may be used at `now`.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        now < self.deadline()
    }

    /// Records a use.
    pub(super) fn touch(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether the keys were used since they were opened.
    pub(super) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Branch({})", self.id)
    }
}

impl fmt::Debug for OpenOrganization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenOrganization({})", self.organization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_closes_at_its_deadline_and_is_refreshed_before() {
        let settings = KeyringSettings {
            cache: Duration::from_secs(100),
            ..KeyringSettings::default()
        };
        let branch = Branch {
            id: KeyId::random(),
            version: 1,
            key: SecretKey::random(),
        };
        let opened = Instant::now();
        let open = OpenOrganization::new(OrganizationId::random(), branch, opened, &settings);
        let at = |seconds| opened + Duration::from_secs(seconds);
        assert_eq!(open.refresh_at(), at(80));
        assert!(open.is_open(at(99)));
        assert!(!open.is_open(at(100)));
    }
}
