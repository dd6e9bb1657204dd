//! The form of the document that the web tier reads: a closed subset of `OpenAPI` 3.1.

use utoipa::openapi::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::Required;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::path::PathItem;

use super::operations;

/// Brings a document into the closed form: parameters of a path stand at the path, and what only
/// repeats names of the source is left out.
pub(crate) fn close(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        let mut shared = Vec::new();
        for operation in operations(item) {
            lift(operation, &mut shared);
            // The names of functions, and what their comments tell readers of the code.
            operation.operation_id = None;
            operation.description = None;
            operation.tags = None;
        }
        share(item, shared);
    }
    document
}

/// Moves the parameters of the path out of an operation.
fn lift(operation: &mut Operation, shared: &mut Vec<RefOr<Parameter>>) {
    let parameters = operation.parameters.take().unwrap_or_default();
    let (of_path, rest): (Vec<_>, Vec<_>) = parameters.into_iter().partition(is_of_path);
    for mut parameter in of_path {
        if let RefOr::T(parameter) = &mut parameter {
            parameter.required = Required::True;
        }
        if !shared.contains(&parameter) {
            shared.push(parameter);
        }
    }
    operation.parameters = Some(rest).filter(|rest| !rest.is_empty());
}

fn is_of_path(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}

fn share(item: &mut PathItem, shared: Vec<RefOr<Parameter>>) {
    item.parameters = Some(shared).filter(|shared| !shared.is_empty());
}
