//! Scopes of machine clients (SMART App Launch 2.2, "Scopes for requesting FHIR resources").

use std::collections::BTreeSet;
use std::fmt;

/// The FHIR resource types that a machine client may read and search: a limit of its token, inside what its role permits.
///
/// Each is `system/<type>.rs`, or `system/*.rs` for all types. Scopes that a client sends are more general. What is read here
/// of them is: permissions that include read and search, in the syntax of version 2 (`cruds`) or 1 (`read`, `*`). Others are
/// left out: no scope here grants to write, and one with a condition (`?category=…`) would grant more than it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scopes(Types);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Types {
    All,
    Named(BTreeSet<String>),
}

impl Scopes {
    /// The scopes of a text, in which they are separated by spaces. `is_type` decides which names are resource types; scopes of
    /// others are left out.
    #[must_use]
    pub fn parse(text: &str, is_type: impl Fn(&str) -> bool) -> Self {
        let named = text.split(' ').filter_map(resource_type);
        let named: BTreeSet<&str> = named.collect();
        if named.contains("*") {
            return Self(Types::All);
        }
        let named = named.into_iter().filter(|name| is_type(name));
        Self(Types::Named(named.map(str::to_owned).collect()))
    }

    /// The scopes that are in both.
    #[must_use]
    pub fn intersection(self, other: &Self) -> Self {
        match (self.0, &other.0) {
            (Types::All, other) => Self(other.clone()),
            (own @ Types::Named(_), Types::All) => Self(own),
            (Types::Named(own), Types::Named(other)) => {
                Self(Types::Named(own.intersection(other).cloned().collect()))
            }
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Types::All => false,
            Types::Named(named) => named.is_empty(),
        }
    }

    /// Whether records of a kind are covered. Kinds that are no resource types, such as `export` and `person`, have names in
    /// lower case; no scope limits them.
    #[must_use]
    pub fn covers(&self, kind: &str) -> bool {
        let is_resource_type = kind.starts_with(|first: char| first.is_ascii_uppercase());
        match &self.0 {
            Types::All => true,
            Types::Named(named) => !is_resource_type || named.contains(kind),
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Types::All => f.write_str("system/*.rs"),
            Types::Named(named) => {
                for (index, name) in named.iter().enumerate() {
                    let separator = if index == 0 { "" } else { " " };
                    write!(f, "{separator}system/{name}.rs")?;
                }
                Ok(())
            }
        }
    }
}

/// The resource type, or `*`, of a system scope that includes read and search.
fn resource_type(scope: &str) -> Option<&str> {
    let (name, permissions) = scope.strip_prefix("system/")?.split_once('.')?;
    let is_granted = matches!(permissions, "read" | "*") || {
        let mut order = "cruds".chars();
        // Each letter once, in this order.
        let is_permission = |letter| order.any(|it| it == letter);
        permissions.contains('r')
            && permissions.contains('s')
            && permissions.chars().all(is_permission)
    };
    is_granted.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Scopes {
        Scopes::parse(text, |name| {
            ["Patient", "Observation", "Group"].contains(&name)
        })
    }

    #[test]
    fn read_and_search_are_granted_and_nothing_else() {
        for (sent, granted) in [
            ("system/*.rs", "system/*.rs"),
            ("system/*.read", "system/*.rs"),
            ("system/*.*", "system/*.rs"),
            ("system/*.cruds", "system/*.rs"),
            ("system/Patient.rs", "system/Patient.rs"),
            (
                "system/Patient.read system/Group.rs",
                "system/Group.rs system/Patient.rs",
            ),
            ("system/Patient.rs system/*.rs", "system/*.rs"),
            ("system/Patient.rs system/Patient.rs", "system/Patient.rs"),
            ("system/Patient.r system/Group.s", ""),
            ("system/Patient.sr", ""),
            ("system/Patient.rrs", ""),
            ("system/Patient.rsx", ""),
            ("system/Patient.write system/*.cud", ""),
            ("system/Patient.", ""),
            ("system/patient.rs system/Robot.rs", ""),
            ("system/Observation.rs?category=laboratory", ""),
            (
                "user/Patient.rs patient/*.rs launch openid offline_access",
                "",
            ),
            ("SYSTEM/Patient.rs", ""),
            ("", ""),
        ] {
            assert_eq!(parse(sent).to_string(), granted, "{sent}");
            assert_eq!(parse(sent).is_empty(), granted.is_empty(), "{sent}");
        }
    }

    #[test]
    fn what_is_granted_is_in_both() {
        for (one, other, both) in [
            ("system/*.rs", "system/*.rs", "system/*.rs"),
            ("system/*.rs", "system/Patient.rs", "system/Patient.rs"),
            (
                "system/Patient.rs",
                "system/Patient.rs system/Group.rs",
                "system/Patient.rs",
            ),
            ("system/Patient.rs", "system/Group.rs", ""),
            ("system/*.rs", "", ""),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                let granted = parse(one).intersection(&parse(other));
                assert_eq!(granted.to_string(), both, "{one} and {other}");
            }
        }
    }

    #[test]
    fn scopes_cover_resource_types_and_do_not_limit_other_kinds() {
        let patients = parse("system/Patient.rs");
        assert!(patients.covers("Patient") && !patients.covers("Observation"));
        assert!(patients.covers("export") && patients.covers("person"));
        assert!(!parse("").covers("Patient"));
        assert!(parse("system/*.rs").covers("Observation"));
    }
}
