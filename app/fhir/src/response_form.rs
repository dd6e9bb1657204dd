//! The form of a response: the elements that are sent, and white space (R4 3.1.0.1.5, 3.1.1.5.8 and 3.1.1.5.9).

use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::Resource;
use crate::ResourceType;
use crate::definitions::TypeDefinition;
use crate::definitions::definitions;
use crate::search::ResultParameters;
use crate::search::SummaryMode;
use crate::subset::tag;

/// The elements that every subset has.
const ALWAYS: [&str; 3] = ["resourceType", "id", "meta"];
/// The indentation of a level, in spaces.
const INDENT: usize = 2;

/// The form in which a client requests resources: `_summary`, `_elements` and `_pretty`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseForm {
    summary: SummaryMode,
    elements: Vec<String>,
    is_pretty: bool,
}

impl From<&ResultParameters> for ResponseForm {
    fn from(results: &ResultParameters) -> Self {
        Self {
            summary: results.summary,
            elements: results.elements.clone(),
            is_pretty: results.is_pretty,
        }
    }
}

impl ResponseForm {
    /// Adds one of the parameters `_summary`, `_elements` and `_pretty`; others have no effect.
    ///
    /// # Errors
    ///
    /// An issue for an invalid value.
    pub(crate) fn add(
        &mut self,
        resource_type: ResourceType,
        name: &str,
        value: &str,
    ) -> Result<(), Issue> {
        let mut results = ResultParameters::default();
        if let Some(set) = results.add(resource_type, name, value) {
            set?;
        }
        match name {
            "_summary" => self.summary = results.summary,
            "_elements" => self.elements.append(&mut results.elements),
            "_pretty" => self.is_pretty = results.is_pretty,
            _ => {}
        }
        Ok(())
    }

    /// The form that a query string requests. `_format` is the HTTP layer's.
    ///
    /// # Errors
    ///
    /// 400 for a parameter that does not concern the form, or an invalid value.
    pub fn parse(resource_type: ResourceType, query: &str) -> Result<Self, OperationOutcome> {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let set = match &*name {
                "_format" => Ok(()),
                "_summary" | "_elements" | "_pretty" => form.add(resource_type, &name, &value),
                _ => {
                    let why = "this interaction has the parameters _format, _pretty, _summary and _elements only";
                    Err(Issue::new(IssueCode::NotSupported, why))
                }
            };
            set.map_err(OperationOutcome::bad_request)?;
        }
        if form.is_count() {
            let why = "_summary=count is for searches";
            let issue = Issue::new(IssueCode::Value, why).at("_summary");
            return Err(OperationOutcome::bad_request(issue));
        }
        Ok(form)
    }

    /// Whether no resources are sent, only their number.
    #[must_use]
    pub fn is_count(&self) -> bool {
        self.summary == SummaryMode::Count
    }

    /// The resource with the requested elements, and those that its type requires. A subset is tagged `SUBSETTED`, so
    /// that it is not mistaken for the whole resource and stored.
    #[must_use]
    pub fn subset(&self, mut resource: Resource) -> Resource {
        let resource_type = resource.resource_type();
        let Some(object) = resource.value_mut().as_object_mut() else {
            return resource;
        };
        let definition = definition(resource_type);
        let required = |name: &str| definition.is_some_and(|it| is_required(it, name));
        let summarized = |name: &str| definition.is_some_and(|it| is_summary(it, name));
        let listed = |name: &str| {
            let mut elements = self.elements.iter();
            elements.any(|element| {
                element == name || definition.is_some_and(|it| is_choice(it, element, name))
            })
        };
        let is_kept = |name: &str| {
            // The companion of a primitive element, such as `_birthDate`, belongs to it.
            let name = name.strip_prefix('_').unwrap_or(name);
            let always = ALWAYS.contains(&name) || required(name);
            match self.summary {
                SummaryMode::Text => always || name == "text",
                SummaryMode::Data => name != "text",
                SummaryMode::Summary => always || summarized(name),
                SummaryMode::Whole | SummaryMode::Count => {
                    self.elements.is_empty() || always || listed(name)
                }
            }
        };
        let mut is_subset = false;
        object.retain(|name, value| {
            let kept = is_kept(name);
            if !kept {
                crate::sensitive_json::zeroize_strings(value);
                is_subset = true;
            }
            kept
        });
        if is_subset {
            tag(&mut resource);
        }
        resource
    }

    /// The bytes of a JSON document in the requested form.
    #[must_use]
    pub fn render(&self, json: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        if self.is_pretty {
            indented(&json)
        } else {
            json
        }
    }
}

/// R4's definition of a type.
fn definition(resource_type: ResourceType) -> Option<&'static TypeDefinition> {
    let all = definitions().ok()?;
    all.by_name(resource_type.name())
}

/// Whether R4 requires an element; a choice by any of its names.
fn is_required(definition: &TypeDefinition, name: &str) -> bool {
    let mut required = definition.required.iter();
    required.any(|element| element.names.iter().any(|known| known == name))
}

/// Whether a name is that of a type of a choice: `valueQuantity` of `value[x]`.
fn is_choice(definition: &TypeDefinition, stem: &str, name: &str) -> bool {
    let rest = name.strip_prefix(stem).unwrap_or_default();
    let all = definitions().ok();
    let element = all.and_then(|all| all.element(definition, name));
    rest.starts_with(|first: char| first.is_ascii_uppercase())
        && element.is_some_and(|element| element.choice.is_some())
}

/// Whether R4's summary of a resource has an element.
fn is_summary(definition: &TypeDefinition, name: &str) -> bool {
    let all = definitions().ok();
    let element = all.and_then(|all| all.element(definition, name));
    element.is_some_and(|element| element.is_summary)
}

/// A JSON document with line breaks and indentation. Text is copied as it is.
fn indented(json: &[u8]) -> Zeroizing<Vec<u8>> {
    // The capacity covers the usual case: a reallocation would leave a copy in memory.
    let mut output = Zeroizing::new(Vec::with_capacity(json.len().saturating_mul(3)));
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if in_text {
            output.push(byte);
            in_text = is_escaped || byte != b'"';
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        match byte {
            b'{' | b'[' => {
                output.push(byte);
                if matches!(bytes.peek(), Some(b'}' | b']')) {
                    output.extend(bytes.next());
                } else {
                    depth = depth.saturating_add(1);
                    new_line(&mut output, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut output, depth);
                output.push(byte);
            }
            b',' => {
                output.push(byte);
                new_line(&mut output, depth);
            }
            b':' => output.extend_from_slice(b": "),
            b'"' => {
                output.push(byte);
                in_text = true;
            }
            b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => output.push(byte),
        }
    }
    output.push(b'\n');
    output
}

fn new_line(output: &mut Zeroizing<Vec<u8>>, depth: usize) {
    let needed = depth.saturating_mul(INDENT).saturating_add(1);
    if output.capacity().saturating_sub(output.len()) < needed {
        let mut larger = Vec::with_capacity(output.capacity().saturating_mul(2).max(needed));
        larger.extend_from_slice(output);
        output.zeroize();
        **output = larger;
    }
    output.push(b'\n');
    output.extend(std::iter::repeat_n(b' ', depth.saturating_mul(INDENT)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    fn form(query: &str) -> ResponseForm {
        ResponseForm::parse(ResourceType::Observation, query).expect("valid")
    }

    fn subset(query: &str) -> Value {
        let observation = json!({
            "resourceType": "Observation", "id": "c757873d-ec9a-4326-a141-556f43239520",
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
            "status": "final", "code": {"text": "x"}, "_issued": {"id": "a"},
            "issued": "2026-01-01T00:00:00Z", "valueString": "y", "note": [{"text": "z"}]
        });
        let resource = Resource::parse(observation.to_string().as_bytes()).expect("valid");
        form(query).subset(resource).value().clone()
    }

    fn names(value: &Value) -> Vec<&str> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect()
    }

    #[test]
    fn a_subset_has_the_requested_and_the_required_elements_and_a_tag() {
        assert!(subset("_elements=value").get("valueString").is_some());
        let issued = subset("_elements=issued");
        assert_eq!(
            names(&issued),
            [
                "resourceType",
                "id",
                "status",
                "code",
                "_issued",
                "issued",
                "meta"
            ]
        );
        assert_eq!(issued["meta"]["tag"][0]["code"], "SUBSETTED");
        assert_eq!(names(&subset("_summary=text")).len(), 6);
        let summary = subset("_summary=true");
        assert_eq!(summary["valueString"], "y");
        assert_eq!(summary["issued"], "2026-01-01T00:00:00Z");
        assert!(summary.get("text").is_none() && summary.get("note").is_none());
        assert_eq!(summary["meta"]["tag"][0]["code"], "SUBSETTED");
        assert!(subset("_summary=data").get("text").is_none());
        let whole = subset("_summary=false");
        assert!(whole.get("meta").is_none() && whole.get("text").is_some());
    }

    #[test]
    fn a_subset_is_not_stored() {
        let subset = subset("_elements=issued").to_string();
        let subset = Resource::parse(subset.as_bytes()).expect("valid");
        let refused = crate::subset::refuse_subset(&subset, "Observation").expect_err("refused");
        assert_eq!(refused.expression.as_deref(), Some("Observation.meta.tag"));
    }

    #[test]
    fn other_parameters_are_refused_without_their_values() {
        for query in [
            "name=Smith",
            "_summary=count",
            "_summary=Smith",
            "_elements=a b",
            "_elements=Smith",
            "_elements=code,Smith",
            "_elements=Patient.Smith",
            "_elements=Smith.code",
        ] {
            let refused = ResponseForm::parse(ResourceType::Observation, query);
            let text = refused.expect_err(query).to_json().to_string();
            assert!(!text.contains("Smith"), "{text}");
        }
        let rendered = form("_format=json").render(Zeroizing::new(b"{}".to_vec()));
        assert_eq!(rendered.as_slice(), b"{}");
    }

    proptest! {
        #[test]
        fn indentation_changes_white_space_only(text in "[a-z\"\\\\:,{}\\[\\] é]{0,12}", number in any::<i64>()) {
            let value = json!({"a": [text, {}, [], {"b": number}], "c": {"d": text}});
            let plain = Zeroizing::new(value.to_string().into_bytes());
            let pretty = form("_pretty=true").render(plain);
            prop_assert!(pretty.contains(&b'\n'));
            prop_assert_eq!(serde_json::from_slice::<Value>(&pretty).expect("JSON"), value);
        }
    }
}
