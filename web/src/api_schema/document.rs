//! The parser of the `OpenAPI` 3.1 document. It runs once, at the start, and its result lives as
//! long as the process: the strings in it are leaked.

use http::Method;
use serde_json::Value;

use super::ApiSchema;
use super::ApiSchemaError;
use super::Operation;
use super::RequestClass;
use super::Route;
use super::RouteKind;
use super::leak;
use super::operation::Parameter;
use super::query_refusals::QueryRefusals;
use super::schema::Schema;
use super::tree::Node;
use super::tree::Segment;

/// The methods of a path item that are supported.
const METHODS: [(&str, Method); 5] = [
    ("get", Method::GET),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("patch", Method::PATCH),
    ("delete", Method::DELETE),
];

/// The routes that this tier serves.
const HEALTH_CHECKS: [&str; 2] = ["/healthz", "/readyz"];

/// Parses all routes of a document.
pub(super) fn read(document: &Value) -> Result<ApiSchema, ApiSchemaError> {
    let mut routes = Node::default();
    let paths = document.get("paths").and_then(Value::as_object);
    let paths = paths.ok_or_else(|| ApiSchemaError::malformed("paths", "there are no paths"))?;
    for (template, item) in paths {
        let path = Path {
            document,
            template,
            item,
        };
        let route = path.route()?;
        if !routes.insert(path.segments()?.into_iter(), route) {
            return Err(path.malformed("the path is described twice"));
        }
    }
    for template in HEALTH_CHECKS {
        let segments = template.split('/').skip(1).map(Segment::Word);
        if !routes.insert(segments, health_check(template)) {
            return Err(ApiSchemaError::malformed(
                template,
                "the path is reserved for the edge",
            ));
        }
    }
    let cookie = cookie(document)
        .ok_or_else(|| ApiSchemaError::malformed("components.securitySchemes", "no cookie"))?;
    Ok(ApiSchema {
        routes,
        query_refusals: QueryRefusals::of_types(searchable_types(document)),
        cookie,
    })
}

/// The resource types of the path of FHIR's searches.
fn searchable_types(document: &Value) -> impl Iterator<Item = &str> {
    let template = "/fhir/{type}/_search";
    let item = document.get("paths").and_then(|paths| paths.get(template));
    let path = item.map(|item| Path {
        document,
        template,
        item,
    });
    let parameters = path.into_iter().flat_map(|path| {
        let parameters: Vec<_> = path.parameters(&Value::Null).collect();
        parameters
    });
    let types = parameters.filter_map(|parameter| parameter.pointer("/schema/enum")?.as_array());
    types.flatten().filter_map(Value::as_str)
}

fn health_check(template: &'static str) -> Route {
    let get = Operation {
        method: Method::GET,
        open: true,
        class: RequestClass::Ordinary,
        parameters: Vec::new(),
        media_types: Vec::new(),
        advice: "",
    };
    Route {
        template,
        kind: RouteKind::Health,
        allow: "GET, HEAD",
        operations: vec![get],
    }
}

fn cookie(document: &Value) -> Option<&'static str> {
    let schemes = document
        .pointer("/components/securitySchemes")?
        .as_object()?;
    let mut named = schemes
        .values()
        .filter(|scheme| {
            scheme
                .get("in")
                .is_some_and(|location| location == "cookie")
        })
        .filter_map(|scheme| scheme.get("name")?.as_str());
    named.next().map(leak)
}

/// A path item of the document.
struct Path<'a> {
    document: &'a Value,
    template: &'a str,
    item: &'a Value,
}

impl<'a> Path<'a> {
    fn malformed(&self, why: &'static str) -> ApiSchemaError {
        ApiSchemaError::malformed(self.template, why)
    }

    fn route(&self) -> Result<Route, ApiSchemaError> {
        let mut operations = Vec::new();
        for (name, method) in METHODS {
            if let Some(operation) = self.item.get(name) {
                operations.push(self.operation(method, operation)?);
            }
        }
        Ok(Route {
            template: leak(self.template),
            kind: kind(self.template),
            allow: allow(&operations),
            operations,
        })
    }

    fn operation(&self, method: Method, operation: &Value) -> Result<Operation, ApiSchemaError> {
        let mut parameters = Vec::new();
        for parameter in self.parameters(operation) {
            if text(parameter, "in") == Some("query") {
                // An array is sent as a repeated parameter: `style: form` and `explode: true`, the defaults of
                // OpenAPI 3.1.
                let items = parameter.pointer("/schema/items");
                parameters.push(Parameter {
                    name: text(parameter, "name").unwrap_or_default().into(),
                    schema: self.schema(parameter, items)?,
                    repeatable: items.is_some(),
                });
            }
        }
        let content = operation.pointer("/requestBody/content");
        let names = content.and_then(Value::as_object).into_iter().flatten();
        let media_types: Vec<Box<str>> = names.map(|(name, _)| name.as_str().into()).collect();
        let advice = leak(&format!("send the body as {}", media_types.join(" or ")));
        let security = operation.get("security").and_then(Value::as_array);
        Ok(Operation {
            method,
            open: security.is_some_and(Vec::is_empty),
            class: self.class(operation)?,
            parameters,
            media_types,
            advice,
        })
    }

    /// The class of an operation, from the extensions of its request body.
    fn class(&self, operation: &Value) -> Result<RequestClass, ApiSchemaError> {
        let extension = |name: &str| operation.pointer(&format!("/requestBody/{name}"));
        match (extension("x-bulk"), extension("x-class")) {
            (None, None) => Ok(RequestClass::Ordinary),
            (Some(Value::Bool(true)), None) => Ok(RequestClass::Bulk),
            (None, Some(class)) if class == "sign-in" => Ok(RequestClass::SignIn),
            _ => Err(self.malformed("only x-bulk: true or x-class: sign-in is supported")),
        }
    }

    /// The parameters of an operation: those of its path, and its own.
    fn parameters(&self, operation: &'a Value) -> impl Iterator<Item = &'a Value> {
        let lists = [self.item.get("parameters"), operation.get("parameters")];
        let lists = lists.into_iter().flatten().filter_map(Value::as_array);
        lists.flatten().map(|parameter| self.resolve(parameter))
    }

    /// Resolves a reference within the document.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        let pointer = text(value, "$ref").and_then(|name| name.strip_prefix('#'));
        pointer
            .and_then(|pointer| self.document.pointer(pointer))
            .unwrap_or(value)
    }

    /// The schema of a parameter, or of the items of an array.
    fn schema(&self, parameter: &Value, items: Option<&Value>) -> Result<Schema, ApiSchemaError> {
        let position = format!(
            "{}, {}",
            self.template,
            text(parameter, "name").unwrap_or("?")
        );
        let schema = items.or_else(|| parameter.get("schema"));
        Schema::read(schema.unwrap_or(&Value::Null), &position)
    }

    fn segments(&self) -> Result<Vec<Segment<'a>>, ApiSchemaError> {
        let path = self.template.strip_prefix('/');
        let path = path.ok_or_else(|| self.malformed("the path does not begin with a slash"))?;
        path.split('/')
            .map(|segment| self.segment(segment))
            .collect()
    }

    fn segment(&self, segment: &'a str) -> Result<Segment<'a>, ApiSchemaError> {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let Some(name) = name else {
            return Ok(Segment::Word(segment));
        };
        // Path parameters are described at the path item, because its operations share them.
        let mut parameters = self.parameters(&Value::Null);
        let described = parameters.find(|parameter| {
            text(parameter, "in") == Some("path") && text(parameter, "name") == Some(name)
        });
        let described =
            described.ok_or_else(|| self.malformed("a path parameter is not described"))?;
        self.schema(described, None).map(Segment::Parameter)
    }
}

fn kind(template: &str) -> RouteKind {
    let first = template.split('/').nth(1);
    match first {
        Some("fhir") => RouteKind::Fhir,
        Some("api" | "oauth" | ".well-known") => RouteKind::Api,
        Some("assets") => RouteKind::Asset,
        _ => RouteKind::Page,
    }
}

fn allow(operations: &[Operation]) -> &'static str {
    let mut names = Vec::new();
    for operation in operations {
        names.push(operation.method.as_str());
        if operation.method == Method::GET {
            names.push("HEAD");
        }
    }
    leak(&names.join(", "))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
