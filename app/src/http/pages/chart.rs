//! The page of a patient's chart: demographics, and the timeline of clinical records.

use access::Caller;
use access::DataClass;
use access::Disclosed;
use access::Operation;
use access::Read;
use askama::Template;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use phi::PatientId;
use serde::Deserialize;
use time::Date;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use super::chart_gaps::ChartGaps;
use super::dates::DisplayDate;
use super::dates::age;
use super::dates::minute;
use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use super::paging::page_number;
use super::paging::page_numbers;
use super::patient_table::administrative_gender;
use super::patient_table::text;
use super::timeline::Timeline;
use super::timeline::TimelineRecord;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Id;
use crate::http::openapi::Page;
use crate::http::openapi::one_of;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::chart_subject;
use crate::services::records::subject;
use fhir::Demographics;
use fhir::PatientStatus;
use fhir::Resource;
use fhir::ResourceType;
use fhir::parse_id;

/// The query parameters of a chart.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChartQuery {
    #[param(schema_with = resource_types)]
    kind: Option<String>,
    #[param(schema_with = page_numbers)]
    page: Option<String>,
}

fn resource_types() -> Object {
    one_of(ResourceType::in_charts().map(ResourceType::name))
}

/// A patient's chart; for a role without clinical records, the patient's demographics.
///
/// # Errors
///
/// [`Problem::NotFound`] also for a patient of another organization; see [`Problem`].
#[utoipa::path(
    get,
    path = "/patients/{id}",
    operation_id = "pages.chart",
    params(Id, ChartQuery),
    responses((status = 303, description = "Only emergency access opens it"), (status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Query(query): Query<ChartQuery>,
) -> Result<Response, Problem> {
    let id = parse_id(&id).map_err(|_issue| Problem::NotFound)?;
    let (patient, organization) = (PatientId::from_uuid(id), caller.organization());
    // The check selects the page only; each branch obtains its own permit.
    let disclosed = if caller.may(Operation::Read, DataClass::Clinical) {
        let subject = chart_subject(organization).patient(patient);
        let permitted = match app.gate.permit(&caller, Read, subject).await {
            Err(ServiceError::OutsideCareTeam) => {
                let emergency = format!("/patients/{id}/emergency-access");
                return Ok(Redirect::to(&emergency).into_response());
            }
            permitted => permitted?,
        };
        let chart = app.records.chart(&permitted, patient).await?;
        let shown = query.kind.as_deref().and_then(shown_type);
        let page = page_number(query.page.as_deref());
        chart.map(|chart| {
            let gaps = ChartGaps::of(&chart);
            let records = chart.records.into_iter().map(TimelineRecord::new);
            let timeline = Timeline::new(&id.to_string(), records.collect(), shown, page);
            let clinical = ClinicalRecords {
                timeline: timeline.with_damaged(&chart.damaged),
                gaps,
            };
            let patient = chart.patient.as_ref().map(|patient| &patient.resource);
            (patient.map(shown_patient), Some(clinical), chart.reserved)
        })
    } else {
        let demographics = demographics(&app, &caller, patient).await?;
        demographics.map(|(patient, reserved)| (Some(patient), None, reserved))
    };
    let user = CurrentUser::of(&app, &caller, NavSection::Patients).await?;
    let today = app.clock.now().date();
    let emergency = caller.emergency_access(patient);
    let emergency_until = emergency.map(|it| minute(it.until));
    let care_team = caller
        .may(Operation::List, DataClass::CareTeams)
        .then(|| format!("/patients/{id}/care-team"));
    let page = Html::reserved(disclosed.map(|(patient, clinical, reserved)| {
        let (demographics, status) = patient.unzip();
        let page = ChartPage {
            layout: Layout {
                title: "Chart",
                user: Some(user),
            },
            patient: demographics.map(|patient| PatientHeader::new(&patient, today)),
            status: status.unwrap_or_default(),
            clinical,
            care_team,
            emergency_until,
        };
        (page, reserved)
    }));
    Ok(page.into_response())
}

/// The demographics of a patient; what the page shows to a role without clinical records.
pub(super) async fn demographics(
    app: &AppState,
    caller: &Caller,
    patient: PatientId,
) -> Result<Disclosed<((Demographics, PatientStatus), Reservation)>, Problem> {
    let (kind, id) = (ResourceType::Patient, patient.uuid());
    let subject = subject(caller.organization(), kind).id(id).patient(patient);
    let permitted = app.gate.permit(caller, Read, subject).await?;
    let stored = app.records.read(&permitted, kind, id, MAX_RESPONSE_BYTES);
    Ok(stored
        .await?
        .map(|stored| (shown_patient(&stored.resource), stored.reserved)))
}

/// The page of a chart.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct ChartPage {
    pub(crate) layout: Layout,
    /// None if the patient's own record is damaged or missing.
    pub(crate) patient: Option<PatientHeader>,
    /// Whether the patient's record is still in use.
    pub(crate) status: PatientStatus,
    /// The clinical records, for roles that may read them.
    pub(crate) clinical: Option<ClinicalRecords>,
    /// The page of the care team, for roles that may see it.
    pub(crate) care_team: Option<String>,
    /// The end of the emergency access by which alone the caller reaches the chart.
    pub(crate) emergency_until: Option<String>,
}

/// The clinical records of a chart.
pub(crate) struct ClinicalRecords {
    pub(crate) timeline: Timeline,
    /// What is missing from them.
    pub(crate) gaps: ChartGaps,
}

/// The parts of a Patient that the page shows.
fn shown_patient(patient: &Resource) -> (Demographics, PatientStatus) {
    (Demographics::of(patient), PatientStatus::of(patient))
}

/// The patient's demographics, as display text. There is no field for a complete social security number.
#[derive(Clone)]
pub(crate) struct PatientHeader {
    family: String,
    given: String,
    born: DisplayDate,
    age: String,
    died: Option<DisplayDate>,
    sex: &'static str,
    mrn: String,
    ssn_last_four: Option<String>,
    phone: String,
    email: String,
    address: String,
}

impl PatientHeader {
    /// The demographics as of `today`. The age of a deceased patient is the age at death.
    pub(crate) fn new(patient: &Demographics, today: Date) -> Self {
        let birth_date = text(patient.birth_date.as_ref());
        let died = patient.died.as_ref().map(|died| DisplayDate::new(died));
        let until = match &died {
            Some(died) => died.date(),
            None => (!patient.deceased).then_some(today),
        };
        Self {
            family: text(patient.family.as_ref()),
            given: text(patient.given.as_ref()),
            age: until
                .map(|until| age(&birth_date, until))
                .unwrap_or_default(),
            born: DisplayDate::new(&birth_date),
            died: died.or_else(|| patient.deceased.then(|| DisplayDate::new("date not known"))),
            sex: administrative_gender(patient.gender.as_ref()),
            mrn: text(patient.mrn.as_ref()),
            ssn_last_four: patient.ssn.as_ref().and_then(|ssn| last_four(ssn)),
            phone: text(patient.phone.as_ref()),
            email: text(patient.email.as_ref()),
            address: text(patient.address.as_ref()),
        }
    }
}

/// The type of a chart with this name; none for other names.
fn shown_type(name: &str) -> Option<ResourceType> {
    ResourceType::in_charts().find(|it| it.name() == name)
}

/// The last four digits of a number with nine; none for other texts, which are not shown.
fn last_four(ssn: &str) -> Option<String> {
    let digits: String = ssn.chars().filter(char::is_ascii_digit).collect();
    digits
        .get(5..9)
        .filter(|_| digits.len() == 9)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;
    use zeroize::Zeroizing;

    fn patient() -> Demographics {
        let text = |text: &str| Some(Zeroizing::new(text.to_owned()));
        Demographics {
            family: text("Cruz"),
            birth_date: text("1950-06-01"),
            ssn: text("999-26-4821"),
            ..Demographics::default()
        }
    }

    #[test]
    fn of_a_social_security_number_only_the_last_four_digits_are_shown() {
        let header = PatientHeader::new(&patient(), date!(2026 - 11 - 23));
        let layout = Layout {
            title: "Chart",
            user: None,
        };
        let page = ChartPage {
            layout,
            patient: Some(header),
            status: PatientStatus::default(),
            clinical: None,
            care_team: None,
            emergency_until: None,
        }
        .render()
        .unwrap();
        assert!(page.contains("4821") && !page.contains("26-4821") && !page.contains("99926"));
        assert_eq!(last_four("123456"), None);
    }

    #[test]
    fn only_types_of_a_chart_can_be_selected() {
        assert_eq!(shown_type("CarePlan"), Some(ResourceType::CarePlan));
        assert_eq!(shown_type("Practitioner"), None);
        assert_eq!(shown_type("encounter"), None);
    }

    #[test]
    fn the_age_of_a_deceased_patient_is_the_age_at_death() {
        let mut patient = patient();
        patient.died = Some(Zeroizing::new("2019-02-03T10:00:00Z".to_owned()));
        let header = PatientHeader::new(&patient, date!(2026 - 11 - 23));
        assert_eq!(header.age, "68 y");
        assert_eq!(header.died.unwrap().text, "3 Feb 2019");
    }
}
