//! Tests with the app's document, and with documents that cannot be an allow list.

use http::Method;

use super::*;

const ID: &str = "8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d";

#[test]
fn a_path_has_one_route_or_none() {
    let api_schema = ApiSchema::of_app().unwrap();
    let chart = format!("/patients/{ID}");
    let read = format!("/fhir/Observation/{ID}");
    let history = format!("{read}/_history");
    let version = format!("{history}/12");
    let everything = format!("/fhir/Patient/{ID}/$everything");
    let compartment = format!("/fhir/Patient/{ID}/Observation");
    let validate = format!("{read}/$validate");
    for (path, template) in [
        (everything.as_str(), "/fhir/{type}/{id}/$everything"),
        (compartment.as_str(), "/fhir/{type}/{id}/{compartment}"),
        (validate.as_str(), "/fhir/{type}/{id}/$validate"),
        ("/fhir/Observation/$validate", "/fhir/{type}/$validate"),
        ("/fhir/$validate", "/fhir/$validate"),
        ("/", "/"),
        ("/sign-in", "/sign-in"),
        (chart.as_str(), "/patients/{id}"),
        ("/patients/search", "/patients/search"),
        ("/assets/style.0123456789abcdef.css", "/assets/{file}"),
        ("/fhir", "/fhir"),
        ("/fhir/metadata", "/fhir/metadata"),
        ("/fhir/Patient", "/fhir/{type}"),
        ("/fhir/", "/fhir/"),
        ("/fhir/Claim", "/fhir/{type}"),
        ("/fhir/Patient/_search", "/fhir/{type}/_search"),
        ("/fhir/Observation/_search", "/fhir/{type}/_search"),
        ("/fhir/Observation/_history", "/fhir/{type}/_history"),
        (read.as_str(), "/fhir/{type}/{id}"),
        (history.as_str(), "/fhir/{type}/{id}/_history"),
        (version.as_str(), "/fhir/{type}/{id}/_history/{version}"),
        ("/api/v1/tokens/current", "/api/v1/tokens/current"),
        ("/healthz", "/healthz"),
    ] {
        assert_eq!(api_schema.template(path), template, "{path}");
    }
    let upper = format!("/patients/{}", ID.to_uppercase());
    let not_stored = format!("/fhir/AuditEvent/{ID}");
    let version_zero = format!("{history}/0");
    let version_word = format!("{history}/latest");
    for path in [
        "",
        "*",
        "//",
        "/patients/",
        "/Patients",
        upper.as_str(),
        "/patients/Archer",
        not_stored.as_str(),
        version_zero.as_str(),
        version_word.as_str(),
        "/fhir/patient",
        "/fhir/Parameters",
        "/fhir/_search",
        "/fhir/_history",
        "/fhir/Observation/",
        "/fhir/Observation/_validate",
        "/assets/style.css",
        "/assets/other.0123456789abcdef.css",
        "/api/v1",
        "/admin",
        "/.env",
        "/favicon.ico",
    ] {
        assert_eq!(api_schema.template(path), UNKNOWN, "{path}");
    }
}

#[test]
fn allow_lists_the_methods_of_a_route() {
    let api_schema = ApiSchema::of_app().unwrap();
    let read = format!("/fhir/Claim/{ID}");
    for (path, allow) in [
        ("/", "GET, HEAD"),
        ("/sign-in", "GET, HEAD, POST"),
        ("/fhir", "POST"),
        ("/fhir/", "POST"),
        ("/fhir/Claim", "GET, HEAD, POST"),
        ("/fhir/Claim/_search", "POST"),
        ("/fhir/Claim/_history", "GET, HEAD"),
        (read.as_str(), "GET, HEAD, PUT, PATCH, DELETE"),
        ("/api/v1/tokens/current", "DELETE"),
        ("/readyz", "GET, HEAD"),
    ] {
        let route = api_schema.route(path).unwrap();
        assert_eq!(route.allow, allow, "{path}");
        for method in [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::DELETE,
            Method::PUT,
            Method::PATCH,
        ] {
            let listed = allow.split(", ").any(|name| name == method.as_str());
            assert_eq!(
                route.operation(&method).is_some(),
                listed,
                "{method} {path}"
            );
        }
    }
}

#[test]
fn writes_of_resources_are_bulk_and_passwords_are_sign_ins() {
    let api_schema = ApiSchema::of_app().unwrap();
    let class = |method: Method, path: &str| {
        let operation = api_schema.route(path).unwrap().operation(&method);
        operation.unwrap().class
    };
    let resource = format!("/fhir/Patient/{ID}");
    for (method, path) in [
        (Method::POST, "/fhir"),
        (Method::POST, "/fhir/"),
        (Method::POST, "/fhir/Patient"),
        (Method::PUT, resource.as_str()),
        (Method::PATCH, resource.as_str()),
    ] {
        assert_eq!(class(method, path), RequestClass::Bulk, "{path}");
    }
    for path in ["/sign-in", "/api/v1/tokens"] {
        assert_eq!(class(Method::POST, path), RequestClass::SignIn, "{path}");
    }
    for (method, path) in [
        (Method::POST, "/fhir/Patient/_search"),
        (Method::GET, "/fhir/Patient"),
        (Method::DELETE, resource.as_str()),
        (Method::GET, "/sign-in"),
        (Method::DELETE, "/api/v1/tokens/current"),
    ] {
        assert_eq!(class(method, path), RequestClass::Ordinary, "{path}");
    }
    assert_eq!(api_schema.cookie(), "__Host-session");
}

#[test]
fn a_document_with_an_open_schema_is_refused() {
    let document = |paths: &str| {
        ApiSchema::parse(&format!(
            r#"{{"paths": {paths}, "components": {{"securitySchemes": {{"s": {{"in": "cookie", "name": "s"}}}}}}}}"#
        ))
    };
    assert!(document(r#"{"/a": {"get": {}}}"#).is_ok());
    for paths in [
        r#"{"/a/{id}": {"get": {}}}"#,
        r#"{"a": {"get": {}}}"#,
        r#"{"/healthz": {"get": {}}}"#,
        r#"{"/a": {"get": {"parameters": [{"in": "query", "name": "q", "schema": {"type": "string"}}]}}}"#,
        "[]",
    ] {
        assert!(document(paths).is_err(), "{paths}");
    }
    assert!(matches!(
        ApiSchema::parse("{"),
        Err(ApiSchemaError::Json(_))
    ));
}
