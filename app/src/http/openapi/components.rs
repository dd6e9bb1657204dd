//! Schemas, parameters and responses that several operations share.

use std::borrow::Cow;

use access::Role;
use fhir::FHIR_JSON;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::PartialSchema;
use utoipa::ToResponse;
use utoipa::ToSchema;
use utoipa::openapi::Content;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::Response;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::schema::Type;
use uuid::Uuid;

/// The schema of a closed set of texts.
pub(crate) fn one_of<'a>(values: impl IntoIterator<Item = &'a str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(values))
        .build()
}

/// The id in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "the description of a parameter, which a handler reads as text"
)]
pub(crate) struct Id {
    /// In lower case; never a number that tells of a person.
    id: Uuid,
}

/// The name of a role.
pub(crate) enum RoleName {}

impl PartialSchema for RoleName {
    fn schema() -> RefOr<Schema> {
        one_of(Role::ALL.iter().map(|role| role.name())).into()
    }
}

impl ToSchema for RoleName {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Role")
    }
}

/// A resource of FHIR R4.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema: resources are JSON documents")]
pub(crate) struct Resource {
    #[schema(rename = "resourceType")]
    resource_type: String,
}

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemDetails {
    /// Always `about:blank`: the status says what kind of problem this is.
    pub(crate) r#type: &'static str,
    /// The status in words.
    pub(crate) title: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened, and what to do.
    pub(crate) detail: String,
    /// The id that both tiers log for this request.
    pub(crate) request_id: Uuid,
}

/// The response with a page.
pub(crate) enum Page {}

/// The response with a resource.
pub(crate) enum FhirResource {}

/// The response with an `OperationOutcome`.
pub(crate) enum Outcome {}

impl ToResponse<'static> for Page {
    fn response() -> (&'static str, RefOr<Response>) {
        let content = ContentBuilder::new().build();
        ("Page", response("A page", "text/html", content))
    }
}

impl ToResponse<'static> for FhirResource {
    fn response() -> (&'static str, RefOr<Response>) {
        (
            "Resource",
            response("A resource", FHIR_JSON, of::<Resource>()),
        )
    }
}

impl ToResponse<'static> for Outcome {
    fn response() -> (&'static str, RefOr<Response>) {
        let description = "An OperationOutcome: it was not done";
        (
            "Outcome",
            response(description, FHIR_JSON, of::<Resource>()),
        )
    }
}

impl ToResponse<'static> for ProblemDetails {
    fn response() -> (&'static str, RefOr<Response>) {
        let content = of::<Self>();
        let content_type = "application/problem+json";
        (
            "Problem",
            response("It was not done", content_type, content),
        )
    }
}

fn of<T: ToSchema>() -> Content {
    let schema = Ref::from_schema_name(T::name());
    ContentBuilder::new().schema(Some(schema)).build()
}

fn response(description: &str, content_type: &str, content: Content) -> RefOr<Response> {
    let response = ResponseBuilder::new().description(description);
    response.content(content_type, content).build().into()
}
