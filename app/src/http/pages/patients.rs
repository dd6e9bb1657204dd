//! The patient list.

use access::List;
use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use fhir::ResourceType;
use roster::SortKey;
use serde::Deserialize;
use utoipa::IntoParams;

use super::html::Html;
use super::layout::Area;
use super::layout::Frame;
use super::layout::Viewer;
use super::paging::Paging;
use super::paging::page_number;
use super::paging::page_numbers;
use super::patient_table::Heading;
use super::patient_table::PatientRow;
use super::patient_table::Sorting;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::records::subject;

/// Patients on one page.
const PAGE: usize = 25;

/// What the list's address may say; nothing in it tells of a patient.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    #[param(schema_with = Sorting::keys)]
    sort: Option<String>,
    #[param(schema_with = Sorting::directions)]
    order: Option<String>,
    #[param(schema_with = page_numbers)]
    page: Option<String>,
}

/// The patient list.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/patients",
    params(Asked),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Query(asked): Query<Asked>,
) -> Result<Html<PatientsPage>, Problem> {
    let subject = subject(caller.organization(), ResourceType::Patient);
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let sorting = Sorting::read(asked.sort.as_deref(), asked.order.as_deref());
    let page = page_number(asked.page.as_deref());
    let skip = Paging::skipped(page, PAGE);
    let found = app.records.list(&permitted, sorting.0, skip, PAGE).await?;
    let viewer = Viewer::of(&app, &caller, Area::Patients).await?;
    let today = app.clock.now().date();
    Ok(Html::reserved(found.map(|found| {
        let page = PatientsPage {
            organization: viewer.organization.clone(),
            frame: Frame {
                title: "Patients",
                viewer: Some(viewer),
            },
            caption: match sorting.0.key {
                SortKey::Family => "Patients by family name",
                SortKey::BirthDate => "Patients by birth date",
            },
            headings: sorting.headings(),
            patients: found
                .patients
                .iter()
                .map(|patient| PatientRow::new(patient, today))
                .collect(),
            paging: Paging::new(page, PAGE, found.total, &sorting.href()),
            query: "",
        };
        (page, found.reserved)
    })))
}

/// The organization's patients, one page of them.
#[derive(Template)]
#[template(path = "patients.html")]
pub(crate) struct PatientsPage {
    pub(crate) frame: Frame,
    pub(crate) organization: String,
    pub(crate) caption: &'static str,
    pub(crate) headings: Vec<Heading>,
    pub(crate) patients: Vec<PatientRow>,
    pub(crate) paging: Paging,
    /// Always empty here; the search box is shared with the results.
    pub(crate) query: &'static str,
}
