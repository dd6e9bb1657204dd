//! The roles of people and machine clients.

use std::fmt;
use std::str::FromStr;

use audit::PurposeOfUse;

/// Declares each role once: its name as stored and sent, its name for people, and its default
/// purpose of use.
macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident $name:literal $label:literal $purpose:ident;)*) => {
        /// A caller's role in its organization (45 CFR 164.308(a)(4)(ii)).
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Role {
            $($(#[$doc])* $role,)*
        }

        impl Role {
            /// Every role.
            pub const ALL: &[Self] = &[$(Self::$role),*];

            /// The role's name, as stored and as sent.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$role => $name,)*
                }
            }

            /// The role's name for people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$role => $label,)*
                }
            }

            /// The purpose for which callers in this role access records unless they state another.
            #[must_use]
            pub const fn purpose(self) -> PurposeOfUse {
                match self {
                    $(Self::$role => PurposeOfUse::$purpose,)*
                }
            }
        }
    };
}

roles! {
    /// Treats patients.
    Clinician "clinician" "Clinician" Treatment;
    /// Registers patients: demographics only.
    FrontDesk "front_desk" "Front desk" Operations;
    /// Bills for care.
    Billing "billing" "Billing" Payment;
    /// Reviews the audit trail and disclosures.
    PrivacyOfficer "privacy_officer" "Privacy officer" Operations;
    /// Administers people and keys; no PHI.
    SecurityAdmin "security_admin" "Security administrator" Administration;
    /// Reads evidence of the stack's controls; no PHI.
    Auditor "auditor" "Auditor" Operations;
    /// A patient: the own chart, and the list of its disclosures.
    Patient "patient" "Patient" PatientRequest;
    /// A machine client.
    Service "service" "Service" Operations;
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error for a name that is no role's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role is one of ")?;
        for (index, role) in Role::ALL.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{role}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownRole {}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        let named = |role: &&Self| role.name() == name;
        Self::ALL.iter().find(named).copied().ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_found_by_its_name() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(*role));
        }
        assert_eq!("root".parse::<Role>(), Err(UnknownRole));
        assert!(UnknownRole.to_string().contains("clinician, front_desk"));
    }
}
