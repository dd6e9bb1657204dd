//! Conversion of the document to the subset of `OpenAPI` 3.1 that the web tier reads.

use serde_json::Value;
use serde_json::json;
use utoipa::openapi::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::Required;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::path::ParameterIn;

use super::examples;
use super::operations;
use super::shared;

/// Converts a document: path parameters move from operations to their path, parameters that several operations have
/// become components, each operation gets its tag, and comments of the source are removed.
///
/// # Errors
///
/// None in practice: all parts of the document can be serialized.
pub(crate) fn close(mut document: OpenApi) -> serde_json::Result<Value> {
    for (path, item) in &mut document.paths.paths {
        let mut of_path = Vec::new();
        for operation in operations(item) {
            hoist_path_parameters(operation, &mut of_path);
            // utoipa takes these from the handlers' comments and modules.
            operation.description = None;
            operation.summary = operation.summary.take().map(|it| it.replace('`', ""));
            let tag = Tag::of(path);
            operation.tags = Some(vec![tag.name().to_owned()]);
            // Without an id of its own, an operation has the name of its handler.
            let id = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(if id.contains('.') {
                id
            } else {
                format!("{}.{id}", tag.prefix())
            });
        }
        item.parameters = Some(of_path).filter(|of_path| !of_path.is_empty());
    }
    let mut document = serde_json::to_value(document)?;
    if let Some(document) = document.as_object_mut() {
        let tags = Tag::ALL.map(Tag::declaration);
        document.insert("tags".to_owned(), tags.into_iter().collect());
    }
    shared::share_parameters(&mut document);
    examples::add(&mut document);
    Ok(document)
}

/// A part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// FHIR R4, under `/fhir`.
    Fhir,
    /// The workflow around it, under `/api`.
    Workflow,
    /// The authorization server of machine clients.
    OAuth,
    /// Pages and their forms, for people.
    Pages,
}

impl Tag {
    /// All tags, in the order of the document.
    pub(crate) const ALL: [Self; 4] = [Self::Fhir, Self::Workflow, Self::OAuth, Self::Pages];

    /// The tag of the operations of a path.
    pub(crate) fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("fhir") => Self::Fhir,
            Some("api") => Self::Workflow,
            Some("oauth" | ".well-known") => Self::OAuth,
            Some(_) | None => Self::Pages,
        }
    }

    /// The name in the document.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fhir => "FHIR",
            Self::Workflow => "workflow",
            Self::OAuth => "OAuth 2.0",
            Self::Pages => "pages",
        }
    }

    /// The first part of the ids of operations.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Fhir => "fhir",
            Self::Workflow => "workflow",
            Self::OAuth => "oauth",
            Self::Pages => "pages",
        }
    }

    /// The description of the operations.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Fhir => {
                "FHIR R4 (4.0.1). GET /fhir/metadata describes resource types and search parameters."
            }
            Self::Workflow => {
                "JSON: tokens, the session, people, machine clients and the audit trail."
            }
            Self::OAuth => "Tokens of machine clients, by SMART Backend Services.",
            Self::Pages => "Pages and forms for people.",
        }
    }

    /// The entry in the document's list of tags.
    pub(super) fn declaration(self) -> Value {
        json!({ "name": self.name(), "description": self.description() })
    }
}

/// Moves the path parameters of an operation to those of its path.
fn hoist_path_parameters(operation: &mut Operation, of_path: &mut Vec<RefOr<Parameter>>) {
    let parameters = operation.parameters.take().unwrap_or_default();
    let (hoisted, rest): (Vec<_>, Vec<_>) = parameters.into_iter().partition(is_path_parameter);
    for mut parameter in hoisted {
        if let RefOr::T(parameter) = &mut parameter {
            parameter.required = Required::True;
        }
        if !of_path.contains(&parameter) {
            of_path.push(parameter);
        }
    }
    operation.parameters = Some(rest).filter(|rest| !rest.is_empty());
}

fn is_path_parameter(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}
