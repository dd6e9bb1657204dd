//! Validation of JSON against R4: elements, cardinalities, types, required codes, and the rules of
//! contained resources.
//!
//! Not checked: other invariants (`FHIRPath`), bindings that are not required, and profiles.

use serde_json::Map;
use serde_json::Value;

use super::ElementPath;
use super::Issue;
use super::IssueCode;
use super::Issues;
use super::ResourceType;
use super::definitions::Definitions;
use super::definitions::ElementDefinition;
use super::definitions::ElementType;
use super::definitions::TypeDefinition;
use super::definitions::definitions;

mod contained;

/// The issues of a resource; none if it is valid.
pub(super) fn check(
    resource_type: ResourceType,
    resource: &Map<String, Value>,
    root: &ElementPath<'_>,
) -> Issues {
    walk(|validator| {
        let defined = validator.definitions.resource(resource_type.name());
        validator.resource(defined?, resource, root);
        Some(())
    })
}

/// The issues of a resource of any type of R4, also of one that is not stored.
pub(crate) fn any_resource(resource: &Map<String, Value>, root: &ElementPath<'_>) -> Issues {
    walk(|validator| {
        validator.nested(resource, root);
        Some(())
    })
}

/// The issues of an object of any defined type, such as `Bundle.entry`.
pub(crate) fn object(name: &str, object: &Map<String, Value>, path: &ElementPath<'_>) -> Issues {
    walk(|validator| {
        let defined = validator.definitions.by_name(name)?;
        // Only a resource has `resourceType`; a name with a dot is the type of an element.
        validator.object(defined, object, path, !name.contains('.'));
        Some(())
    })
}

/// The issue for definitions that cannot be loaded.
fn unreadable() -> Issue {
    Issue::new(
        IssueCode::Exception,
        "the server's definitions are unreadable",
    )
}

/// The issues that a walk finds; `None` from it means that a definition is missing.
fn walk(walk: impl FnOnce(&mut Validator<'static>) -> Option<()>) -> Issues {
    let Ok(definitions) = definitions() else {
        return unreadable().into();
    };
    let mut validator = Validator {
        definitions,
        issues: Issues::default(),
    };
    match walk(&mut validator) {
        Some(()) => validator.issues,
        None => unreadable().into(),
    }
}

struct Validator<'d> {
    definitions: &'d Definitions,
    issues: Issues,
}

impl Validator<'_> {
    fn report(&mut self, path: &ElementPath<'_>, code: IssueCode, why: impl Into<String>) {
        self.issues.add(|| Issue::new(code, why.into()).at(path));
    }

    /// A resource with those that it contains.
    fn resource(
        &mut self,
        definition: &TypeDefinition,
        resource: &Map<String, Value>,
        path: &ElementPath<'_>,
    ) {
        self.object(definition, resource, path, true);
        contained::check(resource, path, &mut self.issues);
    }

    fn object(
        &mut self,
        definition: &TypeDefinition,
        object: &Map<String, Value>,
        path: &ElementPath<'_>,
        is_resource: bool,
    ) {
        if object.is_empty() {
            self.report(path, IssueCode::Structure, "an object must not be empty");
        }
        let mut choices: Vec<(usize, &str)> = Vec::new();
        for (name, value) in object {
            if is_resource && name == "resourceType" {
                continue;
            }
            let element_path = ElementPath::Field(path, name);
            let plain = name.strip_prefix('_').unwrap_or(name);
            let Some(element) = self.definitions.element(definition, plain) else {
                self.report(
                    &element_path,
                    IssueCode::Structure,
                    "this element is not defined here",
                );
                continue;
            };
            if let Some(choice) = element.choice {
                if choices
                    .iter()
                    .any(|(other, other_name)| *other == choice && *other_name != plain)
                {
                    let why = "only one type of this element may be present";
                    self.report(&element_path, IssueCode::Invariant, why);
                }
                choices.push((choice, plain));
            }
            if plain.len() == name.len() {
                self.element(element, value, (object, name), &element_path);
            } else {
                self.primitive_extension(element, value, object.get(plain), &element_path);
            }
        }
        for required in &definition.required {
            let is_present = |name: &String| {
                object.contains_key(name) || object.contains_key(&format!("_{name}"))
            };
            if !required.names.iter().any(is_present) {
                let missing = ElementPath::Field(path, required.name.trim_end_matches("[x]"));
                self.report(&missing, IssueCode::Required, "this element is required");
            }
        }
    }

    /// An element: one value, or an array of at least one. Its parent and its name lead to the extensions
    /// of a primitive.
    fn element(
        &mut self,
        element: &ElementDefinition,
        value: &Value,
        (parent, name): (&Map<String, Value>, &str),
        path: &ElementPath<'_>,
    ) {
        match (value, element.is_array) {
            (Value::Array(items), true) => {
                if items.is_empty() {
                    self.report(path, IssueCode::Structure, "an array must not be empty");
                }
                let has_null = items.iter().any(Value::is_null);
                let sibling = has_null.then(|| parent.get(&format!("_{name}"))).flatten();
                for (index, item) in items.iter().enumerate() {
                    let extension = sibling.and_then(|sibling| sibling.get(index));
                    // `null` stands for an item that has extensions only.
                    let is_placeholder = item.is_null() && extension.is_some_and(Value::is_object);
                    if !is_placeholder {
                        self.value(element, item, &ElementPath::Item(path, index));
                    }
                }
            }
            (_, true) => {
                self.report(path, IssueCode::Structure, "this element must be an array");
            }
            (Value::Array(_), false) => {
                let why = "this element must not be an array";
                self.report(path, IssueCode::Structure, why);
            }
            (_, false) => self.value(element, value, path),
        }
    }

    fn value(&mut self, element: &ElementDefinition, value: &Value, path: &ElementPath<'_>) {
        match (element.element_type, value) {
            (ElementType::Primitive(primitive, codes), _) => {
                if let Err(why) = primitive.check(value) {
                    self.report(path, IssueCode::Value, why);
                } else if let (Some(codes), Some(code)) = (codes, value.as_str()) {
                    self.code(self.definitions.codes(codes), code, path);
                }
            }
            (ElementType::Complex(id), Value::Object(object)) => {
                if let Some(definition) = self.definitions.get(id) {
                    self.object(definition, object, path, false);
                }
            }
            (ElementType::Resource, Value::Object(object)) => self.nested(object, path),
            (ElementType::Complex(_) | ElementType::Resource, _) => {
                self.report(path, IssueCode::Structure, "this element must be an object");
            }
        }
    }

    /// A code of a required binding.
    fn code(&mut self, codes: &[&str], code: &str, path: &ElementPath<'_>) {
        if !codes.contains(&code) {
            let why = || format!("this code is not one of: {}", codes.join(", "));
            let issue = || Issue::new(IssueCode::CodeInvalid, why()).at(path);
            self.issues.add(issue);
        }
    }

    /// A resource in another one, of any type of R4.
    fn nested(&mut self, resource: &Map<String, Value>, path: &ElementPath<'_>) {
        let at = ElementPath::Field(path, "resourceType");
        let Some(name) = resource.get("resourceType") else {
            self.report(&at, IssueCode::Required, "this element is required");
            return;
        };
        let definitions = self.definitions;
        if let Some(definition) = name.as_str().and_then(|name| definitions.resource(name)) {
            self.resource(definition, resource, path);
        } else {
            let why = "this is not the name of a resource type of R4";
            self.report(&at, IssueCode::Value, why);
        }
    }

    /// `_birthDate` beside `birthDate`: the id and the extensions of a primitive.
    fn primitive_extension(
        &mut self,
        element: &ElementDefinition,
        value: &Value,
        sibling: Option<&Value>,
        path: &ElementPath<'_>,
    ) {
        let ElementType::Primitive(..) = element.element_type else {
            self.report(
                path,
                IssueCode::Structure,
                "this element is not defined here",
            );
            return;
        };
        match (value, element.is_array) {
            (Value::Array(items), true) => {
                let max_length = sibling
                    .and_then(Value::as_array)
                    .map_or(usize::MAX, Vec::len);
                let is_empty = items.iter().all(Value::is_null);
                if is_empty || items.len() > max_length {
                    let why = "this array must not be empty or longer than the element's";
                    self.report(path, IssueCode::Structure, why);
                }
                for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_null()) {
                    self.extension(item, &ElementPath::Item(path, index));
                }
            }
            (_, true) => {
                self.report(path, IssueCode::Structure, "this element must be an array");
            }
            (_, false) => self.extension(value, path),
        }
    }

    /// The id and the extensions of one primitive value.
    fn extension(&mut self, value: &Value, path: &ElementPath<'_>) {
        match (value, self.definitions.by_name("Element")) {
            (Value::Object(object), Some(definition)) => {
                self.object(definition, object, path, false);
            }
            _ => self.report(path, IssueCode::Structure, "this element must be an object"),
        }
    }
}

#[cfg(test)]
mod tests;
