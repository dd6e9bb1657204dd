//! The page of the patients that match a search.

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
use phi::PatientId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
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
use crate::services::request_budget::RequestBudget;
use query::ParsedText;

/// The page of a search's results. The search text is PHI: it is received in a body, and sent back only in
/// the search box.
#[derive(Template)]
#[template(path = "search.html")]
pub(crate) struct SearchPage {
    pub(crate) layout: Layout,
    pub(crate) caption: &'static str,
    pub(crate) headings: Vec<Heading>,
    pub(crate) patients: Vec<PatientRow>,
    /// The patients whose data could not be opened.
    pub(crate) damaged: Vec<PatientId>,
    /// The number of matches, including those not shown.
    pub(crate) matches: usize,
    /// The number of rows, if there are more matches.
    pub(crate) cut_at: Option<usize>,
    /// How the text was interpreted; empty if it cannot be searched for.
    pub(crate) interpretation: String,
    pub(crate) search_box: SearchBox,
}

/// The search box.
#[derive(Debug, Default)]
pub(crate) struct SearchBox {
    /// The text that it is filled with.
    pub(crate) text: String,
    /// The reason why the text cannot be searched for, and what can.
    pub(crate) refusal: Option<&'static str>,
}

impl SearchPage {
    fn outcome(&self) -> String {
        match self.matches {
            _ if self.search_box.refusal.is_some() => "This cannot be searched for".to_owned(),
            0 => "No patient matches".to_owned(),
            1 => "1 patient matches".to_owned(),
            many => format!("{} patients match", Count(many)),
        }
    }
}

/// The form of the search box, sent in a body because the text identifies a patient.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SearchForm {
    #[schema(max_length = 200)]
    q: String,
}

/// The patients that match a text.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    post,
    path = "/patients/search",
    operation_id = "pages.search",
    request_body(content = inline(SearchForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "The text is empty"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(SearchForm { q }): Form<SearchForm>,
) -> Result<Response, Problem> {
    let subject = subject(caller.organization(), ResourceType::Patient);
    let permitted = app.gate.permit(&caller, Search, subject).await?;
    let (found, interpretation, refusal) = match query::parse(&q) {
        ParsedText::Empty => return Ok(Redirect::to("/patients").into_response()),
        ParsedText::Query {
            query,
            interpretation,
        } => (
            app.records
                .search(&permitted, &RequestBudget::new(), &query)
                .await?,
            interpretation,
            None,
        ),
        ParsedText::Unsupported(why) => {
            // Shown like the result of a search, so that the text can be corrected in place.
            let none = PatientPage {
                patients: Vec::new(),
                damaged: Vec::new(),
                total: 0,
                reserved: app.memory.reserve(CallerId::of(&caller), 0)?,
            };
            let none = Disclosed::from(NotPhi::assert(none, "an empty result"));
            (none, String::new(), Some(why))
        }
    };
    let today = app.clock.now().date();
    let user = CurrentUser::of(&app, &caller, NavSection::Patients).await?;
    let page = found.map(|found| {
        let listed = found.patients.len() + found.damaged.len();
        let page = SearchPage {
            layout: Layout {
                title: "Search",
                user: Some(user),
            },
            caption: "Patients that match",
            headings: plain_headings(),
            patients: found
                .patients
                .iter()
                .map(|patient| PatientRow::new(patient, today))
                .collect(),
            matches: found.total,
            cut_at: (found.total > listed).then_some(listed),
            damaged: found.damaged,
            interpretation,
            search_box: SearchBox { text: q, refusal },
        };
        (page, found.reserved)
    });
    Ok(Html::reserved(page).into_response())
}
