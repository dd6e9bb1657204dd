//! The table of permissions, checked against rules that hold for all of its rows.

use super::*;

const OPERATIONS: [Operation; 4] = [
    Operation::Read,
    Operation::List,
    Operation::Export,
    Operation::Write,
];

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

/// The classes of FHIR resources.
const RECORDS: [DataClass; 4] = [
    DataClass::Demographics,
    DataClass::Clinical,
    DataClass::Directory,
    DataClass::Billing,
];

#[test]
fn what_a_class_may_contain_follows_from_the_table() {
    let contents = |container: DataClass| {
        let all = RECORDS.into_iter();
        all.filter(|content| may_contain(container, *content))
            .collect::<Vec<_>>()
    };
    // The front desk reads no charts.
    assert_eq!(
        contents(DataClass::Demographics),
        [DataClass::Demographics, DataClass::Directory]
    );
    assert_eq!(contents(DataClass::Clinical), RECORDS);
    assert_eq!(contents(DataClass::Directory), [DataClass::Directory]);
    // A claim is read as it was filed, with what it bills for.
    assert_eq!(contents(DataClass::Billing), RECORDS);
}

#[test]
fn a_container_shows_no_role_more_than_the_policy_does() {
    let classes = DataClass::ALL.iter();
    let pairs = classes.flat_map(|one| DataClass::ALL.iter().map(move |other| (*one, *other)));
    for (container, content) in pairs {
        let mut leaks = false;
        for (role, operation, class) in all() {
            let whole = authorize(role, operation, class);
            let whole = whole.filter(|it| it.fields == Fields::All);
            let Some(whole) = whole.filter(|_| class == container) else {
                continue;
            };
            let own = authorize(role, operation, content);
            let is_less = own.is_none_or(|own| {
                own.fields != Fields::All
                    || (own.reach != whole.reach && own.reach != Reach::Organization)
                    || own.assurance > whole.assurance
            });
            leaks |= operation != Operation::Write && is_less;
        }
        let is_claim = container == DataClass::Billing && RECORDS.contains(&content);
        let may = may_contain(container, content);
        assert_eq!(may, !leaks || is_claim, "{container:?} {content:?}");
    }
}

#[test]
fn every_class_may_contain_itself() {
    for class in DataClass::ALL {
        assert!(may_contain(*class, *class), "{class:?}");
    }
}

#[test]
fn every_role_has_permissions() {
    for role in Role::ALL {
        assert!(!granted(*role).is_empty(), "{role}");
    }
}

#[test]
fn only_a_machine_client_exports_and_it_reads_no_record_otherwise() {
    for (role, operation, class) in all() {
        let permission = authorize(role, operation, class);
        if operation == Operation::Export {
            assert_eq!(
                permission.is_some(),
                role == Role::Service && is_of_records(class)
            );
        } else if role == Role::Service && class != DataClass::Account {
            assert_eq!(permission, None, "{operation:?} {class:?}");
        }
    }
}

/// Whether FHIR resources are of this class.
fn is_of_records(class: DataClass) -> bool {
    use DataClass::Billing;
    use DataClass::Clinical;
    use DataClass::Demographics;
    use DataClass::Directory;
    [Billing, Clinical, Demographics, Directory].contains(&class)
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
    for (class, reach) in [
        (DataClass::Demographics, Reach::Organization),
        (DataClass::Clinical, Reach::CareTeam),
        (DataClass::Directory, Reach::Organization),
        (DataClass::Billing, Reach::CareTeam),
    ] {
        for operation in [Operation::Read, Operation::List, Operation::Write] {
            let permission = authorize(Role::Clinician, operation, class).unwrap();
            assert_eq!(permission.reach, reach);
            assert_eq!(permission.fields, Fields::All);
        }
    }
}

#[test]
fn the_front_desk_has_demographics_and_nothing_clinical() {
    use DataClass::Account;
    use DataClass::CareTeams;
    use DataClass::Demographics;
    use DataClass::Directory;
    use DataClass::People;
    for (operation, class) in granted(Role::FrontDesk) {
        assert!([Account, CareTeams, Demographics, Directory, People].contains(&class));
        assert!(![Directory, People].contains(&class) || operation != Operation::Write);
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
    use DataClass::AccessReviews;
    use DataClass::Account;
    use DataClass::Audit;
    use DataClass::Disclosures;
    use DataClass::People;
    for (operation, class) in granted(Role::PrivacyOfficer) {
        assert!([AccessReviews, Account, Audit, Disclosures, People].contains(&class));
        assert!([AccessReviews, Account].contains(&class) || operation != Operation::Write);
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
fn the_workforce_needs_two_factors_for_all_but_its_own_accounts() {
    for (role, operation, class) in all() {
        let Some(permission) = authorize(role, operation, class) else {
            continue;
        };
        let is_single = permission.assurance == AssuranceLevel::SingleFactor;
        let is_of_workforce = !matches!(role, Role::Service | Role::Patient);
        let is_expected = !is_of_workforce || class == DataClass::Account;
        assert_eq!(is_single, is_expected, "{role} {operation:?} {class:?}");
    }
}

#[test]
fn an_authentication_of_two_factors_is_recent_for_ten_minutes() {
    let level = |assurance, minutes| AssuranceLevel::of(assurance, Duration::minutes(minutes));
    assert_eq!(
        level(Assurance::Passkey, 10),
        AssuranceLevel::RecentMultiFactor
    );
    assert_eq!(
        level(Assurance::PasswordAndCode, 11),
        AssuranceLevel::MultiFactor
    );
    assert_eq!(level(Assurance::Password, 0), AssuranceLevel::SingleFactor);
    assert!(AssuranceLevel::RecentMultiFactor > AssuranceLevel::MultiFactor);
}

#[test]
fn what_changes_who_may_do_what_needs_a_recent_second_factor() {
    for (role, operation, class) in all() {
        let is_change = operation == Operation::Write;
        let is_of_access = class == DataClass::EmergencyAccess
            || (is_change && [DataClass::People, DataClass::Keys].contains(&class));
        if let Some(permission) = authorize(role, operation, class) {
            let is_recent = permission.assurance == AssuranceLevel::RecentMultiFactor;
            assert_eq!(is_recent, is_of_access, "{role} {operation:?} {class:?}");
        }
    }
}

#[test]
fn the_person_that_begins_an_emergency_access_does_not_review_it() {
    for role in Role::ALL {
        let begins = authorize(*role, Operation::Write, DataClass::EmergencyAccess);
        let reviews = authorize(*role, Operation::Write, DataClass::AccessReviews);
        assert!(begins.is_none() || reviews.is_none(), "{role}");
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
