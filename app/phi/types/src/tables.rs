//! The registry of authenticated tables.
//!
//! Tags are permanent: a table may be renamed or retired, but its tag is never given to another table.

/// A table whose rows carry a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// The permanent tag, which enters the MAC and the audit log.
    pub tag: u16,
    /// The table's name.
    pub name: &'static str,
    /// The organization whose authorization keys authenticate its rows.
    pub authority: Authority,
}

/// The organization whose authorization keys a table's MACs are made with. A MAC's key id is looked up there
/// and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The organization that the row belongs to.
    Organization,
    /// The system's reserved organization.
    System,
    /// The key that the row itself wraps: only the table `keys`.
    Itself,
}

macro_rules! tables {
    ($($(#[$doc:meta])* $constant:ident = $tag:literal, $name:literal, $authority:ident;)*) => {
        $(
            $(#[$doc])*
            pub const $constant: Table = Table {
                tag: $tag,
                name: $name,
                authority: Authority::$authority,
            };
        )*

        /// Every authenticated table.
        pub const ALL: &[Table] = &[$($constant,)*];
    };
}

tables! {
    /// Organizations: the tenants.
    ORGANIZATIONS = 1, "organizations", Organization;
    /// Wrapped keys.
    KEYS = 2, "keys", Itself;
    /// Owners of scopes: state, legal holds, and counts of current resources.
    OWNERS = 3, "owners", Organization;
    /// People who can sign in.
    PEOPLE = 4, "people", Organization;
    /// Passwords.
    CREDENTIALS = 5, "credentials", Organization;
    /// Sessions of browsers and bearer tokens.
    SESSIONS = 6, "sessions", Organization;
    /// Heads of resources.
    RESOURCES = 8, "resources", Organization;
    /// Versions of resources.
    RESOURCE_VERSIONS = 9, "resource_versions", Organization;
    /// Demographics of patients.
    DEMOGRAPHICS = 10, "demographics", Organization;
    /// Versions of the blind index.
    INDEX_VERSIONS = 11, "index_versions", Organization;
    /// The change feed.
    CHANGES = 12, "changes", Organization;
    /// The lowest release that may write.
    RELEASE_FLOOR = 13, "release_floor", System;
    /// The end of each organization's change feed.
    CHANGE_COUNTERS = 14, "change_counters", Organization;
    /// Bulk exports.
    EXPORTS = 15, "exports", Organization;
    /// Authenticators of people beside the password.
    AUTHENTICATORS = 16, "authenticators", Organization;
    /// Memberships of care teams.
    CARE_TEAM_MEMBERS = 20, "care_team_members", Organization;
    /// Emergency accesses to charts, and their reviews.
    EMERGENCY_ACCESSES = 21, "emergency_accesses", Organization;
    /// Machine clients with their public keys and scopes.
    CLIENTS = 22, "clients", Organization;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_table_has_a_tag_and_a_name_of_its_own() {
        let tags: HashSet<_> = ALL.iter().map(|table| table.tag).collect();
        let names: HashSet<_> = ALL.iter().map(|table| table.name).collect();
        assert_eq!((tags.len(), names.len()), (ALL.len(), ALL.len()));
    }
}
