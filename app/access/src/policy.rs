//! The access policy: one table (45 CFR 164.308(a)(4), 164.312(a)(1); minimum necessary, 164.502(b)).

use audit::Assurance;

use crate::Role;

/// A kind of action that the policy distinguishes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// Disclosing records one by one.
    Read,
    /// Disclosing records as a list or a search result.
    List,
    /// Creating and changing records.
    Write,
}

/// A class of records that the policy grants together.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DataClass {
    /// Patients: names, birth dates, identifiers, addresses.
    Demographics,
    /// All other records of a chart.
    Clinical,
    /// Practitioners, organizations, locations, products, definitions.
    Directory,
    /// Coverage, claims, payments.
    Billing,
    /// The people of the organization and its machine clients.
    People,
    /// The caller's own name, address, sessions and credentials.
    Account,
    /// The organization's audit trail.
    Audit,
    /// The accounting of disclosures of charts (45 CFR 164.528).
    Disclosures,
    /// The states of keys, and operations on keys; never key material.
    Keys,
    /// Evidence of controls: checkpoints, test reports, drills.
    Evidence,
}

impl DataClass {
    /// Every data class.
    pub const ALL: &[Self] = &[
        Self::Demographics,
        Self::Clinical,
        Self::Directory,
        Self::Billing,
        Self::People,
        Self::Account,
        Self::Audit,
        Self::Disclosures,
        Self::Keys,
        Self::Evidence,
    ];

    /// Whether records of this class identify patients.
    #[must_use]
    pub const fn is_phi(self) -> bool {
        match self {
            Self::Demographics
            | Self::Clinical
            | Self::Billing
            | Self::Audit
            | Self::Disclosures => true,
            Self::Directory | Self::People | Self::Account | Self::Keys | Self::Evidence => false,
        }
    }
}

/// The records of a class that a permission reaches.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reach {
    /// All records of the caller's organization.
    Organization,
    /// Records of patients whose care team includes the caller.
    CareTeam,
    /// Records of the patient that the caller is.
    OwnChart,
    /// The person that the caller is.
    OwnAccount,
}

/// The fields of a record that a permission covers. The service that discloses the record must remove
/// the others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fields {
    /// All fields.
    All,
    /// Name, birth date, medical record number and address of a patient only.
    Minimum,
    /// Names only.
    Names,
}

/// The strength of a caller's authentication (NIST SP 800-63B).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AssuranceLevel {
    /// One factor.
    SingleFactor,
    /// Two factors, or a passkey with user verification.
    MultiFactor,
}

impl From<Assurance> for AssuranceLevel {
    fn from(assurance: Assurance) -> Self {
        match assurance {
            // A method that this release does not know counts as the weakest.
            Assurance::Password
            | Assurance::Token
            | Assurance::ClientAssertion
            | Assurance::Unknown => Self::SingleFactor,
            Assurance::PasswordAndCode | Assurance::Passkey => Self::MultiFactor,
        }
    }
}

/// The terms under which a role may do an operation on a data class.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Permission {
    /// The records reached.
    pub reach: Reach,
    /// The fields covered.
    pub fields: Fields,
    /// The weakest authentication that suffices.
    pub assurance: AssuranceLevel,
}

/// One row of the table.
struct Rule {
    roles: &'static [Role],
    operations: &'static [Operation],
    classes: &'static [DataClass],
    permission: Permission,
}

macro_rules! policy {
    ($([$($role:ident)*] [$($operation:ident)*] [$($class:ident)*]
       $reach:ident $fields:ident $assurance:ident;)*) => {
        const POLICY: &[Rule] = &[$(Rule {
            roles: &[$(Role::$role),*],
            operations: &[$(Operation::$operation),*],
            classes: &[$(DataClass::$class),*],
            permission: Permission {
                reach: Reach::$reach,
                fields: Fields::$fields,
                assurance: AssuranceLevel::$assurance,
            },
        }),*];
    };
}

// The complete policy. What no row grants is refused.
policy! {
// roles             operations          data classes                         reach         fields   assurance
  // Clinical imports carry claims; treatment is exempt from minimum necessary (164.502(b)(2)(i)).
  [Clinician]        [Read List Write]   [Demographics Clinical Directory Billing]
                                                                              Organization  All      SingleFactor;

  [FrontDesk]        [Read List Write]   [Demographics]                       Organization  All      SingleFactor;
  [FrontDesk]        [Read List]         [Directory]                          Organization  All      SingleFactor;

  [Billing]          [Read List]         [Demographics]                       Organization  Minimum  SingleFactor;
  [Billing]          [Read List]         [Directory]                          Organization  All      SingleFactor;
  [Billing]          [Read List Write]   [Billing]                            Organization  All      SingleFactor;

  [PrivacyOfficer]   [Read List]         [Audit Disclosures]                  Organization  All      SingleFactor;
  [PrivacyOfficer]   [Read]              [People]                             Organization  Names    SingleFactor;

  [SecurityAdmin]    [Read List Write]   [People]                             Organization  All      SingleFactor;
  [SecurityAdmin]    [Read List Write]   [Keys]                               Organization  All      MultiFactor;

  [Auditor]          [Read List]         [Evidence]                           Organization  All      SingleFactor;

  [Patient]          [Read List]         [Demographics Clinical Billing]      OwnChart      All      SingleFactor;
  [Patient]          [Read List]         [Disclosures]                        OwnChart      All      SingleFactor;
  [Patient]          [Read List]         [Directory]                          Organization  All      SingleFactor;

  [Clinician FrontDesk Billing PrivacyOfficer SecurityAdmin Auditor Patient]
                     [Read List Write]   [Account]                            OwnAccount    All      SingleFactor;
}

/// Roles without permissions: machine clients are granted rows when their scopes are stored.
#[cfg(test)]
const WITHOUT_PERMISSIONS: &[Role] = &[Role::Service];

/// The policy's decision for a role: the terms of the permission, or none for a refusal.
#[must_use]
pub fn authorize(role: Role, operation: Operation, class: DataClass) -> Option<Permission> {
    matching(role, operation, class)
        .next()
        .map(|rule| rule.permission)
}

fn matching(
    role: Role,
    operation: Operation,
    class: DataClass,
) -> impl Iterator<Item = &'static Rule> {
    POLICY.iter().filter(move |rule| {
        rule.roles.contains(&role)
            && rule.operations.contains(&operation)
            && rule.classes.contains(&class)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: [Operation; 3] = [Operation::Read, Operation::List, Operation::Write];

    fn all() -> impl Iterator<Item = (Role, Operation, DataClass)> {
        Role::ALL.iter().flat_map(|role| {
            OPERATIONS.into_iter().flat_map(move |operation| {
                let classes = DataClass::ALL.iter();
                classes.map(move |class| (*role, operation, *class))
            })
        })
    }

    fn granted(role: Role) -> Vec<(Operation, DataClass)> {
        let of_role = all().filter(|(other, ..)| *other == role);
        of_role
            .filter(|(role, operation, class)| authorize(*role, *operation, *class).is_some())
            .map(|(_, operation, class)| (operation, class))
            .collect()
    }

    #[test]
    fn every_question_has_one_answer() {
        for (role, operation, class) in all() {
            let rules = matching(role, operation, class).count();
            assert!(rules <= 1, "{role} {operation:?} {class:?}");
        }
    }

    #[test]
    fn every_role_has_permissions_or_is_listed_as_having_none() {
        for role in Role::ALL {
            let listed = WITHOUT_PERMISSIONS.contains(role);
            assert_eq!(granted(*role).is_empty(), listed, "{role}");
        }
    }

    #[test]
    fn every_row_grants_something() {
        for rule in POLICY {
            assert!(!rule.roles.is_empty() && !rule.classes.is_empty());
            assert!(!rule.operations.is_empty());
        }
    }

    #[test]
    fn a_clinician_has_the_whole_chart_with_its_claims_and_the_directory() {
        for class in [
            DataClass::Demographics,
            DataClass::Clinical,
            DataClass::Directory,
            DataClass::Billing,
        ] {
            for operation in OPERATIONS {
                let permission = authorize(Role::Clinician, operation, class).unwrap();
                assert_eq!(permission.reach, Reach::Organization);
                assert_eq!(permission.fields, Fields::All);
            }
        }
    }

    #[test]
    fn the_front_desk_has_demographics_and_nothing_clinical() {
        use DataClass::Account;
        use DataClass::Demographics;
        use DataClass::Directory;
        for (operation, class) in granted(Role::FrontDesk) {
            assert!([Account, Demographics, Directory].contains(&class));
            assert!(class != Directory || operation != Operation::Write);
        }
    }

    #[test]
    fn administrators_and_auditors_have_no_phi() {
        for role in [Role::SecurityAdmin, Role::Auditor] {
            assert!(granted(role).iter().all(|(_, class)| !class.is_phi()));
        }
    }

    #[test]
    fn the_privacy_officer_reads_no_chart() {
        use DataClass::Account;
        use DataClass::Audit;
        use DataClass::Disclosures;
        use DataClass::People;
        for (operation, class) in granted(Role::PrivacyOfficer) {
            assert!([Account, Audit, Disclosures, People].contains(&class));
            assert!(class == Account || operation != Operation::Write);
        }
    }

    #[test]
    fn a_patient_reaches_the_own_chart_only_and_writes_no_record() {
        for (role, operation, class) in all().filter(|(role, ..)| *role == Role::Patient) {
            if let Some(permission) = authorize(role, operation, class) {
                assert!(!class.is_phi() || permission.reach == Reach::OwnChart);
                assert!(operation != Operation::Write || class == DataClass::Account);
            }
        }
    }

    #[test]
    fn an_account_is_reached_by_its_own_person_only() {
        for (role, operation, _) in all() {
            if let Some(permission) = authorize(role, operation, DataClass::Account) {
                assert_eq!(permission.reach, Reach::OwnAccount);
            }
        }
    }
}
