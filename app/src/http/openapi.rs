//! The `OpenAPI` document without its operations: info, security schemes and shared components.
//! Handlers describe their operations; [`crate::http::router`] assembles the document.

mod closed;
mod components;
mod examples;
mod shared;

use utoipa::Modify;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::ApiKey;
use utoipa::openapi::security::ApiKeyValue;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityScheme;

use crate::http::authentication::SESSION_COOKIE;

pub(crate) use closed::Tag;
pub(crate) use closed::close;
pub(crate) use components::FhirResource;
pub(crate) use components::Id;
pub(crate) use components::MemberIds;
pub(crate) use components::OutcomeResponse;
pub(crate) use components::Page;
pub(crate) use components::ProblemDetails;
pub(crate) use components::Resource;
pub(crate) use components::RoleName;
pub(crate) use components::one_of;

/// The document without paths.
pub(crate) fn head() -> OpenApi {
    let mut head = Head::openapi();
    // utoipa copies license and contact from the manifest; they concern the source, not the API.
    head.info.license = None;
    head.info.contact = None;
    head
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Clinical records: pages, FHIR API and workflow API",
        version = "1",
        description = "All endpoints. The web tier refuses requests that are not described here: \
            unknown paths, methods, content types and query parameters, and values that do not \
            match their schema. /fhir/metadata describes the resources of FHIR R4. Errors are an \
            OperationOutcome under /fhir, RFC 9457 problem documents under /api, and pages for \
            browsers elsewhere; each has a request id. URLs contain no values that identify a \
            person."
    ),
    servers((url = "/")),
    security(("bearer" = []), ("session" = [])),
    components(
        schemas(Resource, ProblemDetails),
        responses(Page, FhirResource, OutcomeResponse, ProblemDetails)
    ),
    modifiers(&Schemes)
)]
struct Head;

/// The two ways to authenticate.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The methods of operations, as the document names them.
pub(crate) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The operations of a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

/// The parameters of an operation.
pub(crate) fn parameters(operation: &mut Operation) -> impl Iterator<Item = &mut Parameter> {
    let parameters = operation.parameters.iter_mut().flatten();
    parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}
