//! Templates with a single fault.

use std::fmt;

use serde_json::Value;

use crate::controls::Control;
use crate::controls::Mutant;
use crate::error::InputError;
use crate::error::Within as _;
use crate::templates::Templates;

impl Control {
    /// The templates with a fault.
    ///
    /// # Errors
    /// When the property that the mutant names does not exist, or already has the value.
    pub fn mutated(&self, templates: &Templates, mutant: &Mutant) -> Result<Templates, InputError> {
        let resource = mutant.resource.as_deref().unwrap_or(&self.resource);
        let property = mutant.property.as_deref().unwrap_or(&self.property);
        let mut mutated = templates.clone();
        change(&mut mutated, resource, property, mutant)
            .within(property)
            .within(resource)?;
        Ok(mutated)
    }
}

fn change(
    templates: &mut Templates,
    resource: &str,
    property: &str,
    mutant: &Mutant,
) -> Result<(), InputError> {
    let (template, id) = resource
        .split_once('/')
        .ok_or_else(|| InputError::new("a resource must have the form template/LogicalId"))?;
    let resources = templates
        .template_mut(template)
        .and_then(|template| template.get_mut("Resources"))
        .and_then(Value::as_object_mut);
    let resources = resources.ok_or_else(|| InputError::new("there is no such template"))?;
    if mutant.resource_gone {
        let gone = resources.shift_remove(id);
        return gone
            .map(drop)
            .ok_or_else(|| InputError::new("there is no such resource"));
    }
    let definition = resources.get_mut(id);
    let definition = definition.ok_or_else(|| InputError::new("there is no such resource"))?;
    let (path, name) = property.rsplit_once('/').unwrap_or(("", property));
    let parent =
        walk(definition, path).ok_or_else(|| InputError::new("there is no such property"))?;
    match mutant {
        Mutant { remove: true, .. } => remove(parent, name),
        Mutant {
            set: Some(value), ..
        } => set(parent, name, value),
        Mutant {
            append: Some(value),
            ..
        } => {
            let list = member(parent, name).and_then(Value::as_array_mut);
            let list = list.ok_or_else(|| InputError::new("there is no such list"))?;
            list.push(value.clone());
            Ok(())
        }
        _ => Err(InputError::new(
            "a mutant must have one of `set`, `append`, `remove` and `resource-gone`",
        )),
    }
}

/// Whether a resource has a property.
pub(crate) fn is_there(resource: &Value, property: &str) -> bool {
    walk(&mut resource.clone(), property).is_some()
}

fn walk<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    path.split('/')
        .filter(|name| !name.is_empty())
        .try_fold(value, member)
}

/// A member by its name, or an item by its index or as `[Key=Value]`. In names, `~1` stands for a slash.
fn member<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    let name = &name.replace("~1", "/");
    match value {
        Value::Object(object) => object.get_mut(name),
        Value::Array(items) => {
            let index = position(items, name)?;
            items.get_mut(index)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn position(items: &[Value], name: &str) -> Option<usize> {
    let Some(wanted) = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    else {
        return name.parse().ok();
    };
    let (key, text) = wanted.split_once('=')?;
    let is_it = |item: &Value| match item.get(key) {
        Some(Value::String(found)) => found == text,
        Some(found) => *found == *text,
        None => false,
    };
    items.iter().position(is_it)
}

fn remove(parent: &mut Value, last: &str) -> Result<(), InputError> {
    let gone = match parent {
        Value::Object(object) => object.shift_remove(&last.replace("~1", "/")),
        Value::Array(items) => position(items, last)
            .filter(|index| *index < items.len())
            .map(|index| items.remove(index)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    gone.map(drop)
        .ok_or_else(|| InputError::new("there is no such property"))
}

fn set(parent: &mut Value, last: &str, value: &Value) -> Result<(), InputError> {
    if let Some(place) = member(parent, last) {
        if place == value {
            return Err(InputError::new(format!("the value is {value} already")));
        }
        *place = value.clone();
        return Ok(());
    }
    let object = parent.as_object_mut();
    let object = object.ok_or_else(|| InputError::new("there is no such item"))?;
    object.insert(last.replace("~1", "/"), value.clone());
    Ok(())
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(resource) = &self.resource {
            write!(f, "{resource}: ")?;
        }
        if let Some(property) = &self.property {
            write!(f, "{property} ")?;
        }
        match self {
            Self {
                set: Some(value), ..
            } => write!(f, "= {value}"),
            Self {
                append: Some(value),
                ..
            } => write!(f, "with {value} appended"),
            Self { remove: true, .. } => f.write_str("removed"),
            _ => f.write_str("the resource removed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_property_is_found_by_name_by_index_and_by_a_member() {
        let mut policy = json!({"Statement": [{"Sid": "A"}, {"Sid": "B", "Action": ["x", "y"]}]});
        let found = walk(&mut policy, "Statement/[Sid=B]/Action/1").cloned();
        assert_eq!(found, Some(json!("y")));
        assert!(!is_there(&policy, "Statement/[Sid=C]"));
    }

    #[test]
    fn a_change_that_changes_nothing_is_refused() {
        let mut parent = json!({"Encrypted": true});
        assert!(set(&mut parent, "Encrypted", &json!(true)).is_err());
        assert!(remove(&mut parent, "Encrypt").is_err());
        set(&mut parent, "Encrypted", &json!(false)).unwrap();
        assert_eq!(parent, json!({"Encrypted": false}));
    }
}
