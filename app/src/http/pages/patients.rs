//! The page of the patient list.

use access::List;
use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use fhir::ResourceType;
use phi::PatientId;
use roster::SortKey;
use serde::Deserialize;
use utoipa::IntoParams;

use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use super::paging::Paging;
use super::paging::page_number;
use super::paging::page_numbers;
use super::patient_table::Heading;
use super::patient_table::PatientRow;
use super::patient_table::Sorting;
use super::search::SearchBox;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::records::subject;

/// Rows on a page.
const PAGE_SIZE: usize = 25;

/// The query parameters of the list, none of which is PHI.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PatientListQuery {
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
    operation_id = "pages.patients",
    params(PatientListQuery),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Query(query): Query<PatientListQuery>,
) -> Result<Html<PatientsPage>, Problem> {
    let subject = subject(caller.organization(), ResourceType::Patient);
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let sorting = Sorting::parse(query.sort.as_deref(), query.order.as_deref());
    let page = page_number(query.page.as_deref());
    let skip = Paging::skipped(page, PAGE_SIZE);
    let found = app
        .records
        .list(&permitted, sorting.0, skip, PAGE_SIZE)
        .await?;
    let user = CurrentUser::of(&app, &caller, NavSection::Patients).await?;
    let today = app.clock.now().date();
    Ok(Html::reserved(found.map(|found| {
        let page = PatientsPage {
            organization: user.organization.clone(),
            layout: Layout {
                title: "Patients",
                user: Some(user),
            },
            caption: match sorting.0.key {
                SortKey::Family => "Patients by family name",
                SortKey::Given => "Patients by given name",
                SortKey::BirthDate => "Patients by birth date",
                SortKey::Updated => "Patients by last change",
                SortKey::Id => "Patients by id",
            },
            headings: sorting.headings(),
            patients: found
                .patients
                .iter()
                .map(|patient| PatientRow::new(patient, today))
                .collect(),
            damaged: found.damaged,
            paging: Paging::new(page, PAGE_SIZE, found.total, &sorting.href()),
            search_box: SearchBox::default(),
        };
        (page, found.reserved)
    })))
}

/// A page of the organization's patients.
#[derive(Template)]
#[template(path = "patients.html")]
pub(crate) struct PatientsPage {
    pub(crate) layout: Layout,
    pub(crate) organization: String,
    pub(crate) caption: &'static str,
    pub(crate) headings: Vec<Heading>,
    pub(crate) patients: Vec<PatientRow>,
    /// The patients whose data could not be opened.
    pub(crate) damaged: Vec<PatientId>,
    pub(crate) paging: Paging,
    pub(crate) search_box: SearchBox,
}
