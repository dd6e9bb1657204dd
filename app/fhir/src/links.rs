//! Replacement of links that are not references: `uri`, `url` and `uuid` elements, and the narrative's `href` and `src`.
//! R4 requires that a transaction replaces them like references. A `canonical` is kept, because it names a definition.
//! An `oid` is kept, although R4 lists it, because neither an address nor a UUID is a valid value of it: a resource with
//! one could not be sent back.

use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroize;

use crate::definitions::Definitions;
use crate::definitions::ElementType;
use crate::definitions::TypeDefinition;
use crate::definitions::definitions;
use crate::primitive::Primitive;

mod narrative;

/// A link, by the kind of its element.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Link<'t> {
    /// An address: `url` and `uri` elements, and links of a narrative.
    Address(&'t str),
    /// A name: `system`, and the `url` of an extension.
    Identifier(&'t str),
    /// `urn:uuid:` with a UUID.
    Uuid(&'t str),
}

impl<'t> Link<'t> {
    /// The text as sent.
    pub(crate) fn text(self) -> &'t str {
        match self {
            Self::Address(text) | Self::Identifier(text) | Self::Uuid(text) => text,
        }
    }
}

/// Replaces each link of a resource for which `replace` returns another.
pub(crate) fn replace_links(resource: &mut Value, replace: &dyn Fn(Link<'_>) -> Option<String>) {
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
    replace: &'r dyn Fn(Link<'_>) -> Option<String>,
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
        // The only type with elements for values of any type.
        let is_extension = self.definitions.element(definition, "valueUri").is_some();
        for (name, value) in object {
            if let Some(element) = self.definitions.element(definition, name) {
                let is_name = name == "system" || (is_extension && name == "url");
                self.element(&element.element_type, is_name, value);
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

    fn element(&self, element_type: &ElementType, is_name: bool, value: &mut Value) {
        match (element_type, value) {
            (ElementType::Complex(id), value) => {
                if let Some(definition) = self.definitions.get(*id) {
                    self.complex(definition, value);
                }
            }
            (_, Value::Array(items)) => items
                .iter_mut()
                .for_each(|item| self.element(element_type, is_name, item)),
            (ElementType::Resource, value) => self.resource(value),
            (ElementType::Primitive(primitive, _), Value::String(text)) => {
                let other = match primitive {
                    Primitive::Uri if is_name => (self.replace)(Link::Identifier(text)),
                    Primitive::Uri => (self.replace)(Link::Address(text)),
                    Primitive::Uuid => (self.replace)(Link::Uuid(text)),
                    Primitive::Xhtml => narrative::with_links(text, self.replace),
                    Primitive::Base64Binary
                    | Primitive::Boolean
                    | Primitive::Canonical
                    | Primitive::Code
                    | Primitive::Date
                    | Primitive::DateTime
                    | Primitive::Decimal
                    | Primitive::Id
                    | Primitive::Instant
                    | Primitive::Integer
                    | Primitive::Oid
                    | Primitive::PositiveInt
                    | Primitive::Text
                    | Primitive::Time
                    | Primitive::UnsignedInt => None,
                };
                if let Some(other) = other {
                    text.zeroize();
                    *text = other;
                }
            }
            (ElementType::Primitive(..), _) => {}
        }
    }
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
                {"url": "c", "valueString": "urn:x"},
                {"url": "c", "valueUrl": "urn:x"},
                {"url": "c", "valueUuid": "urn:x"},
                {"url": "c", "valueOid": "urn:x"}
            ],
            "contained": [{"resourceType": "Location", "implicitRules": "urn:x"}],
            "_status": {"extension": [{"url": "d", "valueUrl": "urn:x"}]}
        });
        replace_links(&mut resource, &|link| {
            (link.text() == "urn:x").then(|| "Y/1".to_owned())
        });
        let div = "<div><a href=\"Y/1\">x</a><img src='Y/1'/>urn:x <a href=\"b\"/></div>";
        assert_eq!(resource["text"]["div"], div);
        assert_eq!(resource["extension"][0]["valueUri"], "Y/1");
        assert_eq!(resource["extension"][1]["valueCanonical"], "urn:x");
        assert_eq!(resource["extension"][2]["valueString"], "urn:x");
        assert_eq!(resource["extension"][3]["valueUrl"], "Y/1");
        assert_eq!(resource["extension"][4]["valueUuid"], "Y/1");
        assert_eq!(resource["extension"][5]["valueOid"], "urn:x");
        assert_eq!(resource["contained"][0]["implicitRules"], "Y/1");
        assert_eq!(resource["_status"]["extension"][0]["valueUrl"], "Y/1");
    }

    #[test]
    fn a_system_and_the_url_of_an_extension_are_names() {
        let mut resource = json!({
            "resourceType": "Patient",
            "identifier": [{"system": "x", "value": "1"}],
            "extension": [{"url": "x", "valueAttachment": {"url": "x"}}],
        });
        replace_links(&mut resource, &|link| {
            matches!(link, Link::Address(_)).then(|| "Y/1".to_owned())
        });
        assert_eq!(resource["identifier"][0]["system"], "x");
        assert_eq!(resource["extension"][0]["url"], "x");
        assert_eq!(resource["extension"][0]["valueAttachment"]["url"], "Y/1");
    }
}
