//! Assembles the templates of an environment into one document.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::architecture::Architecture;
use crate::environment::Deployment;
use crate::environment::Environment;
use crate::error::InputError;
use crate::error::Within as _;
use crate::parameters;
use crate::references::DeploymentTarget;
use crate::references::NESTED_STACK_TYPE;
use crate::references::References;
use crate::templates::Templates;

/// Assembles everything that an environment deploys, with all references between stacks resolved.
///
/// # Errors
/// The first error that `CloudFormation` would report as well: an unresolved name, a parameter that is missing, unknown
/// or not allowed, a circle between stacks.
pub fn assemble(
    templates: &Templates,
    environment: &Environment,
) -> Result<Architecture, InputError> {
    let mut all = Map::new();
    for deployment in &environment.deployments {
        let linked = deployed(templates, environment, deployment).within(deployment.template)?;
        for (id, resource) in linked.resources {
            if all.insert(id.clone(), resource).is_some() {
                return Err(InputError::new(format!("two resources have the id {id}")));
            }
        }
    }
    Ok(Architecture::new(all))
}

fn deployed(
    templates: &Templates,
    environment: &Environment,
    deployment: &Deployment,
) -> Result<Linked, InputError> {
    let project = deployment.parameters.get("Project").and_then(Value::as_str);
    let target = DeploymentTarget {
        stack: format!(
            "{}-{}-{}",
            project.unwrap_or(product::NAME),
            environment.name,
            deployment.template
        ),
        region: deployment.region.clone(),
        account: deployment.account.clone(),
    };
    let stack = Stack {
        templates,
        name: deployment.template,
        prefix: deployment.prefix.to_owned(),
        target: &target,
    };
    stack.link(&deployment.parameters)
}

/// A template that is being linked.
struct Stack<'a> {
    templates: &'a Templates,
    name: &'a str,
    prefix: String,
    target: &'a DeploymentTarget,
}

/// The resources and outputs of a linked template.
#[derive(Clone, Debug, Default)]
struct Linked {
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
}

/// Nested stacks by their ids; none for one that is being linked.
type Nested = RefCell<BTreeMap<String, Option<Linked>>>;

impl Stack<'_> {
    fn link(&self, given: &Map<String, Value>) -> Result<Linked, InputError> {
        let template = self.templates.template(self.name)?;
        let parameters = parameters::resolve(template, given).within("Parameters")?;
        let nested = Nested::default();
        let output = |id: &str, name: &str| self.output(&nested, &parameters, id, name);
        let scope = self.scope(template, &parameters, &output);
        let mut linked = Linked::default();
        for (id, resource) in entries(template, "Resources") {
            if !is_there(&scope, resource).within(id)? {
                continue;
            }
            if resource.get("Type").and_then(Value::as_str) == Some(NESTED_STACK_TYPE) {
                self.nested(&nested, &parameters, id).within(id)?;
                let stack = nested.borrow().get(id).cloned().flatten();
                linked.resources.extend(stack.unwrap_or_default().resources);
            } else {
                let resource = self.resource(&scope, id, resource).within(id)?;
                linked
                    .resources
                    .insert(format!("{}{id}", self.prefix), resource);
            }
        }
        for (name, declared) in entries(template, "Outputs") {
            if is_there(&scope, declared).within(name)? {
                let value = declared.get("Value").unwrap_or(&Value::Null);
                let value = scope.value(value).within(name)?;
                linked
                    .outputs
                    .extend(value.map(|value| (name.clone(), value)));
            }
        }
        Ok(linked)
    }

    fn scope<'s>(
        &'s self,
        template: &'s Value,
        parameters: &Map<String, Value>,
        output: &'s dyn Fn(&str, &str) -> Result<Value, InputError>,
    ) -> References<'s> {
        References {
            template,
            prefix: &self.prefix,
            parameters: parameters.clone(),
            target: self.target,
            output,
        }
    }

    fn output(
        &self,
        nested: &Nested,
        parameters: &Map<String, Value>,
        id: &str,
        name: &str,
    ) -> Result<Value, InputError> {
        self.nested(nested, parameters, id).within(id)?;
        let nested = nested.borrow();
        let linked = nested.get(id).and_then(Option::as_ref);
        let value = linked.and_then(|linked| linked.outputs.get(name)).cloned();
        value.ok_or_else(|| InputError::new(format!("the stack {id} has no output {name}")))
    }

    /// Links a nested stack, unless it is linked already.
    fn nested(
        &self,
        nested: &Nested,
        parameters: &Map<String, Value>,
        id: &str,
    ) -> Result<(), InputError> {
        match nested.borrow().get(id) {
            Some(Some(_)) => return Ok(()),
            Some(None) => return Err(InputError::new("depends on itself through other stacks")),
            None => {}
        }
        nested.borrow_mut().insert(id.to_owned(), None);
        let template = self.templates.template(self.name)?;
        let output = |id: &str, name: &str| self.output(nested, parameters, id, name);
        let scope = self.scope(template, parameters, &output);
        let resource = template.get("Resources").and_then(|found| found.get(id));
        let properties = resource.and_then(|found| found.get("Properties"));
        let properties = scope
            .value(properties.unwrap_or(&Value::Null))?
            .unwrap_or_default();
        let url = properties
            .get("TemplateURL")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let name = Path::new(url)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy();
        let given = properties
            .get("Parameters")
            .and_then(Value::as_object)
            .cloned();
        let stack = Stack {
            templates: self.templates,
            name: &name,
            prefix: format!("{}{id}", self.prefix),
            target: self.target,
        };
        let linked = stack.link(&given.unwrap_or_default())?;
        nested.borrow_mut().insert(id.to_owned(), Some(linked));
        Ok(())
    }

    fn resource(
        &self,
        scope: &References<'_>,
        id: &str,
        resource: &Value,
    ) -> Result<Value, InputError> {
        let Some(Value::Object(mut evaluated)) = scope.value(resource)? else {
            return Err(InputError::new("is not a resource"));
        };
        evaluated.remove("Condition");
        if let Some(needed) = evaluated.remove("DependsOn") {
            let needed = needed.as_array().cloned().unwrap_or_else(|| vec![needed]);
            let prefixed = needed.iter().filter_map(Value::as_str);
            let prefixed = prefixed.map(|name| format!("{}{name}", self.prefix));
            evaluated.insert("DependsOn".to_owned(), prefixed.collect());
        }
        let metadata = json!({
            "Stack": self.name,
            "LogicalId": id,
            "Region": self.target.region,
            "Account": self.target.account,
        });
        evaluated.insert("Metadata".to_owned(), metadata);
        Ok(Value::Object(evaluated))
    }
}

fn entries<'t>(
    template: &'t Value,
    section: &str,
) -> impl Iterator<Item = (&'t String, &'t Value)> {
    let section = template.get(section).and_then(Value::as_object);
    section.into_iter().flatten()
}

fn is_there(scope: &References<'_>, declared: &Value) -> Result<bool, InputError> {
    match declared.get("Condition").and_then(Value::as_str) {
        Some(condition) => scope.condition(condition),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests;
