//! Conversion of the document to the subset of `OpenAPI` 3.1 that the web tier reads.

use utoipa::openapi::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::Required;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::path::ParameterIn;

use super::operations;

/// Converts a document: path parameters move from operations to their path, and fields that repeat names
/// and comments of the source are removed.
pub(crate) fn close(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        let mut shared = Vec::new();
        for operation in operations(item) {
            hoist_path_parameters(operation, &mut shared);
            // utoipa takes these from the handlers' names, comments and modules.
            operation.operation_id = None;
            operation.description = None;
            operation.tags = None;
        }
        item.parameters = Some(shared).filter(|shared| !shared.is_empty());
    }
    document
}

/// Moves the path parameters of an operation to `shared`.
fn hoist_path_parameters(operation: &mut Operation, shared: &mut Vec<RefOr<Parameter>>) {
    let parameters = operation.parameters.take().unwrap_or_default();
    let (of_path, rest): (Vec<_>, Vec<_>) = parameters.into_iter().partition(is_path_parameter);
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

fn is_path_parameter(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}
