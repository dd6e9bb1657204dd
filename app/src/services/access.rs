//! Who may do what: one table, and evidence that it was asked.
//!
//! A [`Caller`](crate::services::caller::Caller) who wants to act asks for a [`Right`]; the answer is a
//! [`Permitted`], which the services demand and which can be had in no other way. What the table
//! does not list is refused:
//!
//! ```text
//! caller.permit(&app, ReadRecord(ResourceType::Observation)).await?   // Permitted<ReadRecord>, or 403 and an event
//! app.records.read(&caller, permitted, id).await?             // cannot be called without it
//! ```

use std::fmt;
use std::str::FromStr;

use audit::{Action, PurposeOfUse};

use fhir::{Compartment, ResourceType};

/// What a person is to the organization.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Role {
    /// Treats patients.
    Clinician,
    /// Registers patients: demographics only.
    FrontDesk,
    /// Looks after people and keys; no PHI.
    SecurityAdmin,
    /// Reads the audit trail.
    PrivacyOfficer,
}

/// What a table row can grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Grant {
    /// Read resources of a class.
    Read(Class),
    /// Create and amend resources of a class.
    Write(Class),
    /// List and search patients.
    ListPatients,
    /// See who works for the organization.
    ViewPeople,
    /// See the organization's audit trail.
    ViewAudit,
}

impl Grant {
    /// What the audit trail calls an attempt at it.
    const fn action(self) -> Action {
        match self {
            Self::Read(_) => Action::Read,
            Self::Write(_) => Action::Write,
            Self::ListPatients | Self::ViewPeople | Self::ViewAudit => Action::Search,
        }
    }
}

/// Resources that are granted together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// Patients themselves.
    Demographics,
    /// Everything else in a chart.
    Clinical,
    /// Practitioners, organizations, locations.
    Directory,
}

/// The access table (45 CFR 164.308(a)(4), 164.312(a)(1); minimum necessary, 164.502(b)).
const TABLE: &[(Role, &[Grant])] = &[
    (
        Role::Clinician,
        &[
            Grant::Read(Class::Demographics),
            Grant::Read(Class::Clinical),
            Grant::Read(Class::Directory),
            Grant::Write(Class::Demographics),
            Grant::Write(Class::Clinical),
            Grant::Write(Class::Directory),
            Grant::ListPatients,
        ],
    ),
    (
        Role::FrontDesk,
        &[
            Grant::Read(Class::Demographics),
            Grant::Read(Class::Directory),
            Grant::Write(Class::Demographics),
            Grant::ListPatients,
        ],
    ),
    (Role::SecurityAdmin, &[Grant::ViewPeople]),
    (Role::PrivacyOfficer, &[Grant::ViewAudit]),
];

impl Role {
    /// Every role.
    pub(crate) const ALL: [Self; 4] = [
        Self::Clinician,
        Self::FrontDesk,
        Self::SecurityAdmin,
        Self::PrivacyOfficer,
    ];

    /// The role's name, as stored and as sent.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::FrontDesk => "front_desk",
            Self::SecurityAdmin => "security_admin",
            Self::PrivacyOfficer => "privacy_officer",
        }
    }

    /// Why someone in this role accesses records, unless they say otherwise.
    pub(crate) const fn purpose(self) -> PurposeOfUse {
        match self {
            Self::Clinician => PurposeOfUse::Treatment,
            Self::FrontDesk | Self::PrivacyOfficer => PurposeOfUse::Operations,
            Self::SecurityAdmin => PurposeOfUse::Administration,
        }
    }

    /// Whether the table grants it.
    pub(crate) fn may(self, grant: Grant) -> bool {
        TABLE
            .iter()
            .any(|(role, grants)| *role == self && grants.contains(&grant))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such role.
#[derive(Debug, thiserror::Error)]
#[error("a role is one of clinician, front_desk, security_admin, privacy_officer")]
pub(crate) struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or(UnknownRole)
    }
}

impl From<ResourceType> for Class {
    fn from(kind: ResourceType) -> Self {
        match (kind, kind.compartment()) {
            (ResourceType::Patient, _) => Self::Demographics,
            (_, Compartment::Patient) => Self::Clinical,
            (_, Compartment::Directory) => Self::Directory,
        }
    }
}

/// Something a caller wants to do.
pub(crate) trait Right {
    /// What the table must grant for it.
    fn grant(&self) -> Grant;

    /// The kind of record that it is about, for the audit trail.
    fn subject(&self) -> &'static str;
}

/// Evidence that the table grants `R` to the caller who asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permitted<R>(R);

impl<R: Right> Permitted<R> {
    /// Asks the table.
    pub(super) fn ask(role: Role, right: R) -> Result<Self, Refused> {
        let grant = right.grant();
        if role.may(grant) {
            return Ok(Self(right));
        }
        Err(Refused {
            subject: right.subject(),
            action: grant.action(),
        })
    }

    /// What was granted.
    pub(crate) fn right(&self) -> &R {
        &self.0
    }
}

/// The table does not grant it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    /// The kind of record it was about.
    pub(crate) subject: &'static str,
    /// What was attempted.
    pub(crate) action: Action,
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident $([$kind:ident])? ($this:ident) => $grant:expr, $subject:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $name $((pub(crate) $kind))?;

            impl Right for $name {
                fn grant(&$this) -> Grant {
                    $grant
                }

                fn subject(&$this) -> &'static str {
                    $subject
                }
            }
        )*
    };
}

rights! {
    /// To read resources of a kind.
    ReadRecord[ResourceType] (self) => Grant::Read(self.0.into()), self.0.name();
    /// To create and amend resources of a kind.
    WriteRecord[ResourceType] (self) => Grant::Write(self.0.into()), self.0.name();
    /// To open a patient's whole chart.
    OpenChart (self) => Grant::Read(Class::Clinical), "chart";
    /// To list and search patients.
    ListPatients (self) => Grant::ListPatients, "Patient";
    /// To see who works for the organization.
    ViewPeople (self) => Grant::ViewPeople, "person";
    /// To see the organization's audit trail.
    ViewAudit (self) => Grant::ViewAudit, "audit";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_one_row_in_the_table() {
        for role in Role::ALL {
            assert_eq!(
                TABLE.iter().filter(|(listed, _)| *listed == role).count(),
                1,
                "{role}"
            );
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
        }
    }

    #[test]
    fn the_front_desk_reads_demographics_and_nothing_clinical() {
        for kind in ResourceType::ALL {
            let granted = Permitted::ask(Role::FrontDesk, ReadRecord(kind)).is_ok();
            assert_eq!(granted, Class::from(kind) != Class::Clinical, "{kind}");
        }
        assert!(Permitted::ask(Role::FrontDesk, OpenChart).is_err());
    }

    #[test]
    fn who_looks_after_people_or_the_trail_reads_no_record() {
        for role in [Role::SecurityAdmin, Role::PrivacyOfficer] {
            assert!(Permitted::ask(role, ListPatients).is_err());
            for kind in ResourceType::ALL {
                assert!(Permitted::ask(role, ReadRecord(kind)).is_err());
                assert!(Permitted::ask(role, WriteRecord(kind)).is_err());
            }
        }
    }
}
