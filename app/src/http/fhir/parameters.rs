//! Query parameters, forms and path segments of FHIR routes, as `OpenAPI` schemas.
//!
//! The web tier admits only what they describe. A handler parses the query string itself.

use fhir::ResourceType;
use fhir::bulk_export::FORMATS;
use fhir::limits::MAX_COUNT;
use fhir::search;
use utoipa::IntoParams;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Array;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::schema::Object;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::schema::Type;

use crate::http::openapi::one_of;

/// A UUID in lower case.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// The resource type in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the path as text")]
pub(crate) struct TypePath {
    #[param(rename = "type", schema_with = types)]
    resource_type: String,
}

/// The version in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the path as text")]
pub(crate) struct VersionPath {
    #[param(schema_with = version)]
    version: u64,
}

/// The query parameters that concern the format of a response.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a schema: `ResponseForm` reads the query string")]
pub(crate) struct FormatQuery {
    #[param(rename = "_format", required = false, schema_with = formats)]
    format: String,
    #[param(rename = "_pretty", required = false)]
    pretty: bool,
}

/// The query parameters that select elements of the resources in a response.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a schema: `ResponseForm` reads the query string")]
pub(crate) struct SubsetQuery {
    #[param(rename = "_summary", required = false, schema_with = summaries)]
    summary: String,
    #[param(rename = "_elements", required = false, schema_with = names)]
    elements: String,
}

/// The query parameters of a history.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a schema: `HistoryQuery` reads the query string")]
pub(crate) struct HistoryParameters {
    #[param(rename = "_count", required = false, schema_with = count)]
    count: u64,
    #[param(rename = "_since", required = false, schema_with = date)]
    since: String,
    #[param(required = false, schema_with = patient)]
    patient: String,
    #[param(required = false, schema_with = patient)]
    subject: String,
    #[param(rename = "_cursor", required = false, schema_with = cursor)]
    cursor: String,
}

/// The search parameters that tell nothing of a person, and may be sent in a URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "a schema: the query parser reads the query string"
)]
pub(crate) struct SearchQuery {
    #[param(required = false, schema_with = patient)]
    patient: String,
    #[param(required = false, schema_with = patient)]
    subject: String,
    #[param(required = false, schema_with = encounter)]
    encounter: String,
    #[param(required = false, schema_with = categories)]
    category: String,
    #[param(required = false, schema_with = statuses)]
    status: String,
    #[param(rename = "_id", required = false, schema_with = ids)]
    id: String,
    #[param(rename = "_lastUpdated", required = false, schema_with = dates)]
    last_updated: String,
    #[param(rename = "_sort", required = false, schema_with = sort)]
    sort: String,
    #[param(rename = "_count", required = false, schema_with = count)]
    count: u64,
    #[param(rename = "_total", required = false, schema_with = totals)]
    total: String,
    #[param(rename = "_totalMethod", required = false, schema_with = total_methods)]
    total_method: String,
    #[param(rename = "_include", required = false, schema_with = includes)]
    include: String,
    #[param(rename = "_revinclude", required = false, schema_with = includes)]
    reverse_include: String,
    #[param(rename = "_cursor", required = false, schema_with = cursor)]
    cursor: String,
    #[param(rename = "_summary", required = false, schema_with = search_summaries)]
    summary: String,
    #[param(rename = "_elements", required = false, schema_with = names)]
    elements: String,
}

/// The type in a path that only a Patient has.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the path as text")]
pub(crate) struct PatientPath {
    #[param(rename = "type", schema_with = patient_type)]
    resource_type: String,
}

/// The type of the resources in a patient's compartment.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the path as text")]
pub(crate) struct CompartmentPath {
    #[param(schema_with = chart_types)]
    compartment: String,
}

/// The query parameters of `$everything`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "a schema: `EverythingQuery` reads the query string"
)]
pub(crate) struct EverythingParameters {
    #[param(rename = "_count", required = false, schema_with = count)]
    count: u64,
    #[param(rename = "_type", required = false, schema_with = listed_types)]
    types: String,
    #[param(rename = "_since", required = false, schema_with = date)]
    since: String,
    #[param(rename = "_cursor", required = false, schema_with = cursor)]
    cursor: String,
}

/// The type in a path that only a Group has.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the path as text")]
pub(crate) struct GroupPath {
    #[param(rename = "type", schema_with = group_type)]
    resource_type: String,
}

/// The query parameters of `$export`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a schema: `ExportQuery` reads the query string")]
pub(crate) struct ExportParameters {
    #[param(rename = "_type", required = false, schema_with = listed_types)]
    types: String,
    #[param(rename = "_since", required = false, schema_with = date)]
    since: String,
    #[param(rename = "_outputFormat", required = false, schema_with = output_formats)]
    output_format: String,
}

/// The number of a file in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a schema: handlers extract the path as text")]
pub(crate) struct FilePath {
    #[param(schema_with = file_number)]
    file: u32,
}

/// The query parameters of `$validate`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a schema: `validate` reads the query string")]
pub(crate) struct ValidateParameters {
    #[param(required = false, schema_with = modes)]
    mode: String,
    #[param(required = false, schema_with = profiles)]
    profile: String,
}

/// The search form: any search parameter of the type.
pub(crate) enum SearchForm {}

impl PartialSchema for SearchForm {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().build().into()
    }
}

impl ToSchema for SearchForm {}

/// A text of the form of an anchored pattern, which `words` describe.
fn pattern(inner: &str, words: impl Into<String>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(words))
        .pattern(Some(format!("^{inner}$")))
        .build()
}

/// A parameter that may be repeated.
fn repeated(items: Object) -> Array {
    ArrayBuilder::new().items(items).build()
}

fn types() -> Object {
    one_of(ResourceType::ALL.map(ResourceType::name))
}

fn patient_type() -> Object {
    one_of([ResourceType::Patient.name()])
}

fn group_type() -> Object {
    one_of([ResourceType::Group.name()])
}

fn output_formats() -> Object {
    one_of(FORMATS)
}

fn file_number() -> Object {
    pattern("[0-9]{1,5}", "The number of a file: 0, 1, …")
}

fn chart_types() -> Object {
    let types = ResourceType::ALL.into_iter();
    let types = types.filter(|it| it.may_be_in_chart());
    one_of(types.map(ResourceType::name))
}

fn listed_types() -> Array {
    repeated(pattern(
        "[A-Za-z]+(,[A-Za-z]+)*",
        "Resource types, separated by commas.",
    ))
}

fn modes() -> Object {
    one_of(["create", "update", "delete"])
}

/// Canonical URLs of HL7, which tell nothing of a person.
fn profiles() -> Array {
    repeated(pattern(
        "http://hl7[.]org/fhir/[A-Za-z0-9/-]+([|][0-9.]+)?",
        "The canonical URL of a profile of HL7.",
    ))
}

fn version() -> Object {
    pattern("[1-9][0-9]{0,9}", "A version: 1, 2, …")
}

fn formats() -> Object {
    one_of([
        "json",
        "application/fhir+json",
        "application/json",
        "text/json",
    ])
}

fn summaries() -> Object {
    one_of(["true", "text", "data", "false"])
}

fn search_summaries() -> Object {
    one_of(["true", "text", "data", "count", "false"])
}

fn totals() -> Object {
    one_of(["none", "estimate", "accurate"])
}

/// A parameter of other servers that clients send with `_count=0`. It has no effect: the total is always exact.
fn total_methods() -> Object {
    one_of(["count", "estimate"])
}

/// A larger number is reduced to the largest page, as R4 permits.
fn count() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0_u64))
        .maximum(Some(1_000_000_u64))
        .description(Some(format!("A page has at most {MAX_COUNT} resources.")))
        .build()
}

fn names() -> Object {
    pattern(
        "[A-Za-z0-9.]+(,[A-Za-z0-9.]+)*",
        "Names of elements, separated by commas.",
    )
}

fn patient() -> Object {
    pattern(
        &format!("(Patient/)?{UUID}"),
        "The id of a Patient, alone or after Patient/.",
    )
}

fn encounter() -> Object {
    pattern(
        &format!("(Encounter/)?{UUID}"),
        "The id of an Encounter, alone or after Encounter/.",
    )
}

fn ids() -> Object {
    pattern(&format!("{UUID}(,{UUID})*"), "Ids, separated by commas.")
}

fn categories() -> Array {
    let (systems, codes) = (search::url::CATEGORY_SYSTEMS, search::url::CATEGORIES);
    repeated(listed(&systems, &codes))
}

fn statuses() -> Array {
    let (systems, codes) = (search::url::STATUS_SYSTEMS, search::url::STATUSES);
    repeated(listed(&systems, &codes))
}

/// Codes of a list, separated by commas, each after the URL of a listed code system or alone.
fn listed(systems: &[&str], codes: &[&str]) -> Object {
    let literal = systems.join("|").replace('.', "[.]");
    let code = format!("(({literal})?\\|)?({})", codes.join("|"));
    let words = format!(
        "Codes, separated by commas, each alone or after its system and |: {}. Systems: {}.",
        codes.join(", "),
        systems.join(", ")
    );
    pattern(&format!("{code}(,{code})*"), words)
}

fn date() -> Object {
    pattern(DATE, "A date, or an instant with a time zone.")
}

fn dates() -> Array {
    repeated(pattern(
        &format!("(eq|ne|gt|lt|ge|le|sa|eb|ap)?{DATE}"),
        "A date or an instant, after eq, ne, gt, lt, ge, le, sa or eb.",
    ))
}

/// A date or an instant.
const DATE: &str = "[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+ -][0-9]{2}:[0-9]{2})?)?)?)?";

fn sort() -> Object {
    pattern(
        "-?[A-Za-z_-]+(,-?[A-Za-z_-]+)*",
        "Search parameters, separated by commas, with - before each for descending order.",
    )
}

fn includes() -> Array {
    repeated(pattern(
        "([A-Za-z]+:)?([A-Za-z-]+|[*])(:[A-Za-z]+)?",
        "Type:parameter or Type:parameter:Type.",
    ))
}

fn cursor() -> Object {
    pattern("[A-Za-z0-9_-]+", "A cursor of a next link.")
}
