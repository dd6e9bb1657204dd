//! The pages of access to charts with fictitious data.

use std::collections::HashMap;

use access::Role;
use askama::Template as _;
use phi::PatientId;
use phi::PersonId;
use phi::Phi;
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

use super::samples::CHART;
use super::samples::chart;
use super::samples::layout;
use crate::http::pages::care_team::CareTeamPage;
use crate::http::pages::care_team::MemberLine;
use crate::http::pages::chart::ChartPage;
use crate::http::pages::emergency_access::EmergencyPage;
use crate::http::pages::layout::NavSection;
use crate::http::pages::reviews::EmergencyLine;
use crate::http::pages::reviews::ReviewsPage;
use crate::http::pages::step_up::Refusal;
use crate::http::pages::step_up::StepUpPage;
use crate::services::emergencies::Emergency;
use crate::services::emergencies::StoredReview;

const PERSON: Uuid = Uuid::from_u128(0x0A3A);

/// Every page of access to charts with its name.
pub(super) fn pages() -> Vec<(&'static str, String)> {
    [
        ("step-up", StepUpPage::new(None, None).render()),
        (
            "step-up-refused",
            StepUpPage::new(None, Some(Refusal::Code)).render(),
        ),
        (
            "step-up-refused-passkey",
            StepUpPage::new(None, Some(Refusal::Passkey)).render(),
        ),
        ("emergency-access", emergency(None).render()),
        (
            "emergency-access-refused",
            emergency(Some("State it in 1 to 500 characters of plain text.")).render(),
        ),
        ("chart-in-emergency", chart_in_emergency().render()),
        ("care-team", care_team(2, None).render()),
        (
            "care-team-empty",
            care_team(0, Some("Choose a clinician.")).render(),
        ),
        ("reviews", reviews(true).render()),
        ("reviews-none", reviews(false).render()),
    ]
    .map(|(name, page)| (name, page.unwrap()))
    .to_vec()
}

fn chart_in_emergency() -> ChartPage {
    ChartPage {
        emergency_until: Some("2026-11-30 15:04 UTC".to_owned()),
        ..chart(None)
    }
}

fn emergency(notice: Option<&'static str>) -> EmergencyPage {
    EmergencyPage {
        layout: layout(
            "Emergency access",
            "Amara Okafor",
            Role::Clinician,
            NavSection::Patients,
        ),
        patient: CHART.parse().unwrap(),
        name: "Cruz, Maria".to_owned(),
        notice,
        reason: notice.map_or_else(String::new, |_| {
            "Unconscious in the waiting room".to_owned()
        }),
        needs_code: true,
    }
}

fn care_team(members: usize, notice: Option<&'static str>) -> CareTeamPage {
    let lines = ["Amara Okafor", "Noor Haddad", "Jonas Lindqvist"].map(|name| MemberLine {
        person: PERSON,
        name: name.to_owned(),
        since: "2026-11-30 08:12 UTC".to_owned(),
    });
    let (members, others) = lines.split_at(members);
    CareTeamPage {
        layout: layout(
            "Care team",
            "Ben Castellanos",
            Role::FrontDesk,
            NavSection::Patients,
        ),
        patient: CHART.parse().unwrap(),
        is_limited: true,
        members: members.to_vec(),
        others: others.to_vec(),
        notice,
    }
}

fn reviews(has_open: bool) -> ReviewsPage {
    let names = HashMap::from([(PERSON, Phi::new("Amara Okafor".to_owned()))]);
    let began_at = datetime!(2026-11-30 14:04 UTC);
    let line = |review| {
        let emergency = Emergency {
            id: Uuid::from_u128(7),
            patient: PatientId::from_uuid(CHART.parse().unwrap()),
            person: PersonId::from_uuid(PERSON),
            reason: Phi::new("Unconscious in the waiting room, no relatives present".to_owned()),
            began_at,
            ends_at: began_at + Duration::HOUR,
            review,
        };
        EmergencyLine::new(&emergency, &names)
    };
    let review = StoredReview {
        at: began_at + Duration::DAY,
        by: None,
        appropriate: true,
        finding: Phi::new("The ambulance report names the same time.".to_owned()),
    };
    let mut layout = layout(
        "Emergency access",
        "Priya Raman",
        Role::PrivacyOfficer,
        NavSection::Reviews,
    );
    let links = layout.user.iter_mut().flat_map(|user| &mut user.links);
    for link in links.filter(|link| link.section == NavSection::Reviews) {
        link.waiting = usize::from(has_open);
    }
    ReviewsPage {
        layout,
        open: has_open.then(|| line(None)).into_iter().collect(),
        reviewed: vec![line(Some(review))],
        notice: None,
    }
}
