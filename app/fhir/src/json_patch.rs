//! JSON Patch (RFC 6902) of a resource.
//!
//! A module of this crate rather than a library: the digits of numbers are kept, removed values are zeroized, errors
//! contain no values, and every cost is bounded.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::Resource;
use crate::SensitiveJson;
use crate::Status;
use crate::limits::MAX_PATCH_COPIED_BYTES;
use crate::limits::MAX_PATCH_OPERATIONS;

mod equality;
mod operation;
mod pointer;

use operation::Operation;

/// The media type of JSON Patch.
pub const JSON_PATCH: &str = "application/json-patch+json";

/// A JSON Patch: operations that are applied in order, all or none. Its `Debug` shows their number only.
pub struct JsonPatch {
    operations: Vec<Operation>,
}

/// The reason for which a patch cannot be applied or parsed: the issue code, and diagnostics without values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PatchError(IssueCode, &'static str);

impl JsonPatch {
    /// Parses a patch: an array of operations.
    ///
    /// # Errors
    ///
    /// 422: the document is not a JSON Patch; the issue names the operation by its index.
    pub fn parse(bytes: &[u8]) -> Result<Self, OperationOutcome> {
        let document = SensitiveJson::parse(bytes).map_err(|issue| {
            // The path of an element in the patch would look like that of an element of the resource.
            let issue = Issue {
                expression: None,
                ..issue
            };
            refusal(issue)
        })?;
        if document.value().get("resourceType").is_some() {
            let why = "a patch is a JSON Patch (RFC 6902): an array of operations. FHIRPath Patch, as a Parameters \
                       resource, is not supported";
            return Err(refusal(Issue::new(IssueCode::NotSupported, why)));
        }
        let Value::Array(items) = document.value() else {
            let why = "a JSON Patch is an array of operations (RFC 6902)";
            return Err(refusal(Issue::new(IssueCode::Structure, why)));
        };
        if items.len() > MAX_PATCH_OPERATIONS {
            let why = "a patch has at most 200 operations";
            return Err(refusal(Issue::new(IssueCode::TooLong, why)));
        }
        let parse = |(index, item): (usize, &Value)| {
            Operation::parse(item).map_err(|error| refusal(error.of_operation(index)))
        };
        let operations = items.iter().enumerate().map(parse);
        Ok(Self {
            operations: operations.collect::<Result<_, _>>()?,
        })
    }

    /// Applies the patch to a stored resource. The result is validated, and has the id and the type of the stored one; the
    /// caller checks that it has the same owner.
    ///
    /// # Errors
    ///
    /// 422: an operation fails (a `test` operation included), or the result is not valid.
    pub fn apply(&self, stored: &Resource) -> Result<Resource, OperationOutcome> {
        let mut document = SensitiveJson::new(stored.value().clone());
        let mut copyable = MAX_PATCH_COPIED_BYTES;
        for (index, operation) in self.operations.iter().enumerate() {
            operation
                .apply(document.value_mut(), &mut copyable)
                .map_err(|error| refusal(error.of_operation(index)))?;
        }
        for (name, why) in [
            (
                "resourceType",
                "a patch must not change the type of the resource",
            ),
            ("id", "a patch must not change the id of the resource"),
        ] {
            if document.value().get(name) != stored.value().get(name) {
                return Err(refusal(Issue::new(IssueCode::BusinessRule, why).at(name)));
            }
        }
        // The limits of a document hold for the result too.
        let document = SensitiveJson::parse(&document.to_bytes()).map_err(refusal)?;
        Resource::validate(document, None).map_err(refusal)
    }
}

impl fmt::Debug for JsonPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "JsonPatch({} operations, [redacted])",
            self.operations.len()
        )
    }
}

impl PatchError {
    /// The issue of the operation with this index.
    fn of_operation(self, index: usize) -> Issue {
        let Self(code, why) = self;
        Issue::new(code, format!("operation {index} of the patch: {why}"))
    }
}

fn refusal(issues: impl Into<Issues>) -> OperationOutcome {
    OperationOutcome::new(Status::UnprocessableEntity, issues)
}

/// Decodes the base64 of a Binary, in which FHIR permits whitespace.
pub(crate) fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    plain.extend(compact);
    // Decoded into a buffer of the full length: one that grew would leave copies.
    let mut decoded = Zeroizing::new(vec![0; plain.len()]);
    let length = STANDARD.decode_slice(&plain, &mut decoded).ok()?;
    decoded.truncate(length);
    Some(decoded)
}

#[cfg(test)]
mod tests;
