//! Links of a resource that are no references: `uri` and `url` elements, and the narrative's `href`
//! and `src`. R4 lets a transaction replace them as it replaces references; a `canonical` stays,
//! since it names a definition, and so do `oid` and `uuid`, which a server's address would not fit.

use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::definitions::Definitions;
use crate::definitions::ElementType;
use crate::definitions::Type;
use crate::definitions::definitions;
use crate::validate::primitive::Primitive;

/// What a link is replaced by, if by anything.
type Replace<'r> = &'r dyn Fn(&str) -> Option<String>;

/// Replaces the links of a resource.
pub(crate) fn replace_links(resource: &mut Value, replace: Replace<'_>) {
    if let Ok(definitions) = definitions() {
        Walk {
            definitions,
            replace,
        }
        .resource(resource);
    }
}

struct Walk<'d, 'r> {
    definitions: &'d Definitions,
    replace: Replace<'r>,
}

impl Walk<'_, '_> {
    fn resource(&self, value: &mut Value) {
        let name = value.get("resourceType").and_then(Value::as_str);
        // Contained resources of other types have no definition here; their links stay.
        let of = name.and_then(|name| self.definitions.named(name));
        if let (Some(of), Some(object)) = (of, value.as_object_mut()) {
            self.object(of, object);
        }
    }

    fn object(&self, of: &Type, object: &mut Map<String, Value>) {
        for (name, value) in object {
            if let Some(element) = of.elements.get(name.as_str()) {
                self.each(&element.holds, value);
            } else if name.starts_with('_')
                && let Some(of) = self.definitions.named("Element")
            {
                self.complex(of, value);
            }
        }
    }

    fn complex(&self, of: &Type, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.complex(of, item)),
            Value::Object(object) => self.object(of, object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn each(&self, holds: &ElementType, value: &mut Value) {
        match (holds, value) {
            (ElementType::Complex(id), value) => {
                if let Some(of) = self.definitions.find(*id) {
                    self.complex(of, value);
                }
            }
            (_, Value::Array(items)) => items.iter_mut().for_each(|item| self.each(holds, item)),
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

/// A narrative with its links replaced; `None` if it has none of them.
fn narrative(text: &str, replace: Replace<'_>) -> Option<String> {
    let mut done = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2)));
    let mut rest = text;
    let mut changed = false;
    while let Some((before, quote)) = next_link(rest) {
        let (head, tail) = rest.split_at(before);
        let end = tail.find(quote)?;
        let (link, tail) = tail.split_at(end);
        done.push_str(head);
        if let Some(other) = replace(link) {
            changed = true;
            done.push_str(&other);
        } else {
            done.push_str(link);
        }
        rest = tail;
    }
    done.push_str(rest);
    changed.then(|| std::mem::take(&mut *done))
}

/// Where the value of the next `href` or `src` begins, and its quotation mark.
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
