//! Every page with fictitious data.

use std::collections::HashMap;

use access::Role;
use askama::Template as _;
use audit::Action;
use audit::Event;
use audit::Outcome;
use audit::PurposeOfUse;
use audit::RecordReference;
use fhir::Demographics;
use fhir::PatientStatus;
use fhir::ResourceType;
use phi::PatientId;
use telemetry::RequestId;
use time::Date;
use time::Duration;
use time::macros::date;
use time::macros::datetime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::http::administration::InvalidInvitation;
use crate::http::pages::audit::AuditPage;
use crate::http::pages::audit::EventRow;
use crate::http::pages::chart::ChartPage;
use crate::http::pages::chart::ClinicalRecords;
use crate::http::pages::chart::PatientHeader;
use crate::http::pages::chart_gaps::ChartGaps;
use crate::http::pages::developers::DevelopersPage;
use crate::http::pages::layout::CurrentUser;
use crate::http::pages::layout::Layout;
use crate::http::pages::layout::Link;
use crate::http::pages::layout::NavSection;
use crate::http::pages::layout::role_label;
use crate::http::pages::numbers::Count;
use crate::http::pages::paging::Paging;
use crate::http::pages::patient_table::PatientRow;
use crate::http::pages::patient_table::Sorting;
use crate::http::pages::patient_table::plain_headings;
use crate::http::pages::patients::PatientsPage;
use crate::http::pages::people::InvitationForm;
use crate::http::pages::people::PeoplePage;
use crate::http::pages::people::PersonRow;
use crate::http::pages::problem;
use crate::http::pages::search::SearchBox;
use crate::http::pages::search::SearchPage;
use crate::http::pages::sign_in::Notice;
use crate::http::pages::sign_in::SignInPage;
use crate::http::pages::timeline::RecordLine;
use crate::http::pages::timeline::Timeline;
use crate::http::pages::timeline::TimelineRecord;
use crate::http::pages::wait::Wait;
use crate::http::problem::Problem;
use crate::services::records::DamagedRecord;
use crate::services::records::PatientSummary;

const CLINIC: &str = "Riverside Clinic";
const TODAY: Date = date!(2026 - 11 - 23);
const MRN: &str = "2c9e41aa-73d6-4b0f-9a38-e05d7f1b6c24";
pub(super) const CHART: &str = "7d0f3c2e-5b1a-4f7e-9c55-1f0e8a6b2d94";

/// The sections of a role.
fn sections(role: Role) -> Vec<NavSection> {
    NavSection::permitted(|operation, class| access::authorize(role, operation, class).is_some())
}

pub(super) fn layout(title: &'static str, person: &str, role: Role, current: NavSection) -> Layout {
    let user = CurrentUser {
        organization: CLINIC.to_owned(),
        person: person.to_owned(),
        role: role_label(role.name()),
        links: Link::all(sections(role), current),
    };
    Layout {
        title,
        user: Some(user),
    }
}

fn at_the_clinic(title: &'static str) -> Layout {
    layout(
        title,
        "Dr. Amara Okafor",
        Role::Clinician,
        NavSection::Patients,
    )
}

fn demographics(family: &str, given: &str, born: &str, gender: &str, mrn: &str) -> Demographics {
    let text = |text: &str| Some(Zeroizing::new(text.to_owned()));
    Demographics {
        family: text(family),
        given: text(given),
        birth_date: text(born),
        gender: text(gender),
        mrn: text(mrn),
        ssn: text("999-26-4821"),
        phone: text("555-830-1947"),
        email: text("maria-elena.cruz-villanueva@example.com"),
        address: text("418 Alder Row, Apt 7, Quincy, MA 02169"),
        ..Demographics::default()
    }
}

fn rows() -> Vec<PatientRow> {
    [
        (
            "Abernathy",
            "Lucille Mae",
            "1931-07-02",
            "female",
            "RC-0000481",
        ),
        (
            "Bergström-Hallqvist",
            "Jón",
            "1988-12-30",
            "male",
            "RC-0002210",
        ),
        ("Cruz", "Maria Elena", "1962-03-14", "female", MRN),
        ("Nakamura", "Ren", "2026-09-28", "male", "RC-0003391"),
        ("O’Connell", "Siobhán", "1999-01-08", "female", "RC-0001877"),
        (
            "Wolff",
            "Theodor Maximilian Ferdinand",
            "1950",
            "other",
            "RC-0000903",
        ),
    ]
    .map(|(family, given, born, gender, mrn)| {
        let patient = demographics(family, given, born, gender, mrn);
        let id = PatientId::from_uuid(CHART.parse().unwrap());
        PatientRow::new(
            &PatientSummary {
                id,
                demographics: patient,
            },
            TODAY,
        )
    })
    .to_vec()
}

fn patients(patients: Vec<PatientRow>, total: usize) -> PatientsPage {
    let sorting = Sorting::parse(None, None);
    PatientsPage {
        layout: at_the_clinic("Patients"),
        organization: CLINIC.to_owned(),
        caption: "Patients by family name",
        headings: sorting.headings(),
        patients,
        damaged: Vec::new(),
        paging: Paging::new(1, 6, total, &sorting.href()),
        search_box: SearchBox::default(),
    }
}

fn search(patients: Vec<PatientRow>, matches: usize, query: &str) -> SearchPage {
    SearchPage {
        layout: at_the_clinic("Search"),
        caption: "Patients that match",
        headings: plain_headings(),
        cut_at: (matches > patients.len()).then_some(patients.len()),
        patients,
        damaged: Vec::new(),
        matches,
        interpretation: "Searched by name.".to_owned(),
        search_box: SearchBox {
            text: query.to_owned(),
            refusal: None,
        },
    }
}

fn refused_search() -> SearchPage {
    SearchPage {
        interpretation: String::new(),
        search_box: SearchBox {
            text: "1962-13-14".to_owned(),
            refusal: Some("This is no date: enter year, month and day."),
        },
        ..search(Vec::new(), 0, "")
    }
}

fn header() -> PatientHeader {
    PatientHeader::new(
        &demographics("Cruz", "Maria Elena", "1962-03-14", "female", MRN),
        TODAY,
    )
}

fn record(
    resource_type: ResourceType,
    date: Option<&str>,
    title: &str,
    detail: &str,
) -> TimelineRecord {
    let line = RecordLine {
        title: title.to_owned(),
        detail: detail.to_owned(),
    };
    TimelineRecord {
        resource_type,
        date: date.map(str::to_owned),
        when: None,
        line,
    }
}

fn records() -> Vec<TimelineRecord> {
    use ResourceType::AllergyIntolerance;
    use ResourceType::CarePlan;
    use ResourceType::Condition;
    use ResourceType::DiagnosticReport;
    use ResourceType::Encounter;
    use ResourceType::Immunization;
    use ResourceType::MedicationRequest;
    use ResourceType::Observation;
    use ResourceType::Procedure;

    let visit = Some("2026-10-02T09:30:00-04:00");
    vec![
        record(
            Encounter,
            visit,
            "General examination of patient",
            "Ambulatory, finished",
        ),
        record(
            Condition,
            visit,
            "Essential hypertension",
            "Active, since 2 Oct 2026",
        ),
        record(Observation, visit, "Blood pressure", "142/91 mmHg"),
        record(Observation, visit, "Body height", "163.4 cm"),
        record(Observation, visit, "Body weight", "71.2 kg"),
        record(
            Observation,
            visit,
            "Hemoglobin A1c/Hemoglobin.total in Blood",
            "5.9 %",
        ),
        record(
            MedicationRequest,
            visit,
            "Lisinopril 10 MG oral tablet",
            "Active, daily",
        ),
        record(DiagnosticReport, visit, "Lipid panel", "Final, 4 results"),
        record(
            Immunization,
            Some("2026-03-11"),
            "Influenza, seasonal",
            "Completed",
        ),
        record(Procedure, Some("2024-06-20"), "Colonoscopy", "Completed"),
        record(
            CarePlan,
            Some("2023-05-07"),
            "Diabetes self management plan",
            "Active",
        ),
        record(
            AllergyIntolerance,
            None,
            "Allergy to penicillin",
            "High, drug",
        ),
    ]
}

fn timeline(shown: Option<ResourceType>) -> Timeline {
    Timeline::new(CHART, records(), shown, 1)
}

/// The page of a chart, with or without clinical records.
pub(super) fn chart(timeline: Option<Timeline>) -> ChartPage {
    ChartPage {
        layout: at_the_clinic("Chart"),
        patient: Some(header()),
        status: PatientStatus::default(),
        clinical: timeline.map(|timeline| ClinicalRecords {
            timeline,
            gaps: ChartGaps::default(),
        }),
        care_team: Some(format!("/patients/{CHART}/care-team")),
        emergency_until: None,
    }
}

/// The page of a chart with damaged and hidden records.
fn damaged_chart(header: Option<PatientHeader>) -> ChartPage {
    let damaged = [
        (Some(ResourceType::Observation), 0x0B5E),
        (Some(ResourceType::Condition), 0xC0ED),
        (None, 0xFFFF),
    ]
    .map(|(resource_type, id)| DamagedRecord {
        resource_type,
        id: Uuid::from_u128(id),
    });
    let records = if header.is_some() {
        records()
    } else {
        Vec::new()
    };
    ChartPage {
        care_team: None,
        emergency_until: None,
        layout: at_the_clinic("Chart"),
        clinical: Some(ClinicalRecords {
            timeline: Timeline::new(CHART, records, None, 1).with_damaged(&damaged),
            gaps: ChartGaps {
                is_patient_missing: header.is_none(),
                damaged: Count(damaged.len()),
                differences: vec!["Observation: 2 of 7 missing; others may be outdated.".into()],
            },
        }),
        patient: header,
        status: PatientStatus::default(),
    }
}

/// The page of a patient that is replaced by another.
fn replaced_chart() -> ChartPage {
    ChartPage {
        status: PatientStatus {
            is_inactive: true,
            replaced_by: vec![Uuid::from_u128(7)],
        },
        ..chart(Some(timeline(None)))
    }
}

/// A list with a patient who cannot be shown.
fn damaged_patients(rows: Vec<PatientRow>) -> PatientsPage {
    PatientsPage {
        damaged: vec![PatientId::from_uuid(Uuid::from_u128(7))],
        ..patients(rows, 1204)
    }
}

fn refused_invitation() -> PeoplePage {
    let sent = InvitationForm {
        name: "Ada Lovelace".to_owned(),
        email: "ada.example.org".to_owned(),
        role: "privacy_officer".to_owned(),
    };
    people(true, sent, Some(InvalidInvitation::Email))
}

fn people(
    may_change: bool,
    invitation: InvitationForm,
    refusal: Option<InvalidInvitation>,
) -> PeoplePage {
    let people = [
        (
            "Amara Okafor",
            "clinician@riverside.example",
            Role::Clinician,
        ),
        ("Ben Castellanos", "desk@riverside.example", Role::FrontDesk),
        (
            "Ingrid Solheim",
            "security@riverside.example",
            Role::SecurityAdmin,
        ),
        (
            "Priya Raman",
            "privacy@riverside.example",
            Role::PrivacyOfficer,
        ),
    ]
    .map(|(name, email, role)| PersonRow {
        name: name.to_owned(),
        email: email.to_owned(),
        role: role.name().to_owned(),
        id: Uuid::nil(),
        active: role != Role::FrontDesk,
        is_own: role == Role::SecurityAdmin,
    });
    PeoplePage {
        layout: layout(
            "People",
            "Ingrid Solheim",
            Role::SecurityAdmin,
            NavSection::People,
        ),
        organization: CLINIC.to_owned(),
        people: people.to_vec(),
        is_limited: false,
        may_change,
        invitation,
        refusal,
    }
}

fn audit() -> AuditPage {
    let name = phi::Phi::new("Amara Okafor".to_owned());
    let event = |second, action, outcome, records| {
        let record = RecordReference {
            kind: "Patient".to_owned(),
            id: CHART.parse().ok(),
            version: Some(1),
            patient: None,
        };
        let event = Event {
            at: datetime!(2026-11-23 15:04:00 UTC) + Duration::seconds(second),
            request: Uuid::nil(),
            person: Some(Uuid::nil()),
            role: Some("clinician".to_owned()),
            organization: Uuid::nil(),
            session: None,
            assurance: None,
            suppressed: None,
            source: Some("a81f03c95e2d7b64".to_owned()),
            action,
            outcome,
            purpose: PurposeOfUse::Treatment,
            records: vec![record; records],
        };
        EventRow::new(&event, &HashMap::from([(Uuid::nil(), name.clone())]))
    };
    AuditPage {
        layout: layout(
            "Audit",
            "Priya Raman",
            Role::PrivacyOfficer,
            NavSection::Audit,
        ),
        organization: CLINIC.to_owned(),
        events: vec![
            event(49, Action::Read, Outcome::Success, 1),
            event(31, Action::Search, Outcome::Success, 12),
            event(25, Action::Read, Outcome::Partial, 1),
            event(24, Action::Read, Outcome::Failed, 2),
            event(20, Action::Read, Outcome::Refused, 0),
            event(11, Action::Read, Outcome::NotFound, 1),
            event(2, Action::SignIn, Outcome::Success, 0),
        ],
        is_cut: false,
    }
}

/// Every page but those of accounts, with its name.
pub(super) fn pages() -> Vec<(&'static str, String)> {
    let problem = |of| problem(of, RequestId::random()).into_parts().1.render();
    let sign_in = |notice| SignInPage::new(Some(notice), "a@b.example".into(), None).render();
    [
        ("developers", DevelopersPage::of_document().render()),
        (
            "sign-in",
            SignInPage::new(None, String::new(), None).render(),
        ),
        ("sign-in-refused", sign_in(Notice::Refused)),
        ("sign-in-expired", sign_in(Notice::Expired)),
        ("sign-in-kept", sign_in(Notice::Kept)),
        ("sign-in-throttled", sign_in(Notice::Throttled(Wait(270)))),
        ("patients", patients(rows(), 1204).render()),
        ("patients-none", patients(Vec::new(), 0).render()),
        ("search", search(rows(), 41, "mar").render()),
        ("search-none", search(Vec::new(), 0, "zz").render()),
        ("search-refused", refused_search().render()),
        ("chart", chart(Some(timeline(None))).render()),
        (
            "chart-kind",
            chart(Some(timeline(Some(ResourceType::Observation)))).render(),
        ),
        ("chart-front-desk", chart(None).render()),
        ("chart-damaged", damaged_chart(Some(header())).render()),
        ("chart-all-damaged", damaged_chart(None).render()),
        ("chart-replaced", replaced_chart().render()),
        ("patients-damaged", damaged_patients(rows()).render()),
        (
            "patients-all-damaged",
            damaged_patients(Vec::new()).render(),
        ),
        (
            "people",
            people(true, InvitationForm::default(), None).render(),
        ),
        (
            "people-step-up",
            people(false, InvitationForm::default(), None).render(),
        ),
        ("people-refused", refused_invitation().render()),
        ("audit", audit().render()),
        ("problem-403", problem(Problem::Forbidden)),
        ("problem-404", problem(Problem::NotFound)),
        ("problem-429", problem(Problem::TooManyAttempts(270))),
        ("problem-500", problem(Problem::Internal)),
        ("problem-503", problem(Problem::Unavailable(5))),
    ]
    .map(|(name, page)| (name, page.unwrap()))
    .to_vec()
}
