//! The pages of accounts with fictitious data.

use access::Role;
use askama::Template as _;
use phi::Phi;
use phi::RecoveryCode;
use phi::TotpKey;
use time::macros::datetime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::samples::layout;
use crate::http::pages::administration::SetUpCodePage;
use crate::http::pages::clients::ClientEntry;
use crate::http::pages::clients::ClientsPage;
use crate::http::pages::kept_form::KeptFormPage;
use crate::http::pages::layout::NavSection;
use crate::http::pages::second_factor::SecondFactorPage;
use crate::http::pages::security;
use crate::http::pages::security::RecoveryCodesPage;
use crate::http::pages::security::SecurityPage;
use crate::http::pages::set_up::Refusal;
use crate::http::pages::set_up::SetUpPage;
use crate::http::pages::signed_out::Reason;
use crate::http::pages::signed_out::SignedOutPage;
use crate::http::pages::wait::Wait;
use crate::services::identity::DeviceKind;
use crate::services::identity::NewAuthenticator;
use crate::services::identity::OwnAuthenticators;
use crate::services::identity::OwnDevice;
use crate::services::identity::OwnSession;
use crate::services::identity::WeakPassword;
use crate::services::kept_forms::KeptForm;

/// Every page of accounts with its name.
pub(super) fn pages() -> Vec<(&'static str, String)> {
    let mut pages = account_pages();
    pages.extend(further_pages());
    pages
}

fn account_pages() -> Vec<(&'static str, String)> {
    let codes = [(); 10].map(|()| RecoveryCode::random());
    [
        ("set-up", SetUpPage::new(None, String::new(), None).render()),
        (
            "set-up-refused",
            SetUpPage::new(
                Some(Refusal::Weak(WeakPassword::TooShort(15))),
                "a@b.example".into(),
                None,
            )
            .render(),
        ),
        (
            "set-up-mismatch",
            SetUpPage::new(Some(Refusal::Mismatch), "a@b.example".into(), None).render(),
        ),
        (
            "set-up-throttled",
            SetUpPage::new(
                Some(Refusal::Throttled(Wait(270))),
                "a@b.example".into(),
                None,
            )
            .render(),
        ),
        (
            "signed-out",
            SignedOutPage::new(Reason::Ended, None).render(),
        ),
        (
            "signed-out-cleared",
            SignedOutPage::new(Reason::Cleared, None).render(),
        ),
        ("kept-form", KeptFormPage::new(kept_form()).render()),
        ("second-factor", SecondFactorPage::start(false).render()),
        (
            "second-factor-refused-passkey",
            SecondFactorPage::start(true).render(),
        ),
        ("second-factor-scan", scan(false).render()),
        ("second-factor-refused", scan(true).render()),
        (
            "second-factor-done",
            SecondFactorPage::done(DeviceKind::App, &codes).render(),
        ),
        (
            "second-factor-further",
            SecondFactorPage::done(DeviceKind::Passkey, &[]).render(),
        ),
        (
            "security",
            SecurityPage::new(&sessions(), &authenticators(), true).render(),
        ),
        ("recovery-codes", RecoveryCodesPage::new(&codes).render()),
        ("set-up-code", set_up_code().render()),
    ]
    .map(|(name, page)| (name, page.unwrap()))
    .to_vec()
}

/// Pages of refused passwords and of machine clients.
fn further_pages() -> Vec<(&'static str, String)> {
    [
        ("security-wrong", refused_password(security::Refusal::Wrong)),
        (
            "security-weak",
            refused_password(security::Refusal::Weak("Choose another one.")),
        ),
        (
            "security-throttled",
            refused_password(security::Refusal::Throttled(Wait(61))),
        ),
        ("clients", clients(None).render()),
        (
            "clients-refused",
            clients(Some("Send one to five keys.")).render(),
        ),
        ("clients-none", no_clients().render()),
    ]
    .map(|(name, page)| (name, page.unwrap()))
    .to_vec()
}

fn scan(is_refused: bool) -> SecondFactorPage {
    let new = NewAuthenticator {
        id: Uuid::nil(),
        key: TotpKey::random(),
        email: Phi::new("clinician@riverside.example".to_owned()),
    };
    SecondFactorPage::scan(&new, is_refused)
}

fn kept_form() -> KeptForm {
    KeptForm {
        path: "/people".to_owned(),
        fields: Zeroizing::new(
            b"name=Ada+Lovelace&email=ada%40example.org&role=clinician".to_vec(),
        ),
    }
}

fn authenticators() -> OwnAuthenticators {
    let device = |kind, used_at| OwnDevice {
        id: Uuid::nil(),
        kind,
        created_at: datetime!(2026-11-02 07:55 UTC),
        used_at,
    };
    let used = Some(datetime!(2026-11-30 08:12 UTC));
    OwnAuthenticators {
        devices: vec![
            device(DeviceKind::App, None),
            device(DeviceKind::Passkey, used),
        ],
        recovery_codes: 9,
    }
}

fn sessions() -> Vec<OwnSession> {
    let session = |is_token, is_current| OwnSession {
        id: Uuid::nil(),
        is_token,
        method: "password-and-code".to_owned(),
        authenticated_at: datetime!(2026-11-30 08:12 UTC),
        seen_at: datetime!(2026-11-30 09:40 UTC),
        expires_at: datetime!(2026-11-30 20:12 UTC),
        is_current,
    };
    vec![
        session(false, true),
        session(false, false),
        session(true, false),
    ]
}

fn refused_password(refusal: security::Refusal) -> askama::Result<String> {
    SecurityPage::refused(refusal).render()
}

fn clients(notice: Option<&'static str>) -> ClientsPage {
    let client = |name: &str, scopes: &[&str], active| ClientEntry {
        id: Uuid::from_u128(0x0b6f_2f5e_3a52_4c0b_9d0e_7d6a_3c1f_9b10),
        name: name.to_owned(),
        active,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        keys: vec![
            ("2026-11".to_owned(), "ES384"),
            ("eee9f17a3b598fd86417a980b591fbe6".to_owned(), "RS384"),
        ],
        keys_at: "2026-11-30".to_owned(),
    };
    ClientsPage {
        clients: vec![
            client("Data warehouse", &["system/*.rs"], true),
            client(
                "Disease registry",
                &["system/Condition.rs", "system/Patient.rs"],
                false,
            ),
        ],
        notice,
        ..no_clients()
    }
}

fn no_clients() -> ClientsPage {
    let (role, section) = (Role::SecurityAdmin, NavSection::People);
    ClientsPage {
        layout: layout("Machine clients", "Ingrid Solheim", role, section),
        clients: Vec::new(),
        notice: None,
    }
}

fn set_up_code() -> SetUpCodePage {
    let (role, section) = (Role::SecurityAdmin, NavSection::People);
    let user = layout("People", "Ingrid Solheim", role, section)
        .user
        .unwrap();
    SetUpCodePage::new(user, RecoveryCode::random().to_groups())
}
