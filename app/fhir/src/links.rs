//! Replacement of links that are not references: `uri` and `url` elements, and the narrative's `href`
//! and `src`. R4 requires that a transaction replaces them like references. A `canonical` is kept,
//! because it names a definition; `oid` and `uuid` are kept, although R4 lists them, because an address is
//! not a valid value of these types.

use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::definitions::Definitions;
use crate::definitions::ElementType;
use crate::definitions::TypeDefinition;
use crate::definitions::definitions;
use crate::primitive::Primitive;

/// Replaces each link of a resource for which `replace` returns another.
pub(crate) fn replace_links(resource: &mut Value, replace: &dyn Fn(&str) -> Option<String>) {
    if let Ok(definitions) = definitions() {
        LinkReplacer {
            definitions,
            replace,
        }
        .resource(resource);
    }
}

struct LinkReplacer<'d, 'r> {
    definitions: &'d Definitions,
    replace: &'r dyn Fn(&str) -> Option<String>,
}

impl LinkReplacer<'_, '_> {
    fn resource(&self, value: &mut Value) {
        let name = value.get("resourceType").and_then(Value::as_str);
        // A contained resource of another type has no definition here; its links are kept.
        let definition = name.and_then(|name| self.definitions.by_name(name));
        if let (Some(definition), Some(object)) = (definition, value.as_object_mut()) {
            self.object(definition, object);
        }
    }

    fn object(&self, definition: &TypeDefinition, object: &mut Map<String, Value>) {
        for (name, value) in object {
            if let Some(element) = self.definitions.element(definition, name) {
                self.element(&element.element_type, value);
            } else if name.starts_with('_')
                && let Some(extension) = self.definitions.by_name("Element")
            {
                self.complex(extension, value);
            }
        }
    }

    fn complex(&self, definition: &TypeDefinition, value: &mut Value) {
        match value {
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.complex(definition, item)),
            Value::Object(object) => self.object(definition, object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn element(&self, element_type: &ElementType, value: &mut Value) {
        match (element_type, value) {
            (ElementType::Complex(id), value) => {
                if let Some(definition) = self.definitions.get(*id) {
                    self.complex(definition, value);
                }
            }
            (_, Value::Array(items)) => items
                .iter_mut()
                .for_each(|item| self.element(element_type, item)),
            (ElementType::Resource, value) => self.resource(value),
            (ElementType::Primitive(Primitive::Uri, _), Value::String(text)) => {
                if let Some(other) = (self.replace)(text) {
                    *text = other;
                }
            }
            (ElementType::Primitive(Primitive::Xhtml, _), Value::String(text)) => {
                if let Some(other) = narrative(text, self.replace) {
                    *text = other;
                }
            }
            (ElementType::Primitive(..), _) => {}
        }
    }
}

/// A narrative with its links replaced; `None` if no link changes.
fn narrative(text: &str, replace: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut output = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2)));
    let mut rest = text;
    let mut changed = false;
    while let Some((before, quote)) = next_link(rest) {
        let (head, tail) = rest.split_at(before);
        let end = tail.find(quote)?;
        let (link, tail) = tail.split_at(end);
        output.push_str(head);
        if let Some(other) = replace(link) {
            changed = true;
            output.push_str(&other);
        } else {
            output.push_str(link);
        }
        rest = tail;
    }
    output.push_str(rest);
    changed.then(|| std::mem::take(&mut *output))
}

/// The offset of the value of the next `href` or `src`, and its quotation mark.
fn next_link(text: &str) -> Option<(usize, char)> {
    [
        ("href=\"", '"'),
        ("src=\"", '"'),
        ("href='", '\''),
        ("src='", '\''),
    ]
    .into_iter()
    .filter_map(|(name, quote)| Some((text.find(name)?.saturating_add(name.len()), quote)))
    .min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn uris_and_the_narrative_are_replaced_and_canonicals_are_not() {
        let mut resource = json!({
            "resourceType": "Observation",
            "text": {"div": "<div><a href=\"urn:x\">x</a><img src='urn:x'/>urn:x <a href=\"b\"/></div>"},
            "extension": [
                {"url": "a", "valueUri": "urn:x"},
                {"url": "b", "valueCanonical": "urn:x"},
                {"url": "c", "valueString": "urn:x"}
            ],
            "contained": [{"resourceType": "Location", "implicitRules": "urn:x"}],
            "_status": {"extension": [{"url": "d", "valueUrl": "urn:x"}]}
        });
        replace_links(&mut resource, &|link| {
            (link == "urn:x").then(|| "Y/1".to_owned())
        });
        let div = "<div><a href=\"Y/1\">x</a><img src='Y/1'/>urn:x <a href=\"b\"/></div>";
        assert_eq!(resource["text"]["div"], div);
        assert_eq!(resource["extension"][0]["valueUri"], "Y/1");
        assert_eq!(resource["extension"][1]["valueCanonical"], "urn:x");
        assert_eq!(resource["extension"][2]["valueString"], "urn:x");
        assert_eq!(resource["contained"][0]["implicitRules"], "Y/1");
        assert_eq!(resource["_status"]["extension"][0]["valueUrl"], "Y/1");
    }
}
