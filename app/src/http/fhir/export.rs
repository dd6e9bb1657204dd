//! Bulk exports (FHIR Bulk Data Access IG 2.0): `$export` begins one, its status URL continues it and has the manifest, and
//! each of its files is downloaded by itself.

use access::Caller;
use access::Export;
use access::Permitted;
use axum::body::Body;
use axum::response::Response;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Status;
use fhir::bulk_export::ExportLevel;
use fhir::bulk_export::ExportQuery;
use fhir::bulk_export::query_of_parameters;
use fhir::parse_id;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use uuid::Uuid;

use super::FhirError;
use super::fhir_response;
use super::preference;
use super::request;
use crate::http::body::RequestBody;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::unread::discard;
use crate::limits::MAX_FORM_BYTES;
use crate::limits::MAX_PERSON_EXPORTS;
use crate::services::budget::CallerId;
use crate::services::exports::Exports;
use crate::services::exports::RequestError;
use crate::services::exports::export_subject;
use crate::services::records::random_id;
use crate::services::records::subject;

pub(crate) mod file;
pub(crate) mod group;
pub(crate) mod organization;
pub(crate) mod patients;
pub(crate) mod remove;
pub(crate) mod status;

/// The service, if this server has one.
///
/// # Errors
///
/// 501.
fn exports(app: &AppState) -> Result<&Exports, OperationOutcome> {
    app.exports.as_ref().ok_or_else(|| {
        let why = "this server is not configured for bulk exports";
        let issue = Issue::new(IssueCode::NotSupported, why);
        OperationOutcome::new(Status::NotImplemented, issue)
    })
}

/// The permit for an export that a path names.
///
/// # Errors
///
/// 404 for what is no id; 403 for a caller that may not export.
async fn permit<'c>(
    app: &AppState,
    caller: &'c Caller,
    id: &str,
) -> Result<(Permitted<'c, Export>, Uuid), FhirError> {
    let id = parse_id(id).map_err(|issue| OperationOutcome::new(Status::NotFound, issue))?;
    let subject = export_subject(caller.organization(), id);
    Ok((app.gate.permit(caller, Export, subject).await?, id))
}

/// Begins an export with the parameters of a query string.
///
/// # Errors
///
/// 400 without `Prefer: respond-async`, and for parameters that are not supported; 403 for a caller that may not export a
/// type; 404 for an unknown group; 429 for a caller with too many exports.
async fn begin(
    app: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    level: ExportLevel,
    query: &str,
) -> Result<Response, FhirError> {
    let exports = exports(app)?;
    let (organization, id) = (caller.organization(), random_id());
    let permitted = app
        .gate
        .permit(caller, Export, export_subject(organization, id));
    let permitted = permitted.await?;
    require_async(headers)?;
    request::require_json_accepted(headers)?;
    let mut query = ExportQuery::parse(level, query)?;
    if let Some(scopes) = caller.scopes() {
        query.limit_to(|it| scopes.covers(it.name()));
    }
    for resource_type in &query.types {
        let subject = subject(organization, *resource_type);
        app.gate.permit(caller, Export, subject).await.map(drop)?;
    }
    let begun = Box::pin(exports.request(&permitted, id, query)).await;
    let id = begun.map_err(refused)?.into_inner();
    let location = format!("{}/fhir/$export-status/{id}", app.public_origin);
    let text = "the export has begun: it goes on with each request for the URL in Content-Location";
    let mut response = accepted(text);
    let location = HeaderValue::try_from(location).map_err(Problem::internal)?;
    response
        .headers_mut()
        .insert(header::CONTENT_LOCATION, location);
    Ok(response)
}

/// Begins an export with the parameters of a body.
///
/// # Errors
///
/// As [`begin`]; 415 for a body that is not JSON.
async fn begin_by_body(
    app: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    level: ExportLevel,
    mut body: Body,
) -> Result<Response, FhirError> {
    if let Err(error) = screen(app, caller, headers).await {
        // The web tier must be able to send the whole body before it reads the response.
        discard(&mut body, MAX_FORM_BYTES).await;
        return Err(error);
    }
    let share = CallerId::of(caller);
    let body = RequestBody::read(&app.memory, share, body, MAX_FORM_BYTES).await?;
    let parsed = body.parse(&app.memory, |bytes| {
        query_of_parameters(bytes).map_err(FhirError::from)
    });
    let (query, _memory) = parsed?;
    begin(app, caller, headers, level, &query).await
}

/// Checks a request before its body is read.
async fn screen(app: &AppState, caller: &Caller, headers: &HeaderMap) -> Result<(), FhirError> {
    exports(app)?;
    request::require_json_body(headers)?;
    let subject = export_subject(caller.organization(), random_id());
    Ok(app.gate.permit(caller, Export, subject).await.map(drop)?)
}

fn require_async(headers: &HeaderMap) -> Result<(), OperationOutcome> {
    if preference::is_async(headers) {
        return Ok(());
    }
    let why = "an export is asynchronous: send the header Prefer: respond-async";
    let issue = Issue::new(IssueCode::Required, why);
    Err(OperationOutcome::bad_request(issue))
}

fn refused(error: RequestError) -> FhirError {
    match error {
        RequestError::Service(error) => error.into(),
        RequestError::TooMany => {
            let why = format!(
                "you have {MAX_PERSON_EXPORTS} exports: delete the status of one that you no longer need, or wait until it \
                 expires"
            );
            let issue = Issue::new(IssueCode::TooCostly, why);
            OperationOutcome::new(Status::TooManyRequests, issue).into()
        }
    }
}

/// 202 with an outcome for people.
fn accepted(text: &'static str) -> Response {
    let outcome = OperationOutcome::information(text).to_string();
    fhir_response(StatusCode::ACCEPTED, outcome)
}
