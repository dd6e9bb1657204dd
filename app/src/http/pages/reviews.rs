//! The page of emergency accesses and their reviews, for privacy officers.

use std::collections::HashMap;

use access::List;
use access::Write;
use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use http::StatusCode;
use phi::Phi;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::dates::minute;
use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use crate::http::authentication::CurrentCaller;
use crate::http::chart_access::emergency_problem;
use crate::http::chart_access::permit_colleagues;
use crate::http::chart_access::permit_reviews;
use crate::http::chart_access::statement;
use crate::http::openapi::Id;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::emergencies::Emergency;
use crate::services::emergencies::Review;

/// The form of a review.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ReviewForm {
    appropriate: bool,
    finding: String,
}

/// A review that was refused, as it was sent.
struct Refused {
    emergency: Uuid,
    why: &'static str,
    form: ReviewForm,
}

/// The emergency accesses, those whose review is open first.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/reviews",
    operation_id = "pages.reviews",
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Html<ReviewsPage>, Problem> {
    page(&app, &caller, None).await
}

/// Signs off a review.
///
/// # Errors
///
/// 404 for an emergency access of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/reviews/{id}",
    operation_id = "pages.review",
    params(Id),
    request_body(content = inline(ReviewForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Signed off"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Form(form): Form<ReviewForm>,
) -> Result<Response, Problem> {
    let id: Uuid = id.parse().map_err(|_malformed| Problem::NotFound)?;
    let permitted = permit_reviews(&app, &caller, Write).await?;
    let reviewed = match statement(&form.finding) {
        Ok(finding) => {
            let review = Review {
                appropriate: form.appropriate,
                finding: finding.to_owned(),
            };
            let reviewed = app.emergencies.review(&permitted, id, &review).await;
            reviewed.map_err(emergency_problem)
        }
        Err(problem) => Err(problem),
    };
    match reviewed {
        Ok(reviewed) => {
            let redirect = reviewed.map(|()| Redirect::to("/reviews"));
            Ok(redirect.into_inner().into_response())
        }
        Err(Problem::BadRequest(why)) => {
            let refused = Refused {
                emergency: id,
                why,
                form,
            };
            let page = page(&app, &caller, Some(refused)).await?;
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
        Err(problem) => Err(problem),
    }
}

async fn page(
    app: &AppState,
    caller: &CurrentCaller,
    refused: Option<Refused>,
) -> Result<Html<ReviewsPage>, Problem> {
    let permitted = permit_reviews(app, caller, List).await?;
    let of_colleagues = permit_colleagues(app, caller).await?;
    let emergencies = app.emergencies.list(&permitted).await?;
    let names = app.identity.names(&of_colleagues).await?;
    let user = CurrentUser::of(app, caller, NavSection::Reviews).await?;
    Ok(Html::disclosed(emergencies.zip(names).map(
        |(emergencies, names)| {
            let lines = emergencies.iter().map(|it| EmergencyLine::new(it, &names));
            let lines = lines.map(|line| line.with_typed(refused.as_ref()));
            let (reviewed, open) = lines.partition(|line| line.is_reviewed);
            ReviewsPage {
                layout: Layout {
                    title: "Emergency access",
                    user: Some(user),
                },
                open,
                reviewed,
                notice: refused.as_ref().map(|it| it.why),
            }
        },
    )))
}

/// The page of the reviews.
#[derive(Template)]
#[template(path = "reviews.html")]
pub(crate) struct ReviewsPage {
    pub(crate) layout: Layout,
    pub(crate) open: Vec<EmergencyLine>,
    pub(crate) reviewed: Vec<EmergencyLine>,
    /// The reason why a review was refused.
    pub(crate) notice: Option<&'static str>,
}

/// An emergency access, as text.
#[derive(Debug, Clone)]
pub(crate) struct EmergencyLine {
    id: Uuid,
    person: String,
    patient: Uuid,
    reason: String,
    began: String,
    ended: String,
    is_reviewed: bool,
    /// The result of the review, or that of a refused form.
    typed_appropriate: Option<bool>,
    finding: String,
}

impl EmergencyLine {
    /// The line with the person's name.
    pub(crate) fn new(emergency: &Emergency, names: &HashMap<Uuid, Phi<String>>) -> Self {
        let name = names.get(&emergency.person.uuid());
        let review = emergency.review.as_ref();
        Self {
            id: emergency.id,
            person: name.map_or_else(|| "Unknown person".to_owned(), |name| name.expose().clone()),
            patient: emergency.patient.uuid(),
            reason: emergency.reason.expose().clone(),
            began: minute(emergency.began_at),
            ended: minute(emergency.ends_at),
            is_reviewed: review.is_some(),
            typed_appropriate: review.map(|it| it.appropriate),
            finding: review.map_or_else(String::new, |it| it.finding.expose().clone()),
        }
    }

    /// The line with what was sent in a refused form.
    fn with_typed(self, refused: Option<&Refused>) -> Self {
        let refused = refused.filter(|it| it.emergency == self.id && !self.is_reviewed);
        match refused {
            Some(refused) => Self {
                typed_appropriate: Some(refused.form.appropriate),
                finding: refused.form.finding.clone(),
                ..self
            },
            None => self,
        }
    }
}
