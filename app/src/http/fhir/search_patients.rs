//! `POST /fhir/Patient/_search`: the search interaction.

use access::Search;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use utoipa::IntoParams;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::schema::Type;

use super::FhirError;
use super::json_response;
use super::request;
use super::request::FormatQuery;
use super::request::TypePath;
use crate::http::authentication::CurrentCaller;
use crate::http::body::RequestBody;
use crate::http::body::ResponseBody;
use crate::http::openapi::FhirResource;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use crate::limits::MAX_FORM_BYTES;
use crate::services::budget::CallerId;
use crate::services::records::subject;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::ResourceType;
use fhir::limits::MAX_COUNT;
use fhir::search;

/// The page size, which is not PHI and may be sent in the URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a schema: `search::parse` reads the query string")]
pub(crate) struct CountQuery {
    #[param(rename = "_count", required = false, schema_with = count)]
    count: u64,
}

fn count() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0_u64))
        .maximum(u64::try_from(MAX_COUNT).ok())
        .build()
}

/// The search form: all search parameters of a Patient.
enum SearchForm {}

impl PartialSchema for SearchForm {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String).build();
        let form = search::PARAMETERS
            .iter()
            .fold(ObjectBuilder::new(), |form, (name, _)| {
                form.property(*name, text())
            });
        let form = form.property("_count", count());
        let others = search::RESULT_PARAMETERS.into_iter();
        let others = others.filter(|name| *name != "_count");
        let form = others.fold(form, |form, name| form.property(name, text()));
        form.build().into()
    }
}

impl ToSchema for SearchForm {}

/// The patients that match a search form.
///
/// # Errors
///
/// 400 for a malformed form; see [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    post,
    path = "/fhir/Patient/_search",
    params(FormatQuery, CountQuery),
    request_body(content = inline(SearchForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn search_patients(
    State(app): State<AppState>,
    caller: CurrentCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    request::screen_query(query.as_deref())?;
    request::require_form_body(&headers)?;
    request::require_json_accepted(&headers)?;
    // Permitted before the body is read, so that a refused request uses no memory.
    let subject = subject(caller.organization(), ResourceType::Patient);
    let permitted = app.gate.permit(&caller, Search, subject).await?;
    let share = CallerId::of(&caller);
    let form = RequestBody::read(&app.memory, share, body, MAX_FORM_BYTES).await?;
    let query = search::parse(form.bytes(), query.as_deref())?;
    drop(form);
    let origin = &app.public_origin;
    let found = app
        .records
        .search_resources(&permitted, &query, None, |patient, meta| {
            search::searchset_entry(origin, patient, meta)
        });
    Ok(json_response(found.await?.map(|found| {
        let bundle = search::searchset(origin, found.total, found.entries, found.is_truncated);
        ResponseBody::reserved(bundle, found.reserved)
    })))
}

/// Refuses a search by URL; the outcome says how to search.
///
/// # Errors
///
/// Always.
#[utoipa::path(
    get,
    path = "/fhir/{type}",
    params(TypePath, FormatQuery),
    responses((status = "default", response = OutcomeResponse))
)]
pub(crate) async fn refuse_search_by_url(
    _caller: CurrentCaller,
    RawQuery(query): RawQuery,
) -> Result<Response, FhirError> {
    request::screen_query(query.as_deref())?;
    let why = "search is supported for Patient only, with POST to /fhir/Patient/_search; read other \
               resources by type and id";
    let issue = Issue::new(IssueCode::NotSupported, why);
    Err(FhirError::Refused(OperationOutcome::bad_request(issue)))
}
