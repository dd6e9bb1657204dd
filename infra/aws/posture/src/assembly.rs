//! Puts an environment's templates together into one document.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::architecture::Architecture;
use crate::environment::Deployment;
use crate::environment::Environment;
use crate::fault::Fault;
use crate::fault::Within as _;
use crate::parameters;
use crate::scope::NESTED;
use crate::scope::Place;
use crate::scope::Scope;
use crate::templates::Templates;

/// Everything that an environment deploys, with all references between stacks resolved.
///
/// # Errors
/// The first thing that `CloudFormation` would refuse as well: a name that leads nowhere, a parameter
/// that is missing, unknown or not allowed, stacks that need each other in a circle.
pub fn assemble(templates: &Templates, environment: &Environment) -> Result<Architecture, Fault> {
    let mut all = Map::new();
    for deployment in &environment.deployments {
        let linked = deployed(templates, environment, deployment).within(deployment.template)?;
        for (id, resource) in linked.resources {
            if all.insert(id.clone(), resource).is_some() {
                return Err(Fault::new(format!("two resources come to the id {id}")));
            }
        }
    }
    Ok(Architecture::of(all))
}

fn deployed(
    templates: &Templates,
    environment: &Environment,
    deployment: &Deployment,
) -> Result<Linked, Fault> {
    let project = deployment.parameters.get("Project").and_then(Value::as_str);
    let place = Place {
        stack: format!(
            "{}-{}-{}",
            project.unwrap_or("hipaa-stack"),
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
        place: &place,
    };
    stack.link(&deployment.parameters)
}

/// A template on its way into the document.
struct Stack<'a> {
    templates: &'a Templates,
    name: &'a str,
    prefix: String,
    place: &'a Place,
}

/// What a template comes to.
#[derive(Clone, Debug, Default)]
struct Linked {
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
}

/// Nested stacks by their ids; none while one is being linked.
type Nested = RefCell<BTreeMap<String, Option<Linked>>>;

impl Stack<'_> {
    fn link(&self, given: &Map<String, Value>) -> Result<Linked, Fault> {
        let template = self.templates.template(self.name)?;
        let parameters = parameters::settle(template, given).within("Parameters")?;
        let nested = Nested::default();
        let output = |id: &str, name: &str| self.output(&nested, &parameters, id, name);
        let scope = self.scope(template, &parameters, &output);
        let mut linked = Linked::default();
        for (id, resource) in entries(template, "Resources") {
            if !is_there(&scope, resource).within(id)? {
                continue;
            }
            if resource.get("Type").and_then(Value::as_str) == Some(NESTED) {
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
        output: &'s dyn Fn(&str, &str) -> Result<Value, Fault>,
    ) -> Scope<'s> {
        Scope {
            template,
            prefix: &self.prefix,
            parameters: parameters.clone(),
            place: self.place,
            output,
        }
    }

    fn output(
        &self,
        nested: &Nested,
        parameters: &Map<String, Value>,
        id: &str,
        name: &str,
    ) -> Result<Value, Fault> {
        self.nested(nested, parameters, id).within(id)?;
        let nested = nested.borrow();
        let linked = nested.get(id).and_then(Option::as_ref);
        let value = linked.and_then(|linked| linked.outputs.get(name)).cloned();
        value.ok_or_else(|| Fault::new(format!("the stack {id} has no output {name}")))
    }

    /// Links a nested stack, unless that was done.
    fn nested(
        &self,
        nested: &Nested,
        parameters: &Map<String, Value>,
        id: &str,
    ) -> Result<(), Fault> {
        match nested.borrow().get(id) {
            Some(Some(_)) => return Ok(()),
            Some(None) => return Err(Fault::new("needs itself, by way of other stacks")),
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
            place: self.place,
        };
        let linked = stack.link(&given.unwrap_or_default())?;
        nested.borrow_mut().insert(id.to_owned(), Some(linked));
        Ok(())
    }

    fn resource(&self, scope: &Scope<'_>, id: &str, resource: &Value) -> Result<Value, Fault> {
        let Some(Value::Object(mut evaluated)) = scope.value(resource)? else {
            return Err(Fault::new("is no resource"));
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
            "Region": self.place.region,
            "Account": self.place.account,
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

fn is_there(scope: &Scope<'_>, declared: &Value) -> Result<bool, Fault> {
    match declared.get("Condition").and_then(Value::as_str) {
        Some(condition) => scope.condition(condition),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests;
