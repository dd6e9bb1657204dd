//! The references and intrinsic functions of a template, evaluated.

mod functions;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::error::InputError;
use crate::error::Within as _;
use crate::text::Text;

/// The stack, region and account that a template is deployed to.
#[derive(Clone, Debug)]
pub(crate) struct DeploymentTarget {
    /// The name of the stack.
    pub(crate) stack: String,
    pub(crate) region: String,
    pub(crate) account: String,
}

/// The values that names in a template refer to.
pub(crate) struct References<'a> {
    /// The parsed template.
    pub(crate) template: &'a Value,
    /// The prefix of its resources' ids in the assembled document.
    pub(crate) prefix: &'a str,
    /// The values of its parameters.
    pub(crate) parameters: Map<String, Value>,
    pub(crate) target: &'a DeploymentTarget,
    /// Returns an output of a nested stack, by the stack's id and the output's name.
    pub(crate) output: &'a dyn Fn(&str, &str) -> Result<Value, InputError>,
}

/// The type of a nested stack.
pub(crate) const NESTED_STACK_TYPE: &str = "AWS::CloudFormation::Stack";

impl References<'_> {
    /// A value with every function evaluated that does not depend on a deployed resource. `None` is `AWS::NoValue`.
    pub(crate) fn value(&self, value: &Value) -> Result<Option<Value>, InputError> {
        match value {
            Value::Array(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    list.extend(self.value(item).within(&index.to_string())?);
                }
                Ok(Some(Value::Array(list)))
            }
            Value::Object(object) => {
                if let (1, Some((name, argument))) = (object.len(), object.iter().next())
                    && (name == "Ref" || name.starts_with("Fn::"))
                {
                    return self.function(name, argument).within(name);
                }
                self.object(object).map(Some)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Ok(Some(value.clone()))
            }
        }
    }

    fn object(&self, object: &Map<String, Value>) -> Result<Value, InputError> {
        let mut evaluated = Map::new();
        for (name, item) in object {
            if let Some(item) = self.value(item).within(name)? {
                evaluated.insert(name.clone(), item);
            }
        }
        Ok(Value::Object(evaluated))
    }

    /// A value that must not be `AWS::NoValue`.
    fn required(&self, value: &Value) -> Result<Value, InputError> {
        self.value(value)?
            .ok_or_else(|| InputError::new("AWS::NoValue is not allowed here"))
    }

    fn text(&self, value: &Value) -> Result<Text, InputError> {
        let evaluated = self.required(value)?;
        Text::of(&evaluated).ok_or_else(|| InputError::new(format!("{evaluated} is not text")))
    }

    /// A text without references to resources.
    fn literal(&self, value: &Value) -> Result<String, InputError> {
        let value = self.text(value)?.into_value();
        let literal = value.as_str().map(str::to_owned);
        literal.ok_or_else(|| InputError::new(format!("{value} is known only after a deployment")))
    }

    /// Whether a condition of the template holds.
    pub(crate) fn condition(&self, name: &str) -> Result<bool, InputError> {
        let conditions = self.template.get("Conditions");
        let condition = conditions.and_then(|conditions| conditions.get(name));
        let condition =
            condition.ok_or_else(|| InputError::new(format!("there is no condition {name}")))?;
        self.holds(condition).within(name)
    }

    fn holds(&self, condition: &Value) -> Result<bool, InputError> {
        let object = condition.as_object().filter(|object| object.len() == 1);
        let (function, argument) = object
            .and_then(|object| object.iter().next())
            .ok_or_else(|| InputError::new(format!("{condition} is not a condition")))?;
        let arguments = argument.as_array().map_or(&[][..], Vec::as_slice);
        match (function.as_str(), arguments) {
            ("Condition", _) => self.condition(argument.as_str().unwrap_or_default()),
            ("Fn::Equals", [left, right]) => Ok(self.literal(left)? == self.literal(right)?),
            ("Fn::Not", [one]) => Ok(!self.holds(one)?),
            ("Fn::And", several) => several
                .iter()
                .try_fold(true, |all, one| Ok(all & self.holds(one)?)),
            ("Fn::Or", several) => several
                .iter()
                .try_fold(false, |any, one| Ok(any | self.holds(one)?)),
            _ => Err(InputError::new(format!(
                "{function} is not supported in a condition"
            ))),
        }
    }

    /// `Ref`: a pseudo parameter, a parameter, or a resource.
    fn reference(&self, name: &str) -> Result<Option<Value>, InputError> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(pseudo) = self.pseudo(name) {
            return Ok(Some(Value::String(pseudo)));
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        self.resource(name)?;
        Ok(Some(json!({ "Ref": format!("{}{name}", self.prefix) })))
    }

    fn pseudo(&self, name: &str) -> Option<String> {
        let DeploymentTarget {
            stack,
            region,
            account,
        } = self.target;
        Some(match name {
            "AWS::Region" => region.clone(),
            "AWS::AccountId" => account.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => stack.clone(),
            "AWS::StackId" => {
                format!("arn:aws:cloudformation:{region}:{account}:stack/{stack}/assembled")
            }
            _ => return None,
        })
    }

    /// A resource of this template whose condition holds.
    fn resource(&self, name: &str) -> Result<&Value, InputError> {
        let resources = self.template.get("Resources");
        let resource = resources.and_then(|resources| resources.get(name));
        let resource = resource.ok_or_else(|| InputError::new(format!("there is no {name}")))?;
        match resource.get("Condition").and_then(Value::as_str) {
            Some(condition) if !self.condition(condition)? => Err(InputError::new(format!(
                "{name} does not exist, because {condition} does not hold"
            ))),
            _ => Ok(resource),
        }
    }

    fn attribute(&self, name: &str, attribute: &str) -> Result<Value, InputError> {
        let resource = self.resource(name)?;
        let is_nested = resource.get("Type").and_then(Value::as_str) == Some(NESTED_STACK_TYPE);
        match attribute.strip_prefix("Outputs.") {
            Some(output) if is_nested => (self.output)(name, output),
            _ => Ok(json!({ "Fn::GetAtt": [format!("{}{name}", self.prefix), attribute] })),
        }
    }
}
