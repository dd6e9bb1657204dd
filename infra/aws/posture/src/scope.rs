//! Values of one template, evaluated: what CloudFormation's intrinsic functions come to.

mod functions;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::fault::Fault;
use crate::fault::Within as _;
use crate::text::Text;

/// Where a template is deployed.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The stack's name.
    pub(crate) stack: String,
    pub(crate) region: String,
    pub(crate) account: String,
}

/// What the names in one template stand for.
pub(crate) struct Scope<'a> {
    /// The parsed template.
    pub(crate) template: &'a Value,
    /// What the ids of its resources begin with in the assembled document.
    pub(crate) prefix: &'a str,
    /// The values of its parameters.
    pub(crate) parameters: Map<String, Value>,
    pub(crate) place: &'a Place,
    /// An output of a nested stack, by the stack's id and its own name.
    pub(crate) output: &'a dyn Fn(&str, &str) -> Result<Value, Fault>,
}

/// The type of a nested stack.
pub(crate) const NESTED: &str = "AWS::CloudFormation::Stack";

impl Scope<'_> {
    /// A value with everything evaluated that can be. `None` is `AWS::NoValue`.
    pub(crate) fn value(&self, value: &Value) -> Result<Option<Value>, Fault> {
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

    fn object(&self, object: &Map<String, Value>) -> Result<Value, Fault> {
        let mut evaluated = Map::new();
        for (name, item) in object {
            if let Some(item) = self.value(item).within(name)? {
                evaluated.insert(name.clone(), item);
            }
        }
        Ok(Value::Object(evaluated))
    }

    /// A value that has to be there.
    fn some(&self, value: &Value) -> Result<Value, Fault> {
        self.value(value)?
            .ok_or_else(|| Fault::new("AWS::NoValue has no place here"))
    }

    fn text(&self, value: &Value) -> Result<Text, Fault> {
        let evaluated = self.some(value)?;
        Text::of(&evaluated).ok_or_else(|| Fault::new(format!("{evaluated} is no text")))
    }

    /// A text without references.
    fn literal(&self, value: &Value) -> Result<String, Fault> {
        let value = self.text(value)?.into_value();
        let literal = value.as_str().map(str::to_owned);
        literal.ok_or_else(|| Fault::new(format!("{value} is only known after a deployment")))
    }

    /// Whether a condition of the template holds.
    pub(crate) fn condition(&self, name: &str) -> Result<bool, Fault> {
        let conditions = self.template.get("Conditions");
        let condition = conditions.and_then(|conditions| conditions.get(name));
        let condition =
            condition.ok_or_else(|| Fault::new(format!("there is no condition {name}")))?;
        self.holds(condition).within(name)
    }

    fn holds(&self, condition: &Value) -> Result<bool, Fault> {
        let object = condition.as_object().filter(|object| object.len() == 1);
        let (function, argument) = object
            .and_then(|object| object.iter().next())
            .ok_or_else(|| Fault::new(format!("{condition} is no condition")))?;
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
            _ => Err(Fault::new(format!(
                "{function} is not understood in a condition"
            ))),
        }
    }

    /// `Ref`: a pseudo parameter, a parameter, or a resource.
    fn reference(&self, name: &str) -> Result<Option<Value>, Fault> {
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
        let Place {
            stack,
            region,
            account,
        } = self.place;
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

    /// A resource of this template that is there under its condition.
    fn resource(&self, name: &str) -> Result<&Value, Fault> {
        let resources = self.template.get("Resources");
        let resource = resources.and_then(|resources| resources.get(name));
        let resource = resource.ok_or_else(|| Fault::new(format!("there is no {name}")))?;
        match resource.get("Condition").and_then(Value::as_str) {
            Some(condition) if !self.condition(condition)? => Err(Fault::new(format!(
                "{name} is not there, for {condition} does not hold"
            ))),
            _ => Ok(resource),
        }
    }

    fn attribute(&self, name: &str, attribute: &str) -> Result<Value, Fault> {
        let resource = self.resource(name)?;
        let is_nested = resource.get("Type").and_then(Value::as_str) == Some(NESTED);
        match attribute.strip_prefix("Outputs.") {
            Some(output) if is_nested => (self.output)(name, output),
            _ => Ok(json!({ "Fn::GetAtt": [format!("{}{name}", self.prefix), attribute] })),
        }
    }
}
