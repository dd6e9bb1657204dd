//! The page on which a clinician opens a chart outside its care team.

use access::AssuranceLevel;
use access::Caller;
use access::CredentialKind;
use access::DataClass;
use access::Operation;
use access::authorize;
use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use phi::PatientId;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::chart::demographics;
use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use super::patient_table::text;
use super::sign_in::session_cookie_of;
use crate::http::authentication::CurrentCaller;
use crate::http::chart_access::emergency_problem;
use crate::http::chart_access::patient_id;
use crate::http::chart_access::permit_emergency;
use crate::http::chart_access::statement;
use crate::http::openapi::Id;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::callers::SessionUse;
use crate::services::sign_in::SignInError;

/// The form of an emergency access.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EmergencyForm {
    reason: String,
    /// A code of an authenticator app, or a recovery code, unless one was shown within the last ten minutes.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
}

/// The form, for a clinician that does not reach the chart.
///
/// # Errors
///
/// 404 for a patient of another organization; see [`Problem`].
#[utoipa::path(
    get,
    path = "/patients/{id}/emergency-access",
    operation_id = "pages.emergency_access",
    params(Id),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Html<EmergencyPage>, Problem> {
    let patient = patient_id(&id)?;
    ensure_role(&app, &caller, patient).await?;
    page(&app, &caller, patient, None, String::new()).await
}

/// Opens the chart for an hour.
///
/// # Errors
///
/// 404 for a patient of another organization, 429 after too many codes; see [`Problem`].
#[utoipa::path(
    post,
    path = "/patients/{id}/emergency-access",
    operation_id = "pages.begin_emergency_access",
    params(Id),
    request_body(content = inline(EmergencyForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "The chart is open"), (status = "default", response = Page))
)]
pub(crate) async fn begin(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Form(form): Form<EmergencyForm>,
) -> Result<Response, Problem> {
    let patient = patient_id(&id)?;
    ensure_role(&app, &caller, patient).await?;
    let chart = format!("/patients/{}", patient.uuid());
    let refused = async |why| {
        let page = page(&app, &caller, patient, Some(why), form.reason.clone()).await?;
        Ok((StatusCode::BAD_REQUEST, page).into_response())
    };
    let reason = match statement(&form.reason) {
        Ok(reason) => reason,
        Err(Problem::BadRequest(why)) => return refused(why).await,
        Err(problem) => return Err(problem),
    };
    let code = form
        .code
        .as_ref()
        .filter(|it| !it.expose_secret().is_empty());
    let (recent, cookie) = match code {
        Some(code) => match step_up(&app, &caller, code).await? {
            Some((recent, cookie)) => (Some(recent), Some(cookie)),
            None => return refused("The code is not one of your app’s, or was used before.").await,
        },
        None => (None, None),
    };
    let caller: &Caller = recent.as_ref().unwrap_or(&caller);
    let permitted = permit_emergency(&app, caller, patient).await?;
    let begun = app.emergencies.begin(&permitted, patient, reason).await;
    let mut response = match begun.map_err(emergency_problem) {
        Ok(begun) => begun
            .map(|_ends_at| Redirect::to(&chart))
            .into_inner()
            .into_response(),
        Err(Problem::BadRequest(why)) => refused(why).await?,
        Err(problem) => return Err(problem),
    };
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Refuses a role that has no emergency access. Whether a second factor is recent is decided when one begins.
async fn ensure_role(app: &AppState, caller: &Caller, patient: PatientId) -> Result<(), Problem> {
    let class = DataClass::EmergencyAccess;
    if authorize(caller.role(), Operation::Write, class).is_none() {
        // Records the refusal.
        let _permitted = permit_emergency(app, caller, patient).await?;
    }
    Ok(())
}

/// The caller of a new session with a recent second factor, and its cookie; none for a wrong code.
async fn step_up(
    app: &AppState,
    caller: &Caller,
    code: &SecretString,
) -> Result<Option<(Caller, HeaderValue)>, Problem> {
    let session = match app.sign_in.step_up(caller, code).await {
        Ok(session) => session,
        Err(SignInError::InvalidCredentials) => return Ok(None),
        Err(SignInError::Service(error)) => return Err(error.into()),
    };
    let cookie = session_cookie_of(&session)?;
    let (kind, origin) = (CredentialKind::Session, caller.origin());
    let recent = app
        .callers
        .authenticate(&session.token, kind, origin, SessionUse::Counted);
    let recent = recent.await?.ok_or(Problem::SignInRequired)?.caller;
    Ok(Some((recent, cookie)))
}

async fn page(
    app: &AppState,
    caller: &CurrentCaller,
    patient: PatientId,
    notice: Option<&'static str>,
    reason: String,
) -> Result<Html<EmergencyPage>, Problem> {
    let demographics = demographics(app, caller, patient).await?;
    let name = demographics.map(|((patient, _status), _reserved)| {
        let (family, given) = (text(patient.family.as_ref()), text(patient.given.as_ref()));
        [family, given]
            .join(", ")
            .trim_matches([',', ' '])
            .to_owned()
    });
    let user = CurrentUser::of(app, caller, NavSection::Patients).await?;
    let needs_code = caller.assurance_level() < AssuranceLevel::RecentMultiFactor;
    Ok(Html::disclosed(name.map(|name| EmergencyPage {
        layout: Layout {
            title: "Emergency access",
            user: Some(user),
        },
        patient: patient.uuid(),
        name,
        notice,
        reason,
        needs_code,
    })))
}

/// The page with the form.
#[derive(Template)]
#[template(path = "emergency_access.html")]
pub(crate) struct EmergencyPage {
    pub(crate) layout: Layout,
    pub(crate) patient: Uuid,
    /// The patient's name.
    pub(crate) name: String,
    /// The reason why the chart was not opened.
    pub(crate) notice: Option<&'static str>,
    /// The reason that was sent before.
    pub(crate) reason: String,
    /// Whether a code is required.
    pub(crate) needs_code: bool,
}
