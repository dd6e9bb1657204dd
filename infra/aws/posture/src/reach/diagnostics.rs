//! Diagnostics: what the model does not support.

use std::fmt::Display;

use serde_json::Value;

use super::values::boolean;
use super::values::id;
use super::values::ids;
use crate::architecture::Resource;

/// What the model does not support. With any diagnostic, statements about reachability are not reliable.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Vec<String>);

impl Diagnostics {
    pub(crate) fn note(&mut self, resource: &str, what: impl Display) {
        self.0.push(format!("{resource}: {what}"));
    }

    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }

    /// Adds a diagnostic for each property of a resource that is not in the list.
    pub(crate) fn allow_only(&mut self, resource: Resource<'_>, known: &[&str]) {
        let properties = resource
            .definition
            .get("Properties")
            .and_then(Value::as_object);
        for name in properties.into_iter().flat_map(|found| found.keys()) {
            if !known.contains(&name.as_str()) {
                self.note(resource.id, format!("the model does not support {name}"));
            }
        }
    }

    /// The ids that a property refers to; empty, with a diagnostic, if the property cannot be read; empty if it is absent.
    pub(crate) fn ids<'a>(&mut self, resource: Resource<'a>, path: &str) -> Vec<&'a str> {
        let Some(value) = resource.property(path) else {
            return Vec::new();
        };
        ids(value).unwrap_or_else(|| {
            self.note(resource.id, format!("{path} cannot be resolved: {value}"));
            Vec::new()
        })
    }

    /// The id that a property refers to; none, with a diagnostic, if the property cannot be read.
    pub(crate) fn id<'a>(&mut self, resource: Resource<'a>, path: &str) -> Option<&'a str> {
        let found = resource.property(path).and_then(id);
        if found.is_none() {
            self.note(
                resource.id,
                format!("{path} refers to no resource of these templates"),
            );
        }
        found
    }

    /// The value of a boolean property; none if it is absent, or, with a diagnostic, if it cannot be read.
    pub(crate) fn boolean(&mut self, resource: Resource<'_>, path: &str) -> Option<bool> {
        let value = resource.property(path)?;
        let found = boolean(value);
        if found.is_none() {
            self.note(resource.id, format!("{path} is not a boolean: {value}"));
        }
        found
    }
}
