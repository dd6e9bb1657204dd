//! The patients that match a search.

mod query;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::html::Html;
use super::layout::{Area, Frame, Viewer};
use super::numbers::Count;
use super::patient_table::{Heading, PatientRow, plain_headings};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::access::ListPatients;
use crate::services::caller::Caller;
use crate::services::records::PatientPage;
use query::{Read, read};

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
#[derive(Deserialize)]
pub(crate) struct Typed {
    q: String,
}

/// `POST /patients/search`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: Caller,
    Form(Typed { q }): Form<Typed>,
) -> Result<Response, Problem> {
    let permitted = app.gate.permit(&caller, ListPatients).await?;
    let (found, understood) = match read(&q) {
        Read::Nothing => return Ok(Redirect::to("/patients").into_response()),
        Read::Query { query, understood } => {
            let found = app.records.search(&caller, &permitted, &query).await?;
            (found.into_inner(), understood)
        }
        Read::Unreadable(why) => (
            PatientPage {
                patients: Vec::new(),
                total: 0,
            },
            why.to_owned(),
        ),
    };
    let today = app.clock.now().date();
    let shown = found.patients.len();
    let page = SearchPage {
        frame: Frame {
            title: "Search",
            viewer: Some(Viewer::of(&app, &caller, Area::Patients).await?),
        },
        caption: "Patients that match",
        headings: plain_headings(),
        patients: found
            .patients
            .iter()
            .map(|patient| PatientRow::new(patient, today))
            .collect(),
        matches: found.total,
        cut_at: (found.total > shown).then_some(shown),
        understood,
        query: q,
    };
    Ok(Html::ok(page).into_response())
}
