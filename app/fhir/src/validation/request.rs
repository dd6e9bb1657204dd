//! The request of `$validate`: a resource, or `Parameters` with the resource, the mode and profiles.

use serde_json::Value;

use super::MAX_PARAMETERS;
use super::ValidationMode;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::SensitiveJson;

/// A request for validation.
pub(super) struct ValidationRequest {
    /// The resource; none if the request names none.
    pub(super) resource: Option<SensitiveJson>,
    /// The interaction.
    pub(super) mode: Option<ValidationMode>,
    /// The canonical URLs of profiles.
    pub(super) profiles: Vec<String>,
}

impl ValidationRequest {
    /// Reads a body and a query string.
    ///
    /// # Errors
    ///
    /// 400 for a parameter that is not supported, or too many of them.
    pub(super) fn read(document: SensitiveJson, query: &str) -> Result<Self, OperationOutcome> {
        let mut request = Self {
            resource: None,
            mode: None,
            profiles: Vec::new(),
        };
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        for (index, (name, value)) in pairs.enumerate() {
            let added = match &*name {
                _ if index >= MAX_PARAMETERS => Err(unsupported()),
                "_format" | "_pretty" => Ok(()),
                _ => request.add(&name, &value),
            };
            added.map_err(OperationOutcome::bad_request)?;
        }
        let name = document.value().get("resourceType").and_then(Value::as_str);
        if name == Some("Parameters") {
            request
                .add_parameters(document)
                .map_err(OperationOutcome::bad_request)?;
        } else {
            request.resource = Some(document);
        }
        Ok(request)
    }

    /// Adds a parameter of a primitive type.
    fn add(&mut self, name: &str, value: &str) -> Result<(), Issue> {
        match (name, value) {
            ("mode", "create") => self.mode = Some(ValidationMode::Create),
            ("mode", "update") => self.mode = Some(ValidationMode::Update),
            ("mode", "delete") => self.mode = Some(ValidationMode::Delete),
            ("mode", _) => {
                let why = "mode must be create, update or delete";
                return Err(Issue::new(IssueCode::NotSupported, why).at("mode"));
            }
            ("profile", _) => self.profiles.push(value.to_owned()),
            _ => return Err(unsupported()),
        }
        Ok(())
    }

    /// Adds the parameters of a `Parameters` resource.
    fn add_parameters(&mut self, document: SensitiveJson) -> Result<(), Issue> {
        // The parts are moved out of the document, which zeroizes the rest.
        let mut document = document;
        let parameters = document.value_mut().get_mut("parameter");
        let parameters = parameters.and_then(Value::as_array_mut).into_iter();
        for (index, parameter) in parameters.flatten().enumerate() {
            if index >= MAX_PARAMETERS {
                return Err(unsupported());
            }
            let name = parameter.get("name").and_then(Value::as_str);
            if name == Some("resource") {
                let resource = parameter.get_mut("resource").map(Value::take);
                let resource = resource.filter(|_| self.resource.is_none());
                let why = "the parameter resource must be one resource";
                let resource = resource.ok_or_else(|| Issue::new(IssueCode::Structure, why))?;
                self.resource = Some(SensitiveJson::new(resource));
                continue;
            }
            let value = ["valueCode", "valueUri", "valueCanonical", "valueString"];
            let mut value = value.iter().filter_map(|name| parameter.get(*name));
            let value = value.next().and_then(Value::as_str).unwrap_or_default();
            self.add(name.unwrap_or_default(), value)?;
        }
        Ok(())
    }
}

fn unsupported() -> Issue {
    let why = "$validate has the parameters resource, mode and profile only, each at most once";
    Issue::new(IssueCode::NotSupported, why)
}
