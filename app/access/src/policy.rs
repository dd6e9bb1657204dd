//! The access policy: one table (45 CFR 164.308(a)(4), 164.312(a)(1); minimum necessary, 164.502(b)).

use audit::Assurance;
use time::Duration;

use crate::Role;

/// The time for which an authentication of two factors is recent: long enough to do what it was repeated for, short enough that
/// the person is still in front of the screen.
const RECENT: Duration = Duration::minutes(10);

/// A kind of action that the policy distinguishes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// Disclosing records one by one.
    Read,
    /// Disclosing records as a list or a search result.
    List,
    /// Disclosing records in bulk, as files of an export. It implies no other operation, and none implies it.
    Export,
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
    /// The people of the organization, its machine clients, and its settings.
    People,
    /// The care teams of patients: the people whose permissions reach a chart.
    CareTeams,
    /// Emergency access to charts, as the person that begins it sees it (45 CFR 164.312(a)(2)(ii)).
    EmergencyAccess,
    /// Emergency accesses of the organization and their reviews (45 CFR 164.308(a)(1)(ii)(D)).
    AccessReviews,
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
        Self::CareTeams,
        Self::EmergencyAccess,
        Self::AccessReviews,
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
            | Self::CareTeams
            | Self::EmergencyAccess
            | Self::AccessReviews
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
    /// The charts of [`ChartAccess`](crate::ChartAccess): by the organization's choice all of them, or those of patients whose
    /// care team includes the caller, and those opened by an emergency access. Records without a patient are not limited.
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
    /// Names and roles only.
    Names,
}

/// The strength of a caller's authentication (NIST SP 800-63B).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AssuranceLevel {
    /// One factor.
    SingleFactor,
    /// Two factors, or a passkey with user verification.
    MultiFactor,
    /// The same, within the last ten minutes.
    RecentMultiFactor,
}

impl AssuranceLevel {
    /// The strength of a method that was used this long ago.
    #[must_use]
    pub fn of(assurance: Assurance, age: Duration) -> Self {
        match assurance {
            // A method that this release does not know counts as the weakest.
            Assurance::Password
            | Assurance::Token
            | Assurance::ClientAssertion
            | Assurance::Unknown => Self::SingleFactor,
            Assurance::PasswordAndCode | Assurance::Passkey if age <= RECENT => {
                Self::RecentMultiFactor
            }
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

// The complete policy. What no row grants is refused. The workforce needs two factors for all but its own accounts, where the
// second one is set up, and shows one again before it changes who may do what.
policy! {
// roles             operations          data classes                         reach         fields   assurance
  [Clinician]        [Read List Write]   [Demographics Directory]             Organization  All      MultiFactor;
  // Clinical imports carry claims; treatment is exempt from minimum necessary (164.502(b)(2)(i)).
  [Clinician]        [Read List Write]   [Clinical Billing]                   CareTeam      All      MultiFactor;
  [Clinician]        [Read List Write]   [CareTeams]                          CareTeam      All      MultiFactor;
  // Emergency access (164.312(a)(2)(ii)) is for charts that no other permission reaches.
  [Clinician]        [Write]             [EmergencyAccess]                    Organization  All      RecentMultiFactor;

  [FrontDesk]        [Read List Write]   [Demographics CareTeams]             Organization  All      MultiFactor;
  [FrontDesk]        [Read List]         [Directory]                          Organization  All      MultiFactor;

  [Billing]          [Read List]         [Demographics]                       Organization  Minimum  MultiFactor;
  [Billing]          [Read List]         [Directory]                          Organization  All      MultiFactor;
  [Billing]          [Read List Write]   [Billing]                            Organization  All      MultiFactor;

  [PrivacyOfficer]   [Read List]         [Audit Disclosures]                  Organization  All      MultiFactor;
  [PrivacyOfficer]   [Read List Write]   [AccessReviews]                      Organization  All      MultiFactor;

  // Names and roles of colleagues, to show and to fill care teams.
  [Clinician FrontDesk PrivacyOfficer]
                     [Read]              [People]                             Organization  Names    MultiFactor;

  [SecurityAdmin]    [Read List]         [People Keys]                        Organization  All      MultiFactor;
  [SecurityAdmin]    [Write]             [People Keys]                        Organization  All      RecentMultiFactor;

  [Auditor]          [Read List]         [Evidence]                           Organization  All      MultiFactor;

  // Exports feed the organization's own systems, not people (164.502(b), 164.514(d)(2)). A machine client reads nothing else.
  [Service]          [Export]            [Demographics Clinical Directory Billing]
                                                                              Organization  All      SingleFactor;
  [Service]          [Read]              [Account]                            OwnAccount    All      SingleFactor;

  [Patient]          [Read List]         [Demographics Clinical Billing]      OwnChart      All      SingleFactor;
  [Patient]          [Read List]         [Disclosures]                        OwnChart      All      SingleFactor;
  [Patient]          [Read List]         [Directory]                          Organization  All      SingleFactor;

  [Clinician FrontDesk Billing PrivacyOfficer SecurityAdmin Auditor Patient]
                     [Read List Write]   [Account]                            OwnAccount    All      SingleFactor;
}

/// The policy's decision for a role: the terms of the permission, or none for a refusal.
#[must_use]
pub fn authorize(role: Role, operation: Operation, class: DataClass) -> Option<Permission> {
    matching(role, operation, class)
        .next()
        .map(|rule| rule.permission)
}

/// Whether a record of one class may contain data of another: every role that is shown such a record whole may be shown the
/// data under the same terms as well. What a record contains is disclosed with it.
///
/// Billing records may contain everything of a chart: a claim carries the orders, devices and parties that it bills for, and
/// is disclosed for payment as it was filed (45 CFR 164.506(c)(1)).
#[must_use]
pub fn may_contain(container: DataClass, content: DataClass) -> bool {
    let is_of_chart = matches!(content, DataClass::Clinical | DataClass::Demographics);
    if container == DataClass::Billing && is_of_chart {
        return true;
    }
    let covers = |role: &Role, operation: Operation| {
        let shown = authorize(*role, operation, container);
        // Records of which a role has some fields only are not disclosed whole.
        let Some(shown) = shown.filter(|it| it.fields == Fields::All) else {
            return true;
        };
        authorize(*role, operation, content).is_some_and(|it| it.covers(shown))
    };
    let disclosing = [Operation::Read, Operation::List];
    disclosing
        .into_iter()
        .all(|operation| Role::ALL.iter().all(|role| covers(role, operation)))
}

impl Permission {
    /// Whether it reaches all that `other` reaches, with as many fields, and needs no stronger authentication.
    fn covers(self, other: Self) -> bool {
        let reaches = self.reach == other.reach || self.reach == Reach::Organization;
        let has_fields = self.fields == other.fields || self.fields == Fields::All;
        reaches && has_fields && self.assurance <= other.assurance
    }
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
mod tests;
