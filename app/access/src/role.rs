//! The roles of people and machine clients.

use std::fmt;
use std::str::FromStr;

use audit::PurposeOfUse;

/// Declares the roles: each with its stored name, its display name and its default purpose of use.
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

            /// The name in storage and in APIs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$role => $name,)*
                }
            }

            /// The display name.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$role => $label,)*
                }
            }

            /// The purpose of use of callers in this role.
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
    /// A patient: the own chart, and the accounting of its disclosures.
    Patient "patient" "Patient" PatientRequest;
    /// A machine client.
    Service "service" "Service" Operations;
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error for an unknown role name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role must be one of ")?;
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
