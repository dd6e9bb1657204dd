//! Whether a JSON value is a resource of R4: elements, cardinalities, types and required codes.
//!
//! Not checked: invariants (`FHIRPath`), bindings that are not required, profiles, and what stands
//! inside contained resources.

use serde_json::Map;
use serde_json::Value;

use super::ElementPath;
use super::Issue;
use super::IssueCode;
use super::Issues;
use super::ResourceType;
use super::definitions::Definitions;
use super::definitions::Element;
use super::definitions::ElementType;
use super::definitions::Type;
use super::definitions::definitions;

pub(super) mod primitive;

/// What is wrong with a resource of a resource type; nothing, if it is sound.
pub(super) fn check(
    resource_type: ResourceType,
    resource: &Map<String, Value>,
    root: &ElementPath<'_>,
) -> Issues {
    let defined = definitions().ok();
    let Some((definitions, defined)) =
        defined.and_then(|all| Some((all, all.named(resource_type.name())?)))
    else {
        return unreadable().into();
    };
    walk(definitions, defined, resource, root, true)
}

/// What is wrong with an object of any type of the definitions, such as `Bundle.entry`.
pub(crate) fn object(name: &str, object: &Map<String, Value>, path: &ElementPath<'_>) -> Issues {
    let defined = definitions().ok();
    match defined.and_then(|all| Some((all, all.named(name)?))) {
        Some((definitions, defined)) => {
            walk(definitions, defined, object, path, !name.contains('.'))
        }
        None => unreadable().into(),
    }
}

fn unreadable() -> Issue {
    Issue::new(
        IssueCode::Exception,
        "the server's definitions are unreadable",
    )
}

fn walk(
    definitions: &Definitions,
    defined: &Type,
    object: &Map<String, Value>,
    path: &ElementPath<'_>,
    root: bool,
) -> Issues {
    let mut walk = Walk {
        definitions,
        issues: Issues::default(),
    };
    walk.object(defined, object, path, root);
    walk.issues
}

struct Walk<'d> {
    definitions: &'d Definitions,
    issues: Issues,
}

impl Walk<'_> {
    fn report(&mut self, place: &ElementPath<'_>, code: IssueCode, why: impl Into<String>) {
        self.issues.add(|| Issue::new(code, why.into()).at(place));
    }

    fn object(
        &mut self,
        of: &Type,
        object: &Map<String, Value>,
        place: &ElementPath<'_>,
        root: bool,
    ) {
        if object.is_empty() {
            self.report(place, IssueCode::Structure, "an object is never empty");
        }
        let mut chosen: Vec<(usize, &str)> = Vec::new();
        for (name, value) in object {
            if root && name == "resourceType" {
                continue;
            }
            let here = ElementPath::Field(place, name);
            let plain = name.strip_prefix('_').unwrap_or(name);
            let Some(element) = of.elements.get(plain) else {
                self.report(&here, IssueCode::Structure, "there is no such element here");
                continue;
            };
            if let Some(choice) = element.choice {
                if chosen
                    .iter()
                    .any(|(earlier, taken)| *earlier == choice && *taken != plain)
                {
                    let why = "only one type of this element may be there";
                    self.report(&here, IssueCode::Invariant, why);
                }
                chosen.push((choice, plain));
            }
            if plain.len() == name.len() {
                self.element(element, value, object.get(&format!("_{name}")), &here);
            } else {
                self.primitive_extension(element, value, object.get(plain), &here);
            }
        }
        for required in &of.required {
            let there = |name: &String| {
                object.contains_key(name) || object.contains_key(&format!("_{name}"))
            };
            if !required.names.iter().any(there) {
                let here = ElementPath::Field(place, required.name.trim_end_matches("[x]"));
                self.report(&here, IssueCode::Required, "this element is required");
            }
        }
    }

    /// An element: one value, or an array of at least one.
    fn element(
        &mut self,
        element: &Element,
        value: &Value,
        sibling: Option<&Value>,
        place: &ElementPath<'_>,
    ) {
        match (value, element.list) {
            (Value::Array(items), true) => {
                if items.is_empty() {
                    self.report(place, IssueCode::Structure, "an array is never empty");
                }
                for (index, item) in items.iter().enumerate() {
                    let extended = sibling.and_then(|sibling| sibling.get(index));
                    let excused = item.is_null() && extended.is_some_and(Value::is_object);
                    if !excused {
                        self.value(element, item, &ElementPath::Item(place, index));
                    }
                }
            }
            (_, true) => {
                self.report(place, IssueCode::Structure, "this element is an array");
            }
            (Value::Array(_), false) => {
                let why = "this element occurs once and is no array";
                self.report(place, IssueCode::Structure, why);
            }
            (_, false) => self.value(element, value, place),
        }
    }

    fn value(&mut self, element: &Element, value: &Value, place: &ElementPath<'_>) {
        match (&element.holds, value) {
            (ElementType::Primitive(primitive, codes), _) => {
                if let Err(why) = primitive.check(value) {
                    self.report(place, IssueCode::Value, why);
                } else if let (Some(codes), Some(code)) = (codes, value.as_str())
                    && !codes.iter().any(|known| known == code)
                {
                    let why = || format!("this code is none of: {}", codes.join(", "));
                    let issue = || Issue::new(IssueCode::CodeInvalid, why()).at(place);
                    self.issues.add(issue);
                }
            }
            (ElementType::Complex(id), Value::Object(object)) => {
                if let Some(of) = self.definitions.find(*id) {
                    self.object(of, object, place, false);
                }
            }
            (ElementType::Resource, Value::Object(object)) => {
                if !object.get("resourceType").is_some_and(Value::is_string) {
                    let here = ElementPath::Field(place, "resourceType");
                    self.report(&here, IssueCode::Required, "this element is required");
                }
            }
            (ElementType::Complex(_) | ElementType::Resource, _) => {
                self.report(place, IssueCode::Structure, "this element is an object");
            }
        }
    }

    /// `_birthDate` beside `birthDate`: the id and the extensions of a primitive.
    fn primitive_extension(
        &mut self,
        element: &Element,
        value: &Value,
        sibling: Option<&Value>,
        place: &ElementPath<'_>,
    ) {
        let ElementType::Primitive(..) = element.holds else {
            self.report(place, IssueCode::Structure, "there is no such element here");
            return;
        };
        match (value, element.list) {
            (Value::Array(items), true) => {
                let longest = sibling
                    .and_then(Value::as_array)
                    .map_or(usize::MAX, Vec::len);
                if items.is_empty() || items.len() > longest {
                    let why = "this array is empty or longer than the element's";
                    self.report(place, IssueCode::Structure, why);
                }
                for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_null()) {
                    self.extended(item, &ElementPath::Item(place, index));
                }
            }
            (_, true) => {
                self.report(place, IssueCode::Structure, "this element is an array");
            }
            (_, false) => self.extended(value, place),
        }
    }

    fn extended(&mut self, value: &Value, place: &ElementPath<'_>) {
        match (value, self.definitions.named("Element")) {
            (Value::Object(object), Some(of)) => self.object(of, object, place, false),
            _ => self.report(place, IssueCode::Structure, "this element is an object"),
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
            .expect("kept");
        check(
            resource_type,
            value.as_object().expect("an object"),
            &ElementPath::Root(resource_type.name()),
        )
        .listed()
        .iter()
        .map(|issue| (issue.expression.clone().expect("a place"), issue.code))
        .collect()
    }

    fn place_of(value: &Value) -> String {
        let mut found = issues(value);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).0
    }

    #[test]
    fn a_sound_patient_passes() {
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
    fn an_unknown_element_is_refused_at_its_place() {
        let patient = json!({"resourceType": "Patient", "name": [{}, {"nick": "x"}]});
        let found = issues(&patient);
        assert_eq!(found[0].0, "Patient.name[0]");
        assert_eq!(found[1].0, "Patient.name[1].nick");
    }

    #[test]
    fn a_wrong_type_is_refused_at_its_place() {
        let given = json!({"resourceType": "Patient", "name": [{"given": ["A", 7]}]});
        assert_eq!(place_of(&given), "Patient.name[0].given[1]");
        let name = json!({"resourceType": "Patient", "name": {"family": "A"}});
        assert_eq!(place_of(&name), "Patient.name");
        let date = json!({"resourceType": "Patient", "birthDate": "1981-02-29"});
        assert_eq!(place_of(&date), "Patient.birthDate");
        let gender = json!({"resourceType": "Patient", "gender": ["female"]});
        assert_eq!(place_of(&gender), "Patient.gender");
        let null = json!({"resourceType": "Patient", "name": [{"given": ["A", null]}]});
        assert_eq!(place_of(&null), "Patient.name[0].given[1]");
    }

    #[test]
    fn what_is_required_is_missed() {
        let condition = json!({"resourceType": "Condition"});
        assert_eq!(place_of(&condition), "Condition.subject");
        let request = json!({
            "resourceType": "MedicationRequest", "status": "active", "intent": "order",
            "subject": {"reference": "Patient/1"}
        });
        assert_eq!(place_of(&request), "MedicationRequest.medication");
    }

    #[test]
    fn the_extensions_of_a_list_are_a_list_no_longer_than_it() {
        let name = |given: Value, extended: Value| json!({"resourceType": "Patient", "name": [{"given": given, "_given": extended}]});
        let extension = json!({"extension": [{"url": "x", "valueCode": "u"}]});
        let sound = name(json!(["A", null]), json!([null, extension]));
        assert_eq!(issues(&sound), []);
        for extended in [extension.clone(), json!([]), json!([null, extension])] {
            let unsound = name(json!(["A"]), extended);
            assert_eq!(place_of(&unsound), "Patient.name[0]._given");
        }
        let single = json!({"resourceType": "Patient", "_birthDate": [{"id": "x"}]});
        assert_eq!(place_of(&single), "Patient._birthDate");
        let alone = json!({"resourceType": "Patient", "name": [{"_given": [extension]}]});
        assert_eq!(issues(&alone), []);
    }

    #[test]
    fn a_choice_is_made_once() {
        let patient = json!({
            "resourceType": "Patient", "deceasedBoolean": true, "deceasedDateTime": "2020"
        });
        assert_eq!(issues(&patient)[0].1, IssueCode::Invariant);
        let extended = json!({
            "resourceType": "Patient", "deceasedBoolean": true, "_deceasedBoolean": {"id": "x"}
        });
        assert_eq!(issues(&extended), []);
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
    fn the_list_of_issues_ends() {
        let names: Vec<Value> = (0..1000).map(|_| json!({"nick": 1})).collect();
        let patient = json!({"resourceType": "Patient", "name": names});
        assert_eq!(issues(&patient).len(), crate::limits::MAX_ISSUES);
    }
}
