//! The patients that match a search.

mod query;

use access::Disclosed;
use access::NotPhi;
use access::Search;
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use fhir::ResourceType;
use serde::Deserialize;
use utoipa::ToSchema;

use super::html::Html;
use super::layout::Area;
use super::layout::Frame;
use super::layout::Viewer;
use super::numbers::Count;
use super::patient_table::Heading;
use super::patient_table::PatientRow;
use super::patient_table::plain_headings;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::budget::CallerId;
use crate::services::records::PatientPage;
use crate::services::records::subject;
use query::Read;
use query::read;

/// What a search found. The query came in a body and goes back only into the box.
#[derive(Template)]
#[template(path = "search.html")]
pub(crate) struct SearchPage {
    pub(crate) frame: Frame,
    pub(crate) caption: &'static str,
    pub(crate) headings: Vec<Heading>,
    pub(crate) patients: Vec<PatientRow>,
    /// How many match, shown or not.
    pub(crate) matches: usize,
    /// The number of rows shown, where more match.
    pub(crate) cut_at: Option<usize>,
    /// What the query was taken for, in words.
    pub(crate) understood: String,
    /// What was asked, for the box.
    pub(crate) query: String,
}

impl SearchPage {
    fn outcome(&self) -> String {
        match self.matches {
            0 => "No patient matches".to_owned(),
            1 => "1 patient matches".to_owned(),
            many => format!("{} patients match", Count(many)),
        }
    }
}

/// What the search box sends, in a body: it tells who a patient is.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Typed {
    #[schema(max_length = 200)]
    q: String,
}

/// The patients that match what was typed.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    post,
    path = "/patients/search",
    request_body(content = inline(Typed), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Nothing was typed"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(Typed { q }): Form<Typed>,
) -> Result<Response, Problem> {
    let subject = subject(caller.organization(), ResourceType::Patient);
    let permitted = app.gate.permit(&caller, Search, subject).await?;
    let (found, understood) = match read(&q) {
        Read::Nothing => return Ok(Redirect::to("/patients").into_response()),
        Read::Query { query, understood } => {
            (app.records.search(&permitted, &query).await?, understood)
        }
        Read::Unreadable(why) => {
            let none = PatientPage {
                patients: Vec::new(),
                total: 0,
                reserved: app.memory.reserve(CallerId::of(&caller), 0)?,
            };
            let none = Disclosed::from(NotPhi::assert(none, "nothing was found"));
            (none, why.to_owned())
        }
    };
    let today = app.clock.now().date();
    let viewer = Viewer::of(&app, &caller, Area::Patients).await?;
    let page = found.map(|found| {
        let page = SearchPage {
            frame: Frame {
                title: "Search",
                viewer: Some(viewer),
            },
            caption: "Patients that match",
            headings: plain_headings(),
            patients: found
                .patients
                .iter()
                .map(|patient| PatientRow::new(patient, today))
                .collect(),
            matches: found.total,
            cut_at: (found.total > found.patients.len()).then_some(found.patients.len()),
            understood,
            query: q,
        };
        (page, found.reserved)
    });
    Ok(Html::reserved(page).into_response())
}
