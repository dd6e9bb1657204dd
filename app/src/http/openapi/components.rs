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

/// The schema of an enumeration of strings.
pub(crate) fn one_of<'a>(values: impl IntoIterator<Item = &'a str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(values))
        .build()
}

/// The id of a resource in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the id as text")]
pub(crate) struct Id {
    /// A UUID in lower case; never a value that identifies a person.
    id: Uuid,
}

/// A member of a patient's care team in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the ids as text")]
pub(crate) struct MemberIds {
    /// The patient: a UUID in lower case.
    id: Uuid,
    /// The person: a UUID in lower case.
    person: Uuid,
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
    /// Always `about:blank`: the status identifies the kind of problem.
    pub(crate) r#type: &'static str,
    /// The reason phrase of the status.
    pub(crate) title: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// A description of the problem, and what to do.
    pub(crate) detail: String,
    /// The id of the request in the logs of both tiers.
    pub(crate) request_id: Uuid,
}

/// A response with a page.
pub(crate) enum Page {}

/// A response with a resource.
pub(crate) enum FhirResource {}

/// A response with an `OperationOutcome`.
pub(crate) enum OutcomeResponse {}

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

impl ToResponse<'static> for OutcomeResponse {
    fn response() -> (&'static str, RefOr<Response>) {
        let description = "An OperationOutcome: the request failed or was refused";
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
            response(
                "A problem document: the request failed or was refused",
                content_type,
                content,
            ),
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
