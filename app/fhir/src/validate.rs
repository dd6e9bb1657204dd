//! Validation of JSON against R4: elements, cardinalities, types and required codes.
//!
//! Not checked: invariants (`FHIRPath`), bindings that are not required, profiles, and the content of
//! contained resources.

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

/// The issues of a resource; none if it is valid.
pub(super) fn check(
    resource_type: ResourceType,
    resource: &Map<String, Value>,
    root: &ElementPath<'_>,
) -> Issues {
    let all = definitions().ok();
    let Some((definitions, defined)) =
        all.and_then(|all| Some((all, all.by_name(resource_type.name())?)))
    else {
        return unreadable().into();
    };
    walk(definitions, defined, resource, root, true)
}

/// The issues of an object of any defined type, such as `Bundle.entry`.
pub(crate) fn object(name: &str, object: &Map<String, Value>, path: &ElementPath<'_>) -> Issues {
    let all = definitions().ok();
    match all.and_then(|all| Some((all, all.by_name(name)?))) {
        Some((definitions, defined)) => {
            // Only a resource has `resourceType`; a name with a dot is the type of an element.
            walk(definitions, defined, object, path, !name.contains('.'))
        }
        None => unreadable().into(),
    }
}

/// The issue for definitions that cannot be loaded.
fn unreadable() -> Issue {
    Issue::new(
        IssueCode::Exception,
        "the server's definitions are unreadable",
    )
}

fn walk(
    definitions: &Definitions,
    definition: &TypeDefinition,
    object: &Map<String, Value>,
    path: &ElementPath<'_>,
    is_resource: bool,
) -> Issues {
    let mut validator = Validator {
        definitions,
        issues: Issues::default(),
    };
    validator.object(definition, object, path, is_resource);
    validator.issues
}

struct Validator<'d> {
    definitions: &'d Definitions,
    issues: Issues,
}

impl Validator<'_> {
    fn report(&mut self, path: &ElementPath<'_>, code: IssueCode, why: impl Into<String>) {
        self.issues.add(|| Issue::new(code, why.into()).at(path));
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
            let Some(element) = definition.elements.get(plain) else {
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
                self.element(
                    element,
                    value,
                    object.get(&format!("_{name}")),
                    &element_path,
                );
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

    /// An element: one value, or an array of at least one. `sibling` has the extensions of a primitive.
    fn element(
        &mut self,
        element: &ElementDefinition,
        value: &Value,
        sibling: Option<&Value>,
        path: &ElementPath<'_>,
    ) {
        match (value, element.is_array) {
            (Value::Array(items), true) => {
                if items.is_empty() {
                    self.report(path, IssueCode::Structure, "an array must not be empty");
                }
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
        match (&element.element_type, value) {
            (ElementType::Primitive(primitive, codes), _) => {
                if let Err(why) = primitive.check(value) {
                    self.report(path, IssueCode::Value, why);
                } else if let (Some(codes), Some(code)) = (codes, value.as_str())
                    && !codes.iter().any(|known| known == code)
                {
                    let why = || format!("this code is not one of: {}", codes.join(", "));
                    let issue = || Issue::new(IssueCode::CodeInvalid, why()).at(path);
                    self.issues.add(issue);
                }
            }
            (ElementType::Complex(id), Value::Object(object)) => {
                if let Some(definition) = self.definitions.get(*id) {
                    self.object(definition, object, path, false);
                }
            }
            (ElementType::Resource, Value::Object(object)) => {
                if !object.get("resourceType").is_some_and(Value::is_string) {
                    let missing = ElementPath::Field(path, "resourceType");
                    self.report(&missing, IssueCode::Required, "this element is required");
                }
            }
            (ElementType::Complex(_) | ElementType::Resource, _) => {
                self.report(path, IssueCode::Structure, "this element must be an object");
            }
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
                if items.is_empty() || items.len() > max_length {
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
mod tests {
    use serde_json::json;

    use super::*;

    fn issues(value: &Value) -> Vec<(String, IssueCode)> {
        let resource_type: ResourceType = value["resourceType"]
            .as_str()
            .expect("named")
            .parse()
            .expect("supported");
        check(
            resource_type,
            value.as_object().expect("an object"),
            &ElementPath::Root(resource_type.name()),
        )
        .listed()
        .iter()
        .map(|issue| (issue.expression.clone().expect("a path"), issue.code))
        .collect()
    }

    fn path_of(value: &Value) -> String {
        let mut found = issues(value);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).0
    }

    #[test]
    fn a_valid_patient_has_no_issues() {
        let patient = json!({
            "resourceType": "Patient",
            "extension": [{"url": "http://example.org/any", "valueDecimal": 1.50}],
            "contained": [{"resourceType": "Basic", "whatever": true}],
            "name": [{"given": ["A", null], "_given": [null, {"extension": [{"url": "x"}]}]}],
            "gender": "female",
            "birthDate": "1980-02-29",
            "_birthDate": {"id": "b"},
            "deceasedBoolean": false
        });
        assert_eq!(issues(&patient), []);
    }

    #[test]
    fn an_undefined_element_is_refused_with_its_path() {
        let patient = json!({"resourceType": "Patient", "name": [{}, {"nick": "x"}]});
        let found = issues(&patient);
        assert_eq!(found[0].0, "Patient.name[0]");
        assert_eq!(found[1].0, "Patient.name[1].nick");
    }

    #[test]
    fn a_wrong_type_is_refused_with_its_path() {
        let given = json!({"resourceType": "Patient", "name": [{"given": ["A", 7]}]});
        assert_eq!(path_of(&given), "Patient.name[0].given[1]");
        let name = json!({"resourceType": "Patient", "name": {"family": "A"}});
        assert_eq!(path_of(&name), "Patient.name");
        let date = json!({"resourceType": "Patient", "birthDate": "1981-02-29"});
        assert_eq!(path_of(&date), "Patient.birthDate");
        let gender = json!({"resourceType": "Patient", "gender": ["female"]});
        assert_eq!(path_of(&gender), "Patient.gender");
        let null = json!({"resourceType": "Patient", "name": [{"given": ["A", null]}]});
        assert_eq!(path_of(&null), "Patient.name[0].given[1]");
    }

    #[test]
    fn a_missing_required_element_is_refused() {
        let condition = json!({"resourceType": "Condition"});
        assert_eq!(path_of(&condition), "Condition.subject");
        let request = json!({
            "resourceType": "MedicationRequest", "status": "active", "intent": "order",
            "subject": {"reference": "Patient/1"}
        });
        assert_eq!(path_of(&request), "MedicationRequest.medication");
    }

    #[test]
    fn the_extensions_of_an_array_are_an_array_that_is_not_longer() {
        let name = |given: Value, extension: Value| json!({"resourceType": "Patient", "name": [{"given": given, "_given": extension}]});
        let extension = json!({"extension": [{"url": "x", "valueCode": "u"}]});
        let valid = name(json!(["A", null]), json!([null, extension]));
        assert_eq!(issues(&valid), []);
        for extension in [extension.clone(), json!([]), json!([null, extension])] {
            let invalid = name(json!(["A"]), extension);
            assert_eq!(path_of(&invalid), "Patient.name[0]._given");
        }
        let single = json!({"resourceType": "Patient", "_birthDate": [{"id": "x"}]});
        assert_eq!(path_of(&single), "Patient._birthDate");
        let alone = json!({"resourceType": "Patient", "name": [{"_given": [extension]}]});
        assert_eq!(issues(&alone), []);
    }

    #[test]
    fn a_choice_has_one_type() {
        let patient = json!({
            "resourceType": "Patient", "deceasedBoolean": true, "deceasedDateTime": "2020"
        });
        assert_eq!(issues(&patient)[0].1, IssueCode::Invariant);
        let extension = json!({
            "resourceType": "Patient", "deceasedBoolean": true, "_deceasedBoolean": {"id": "x"}
        });
        assert_eq!(issues(&extension), []);
    }

    #[test]
    fn a_code_outside_its_required_set_is_refused_and_not_repeated() {
        let patient = json!({"resourceType": "Patient", "gender": "SECRET"});
        let found = check(
            ResourceType::Patient,
            patient.as_object().expect("an object"),
            &ElementPath::Root("Bundle.entry[3].resource"),
        );
        let found = &found.listed()[0];
        assert_eq!(found.code, IssueCode::CodeInvalid);
        assert_eq!(
            found.expression.as_deref(),
            Some("Bundle.entry[3].resource.gender")
        );
        assert!(!found.diagnostics.contains("SECRET"));
    }

    #[test]
    fn the_number_of_issues_is_limited() {
        let names: Vec<Value> = (0..1000).map(|_| json!({"nick": 1})).collect();
        let patient = json!({"resourceType": "Patient", "name": names});
        assert_eq!(issues(&patient).len(), crate::limits::MAX_ISSUES);
    }
}
