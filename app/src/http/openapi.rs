//! The `OpenAPI` document: its head, and what operations share. The operations themselves are
//! described at their handlers; [`crate::http::router`] puts the two together.

mod closed;
mod components;

use utoipa::Modify;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::ApiKey;
use utoipa::openapi::security::ApiKeyValue;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityScheme;

use crate::http::authentication::SESSION_COOKIE;

pub(crate) use closed::close;
pub(crate) use components::FhirResource;
pub(crate) use components::Id;
pub(crate) use components::Outcome;
pub(crate) use components::Page;
pub(crate) use components::ProblemDetails;
pub(crate) use components::Resource;
pub(crate) use components::RoleName;
pub(crate) use components::one_of;

/// The document without paths.
pub(crate) fn head() -> OpenApi {
    let mut head = Head::openapi();
    // The manifest's licence is that of the source, not of the interface.
    head.info.license = None;
    head.info.contact = None;
    head
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Clinical records: pages, FHIR, and the workflow around them",
        version = "1",
        description = "The whole surface. The web tier refuses what is not described here: an \
            unknown path, method, content type or query parameter, and a value that does not fit \
            its schema. Resources of FHIR R4 are described by /fhir/metadata. Errors are an \
            OperationOutcome under /fhir, RFC 9457 problem documents under /api, and pages for \
            browsers elsewhere; each carries a request id. Nothing that tells of a person stands \
            in a URL."
    ),
    security(("bearer" = []), ("session" = [])),
    components(
        schemas(Resource, ProblemDetails),
        responses(Page, FhirResource, Outcome, ProblemDetails)
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
