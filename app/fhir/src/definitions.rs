//! HL7's R4 definitions, reduced to the supported types
//! (`definitions/extract_definitions.py`), as a lookup table.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::validate::primitive::Primitive;

/// The definitions of the supported types and of every data type that they use.
///
/// # Errors
///
/// The embedded table is not sound; a test shows that it is.
pub(super) fn definitions() -> Result<&'static Definitions, &'static InvalidDefinitions> {
    static LOADED: LazyLock<Result<Definitions, InvalidDefinitions>> =
        LazyLock::new(|| Definitions::load(include_str!("definitions/r4.json")));
    LOADED.as_ref()
}

/// The embedded table is not sound.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidDefinitions {
    #[error("the embedded FHIR definitions are no JSON of the expected shape")]
    Syntax(#[from] serde_json::Error),
    #[error("the embedded FHIR definitions name what they do not define: {0}")]
    Missing(String),
}

/// All types, found by name.
pub(super) struct Definitions {
    types: Vec<Type>,
    names: HashMap<String, TypeId>,
}

/// A type's place in the table.
#[derive(Clone, Copy)]
pub(super) struct TypeId(usize);

/// A complex type: its elements under the names that JSON gives them.
#[derive(Default)]
pub(super) struct Type {
    /// By JSON name; a choice (`value[x]`) stands under each of its names.
    pub(super) elements: HashMap<String, Element>,
    /// What must be there: one of the names each.
    pub(super) required: Vec<Required>,
}

/// An element that must be there.
pub(super) struct Required {
    /// The element's name, `value[x]` for a choice.
    pub(super) name: String,
    /// Its JSON names.
    pub(super) names: Vec<String>,
}

/// One element of a type.
pub(super) struct Element {
    /// What it holds.
    pub(super) holds: ElementType,
    /// Whether it is an array.
    pub(super) list: bool,
    /// Which choice of its type it belongs to: only one name of a choice may be there.
    pub(super) choice: Option<usize>,
}

/// What an element holds.
pub(super) enum ElementType {
    /// A JSON string, number or boolean.
    Primitive(Primitive, Option<Vec<String>>),
    /// An object of a type of the table.
    Complex(TypeId),
    /// A contained resource.
    Resource,
}

impl Definitions {
    /// The type of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Type> {
        self.names.get(name).and_then(|id| self.find(*id))
    }

    /// The type at this place.
    pub(super) fn find(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id.0)
    }

    fn load(json: &str) -> Result<Self, InvalidDefinitions> {
        let raw: Raw = serde_json::from_str(json)?;
        let ids = (0..).map(TypeId);
        let names: HashMap<String, TypeId> = raw.types.keys().cloned().zip(ids).collect();
        let types = raw
            .types
            .values()
            .map(|rows| raw.build(rows, &names))
            .collect::<Result<_, _>>()?;
        Ok(Self { types, names })
    }
}

#[derive(Deserialize)]
struct Raw {
    codes: HashMap<String, Vec<String>>,
    types: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Raw {
    fn build(
        &self,
        rows: &BTreeMap<String, Vec<String>>,
        names: &HashMap<String, TypeId>,
    ) -> Result<Type, InvalidDefinitions> {
        let mut built = Type::default();
        for (choice, (name, row)) in rows.iter().enumerate() {
            let Some((cardinality, held)) = row.split_first() else {
                continue;
            };
            let stem = name.strip_suffix("[x]");
            let mut json_names = Vec::new();
            for type_name in held.iter().filter(|held| !held.starts_with('=')) {
                let element = Element {
                    holds: self.element_type(type_name, held, names)?,
                    list: cardinality.ends_with('*'),
                    choice: stem.map(|_| choice),
                };
                let json_name = stem.map_or_else(|| name.clone(), |stem| joined(stem, type_name));
                json_names.push(json_name.clone());
                built.elements.insert(json_name, element);
            }
            if !cardinality.starts_with('0') {
                built.required.push(Required {
                    name: name.clone(),
                    names: json_names,
                });
            }
        }
        Ok(built)
    }

    fn element_type(
        &self,
        type_name: &str,
        held: &[String],
        names: &HashMap<String, TypeId>,
    ) -> Result<ElementType, InvalidDefinitions> {
        if type_name == "Resource" {
            return Ok(ElementType::Resource);
        }
        if let Some(id) = names.get(type_name) {
            return Ok(ElementType::Complex(*id));
        }
        let missing = || InvalidDefinitions::Missing(type_name.to_owned());
        let primitive = Primitive::named(type_name).ok_or_else(missing)?;
        let bound = held.iter().find_map(|held| held.strip_prefix("= "));
        let codes = match bound {
            Some(set) => Some(self.codes.get(set).cloned().ok_or_else(missing)?),
            None => None,
        };
        Ok(ElementType::Primitive(primitive, codes))
    }
}

/// `value` and `dateTime` give `valueDateTime`.
fn joined(stem: &str, type_name: &str) -> String {
    let mut letters = type_name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    stem.chars().chain(first).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ResourceType;
    use super::*;

    #[test]
    fn every_kept_kind_is_defined() {
        let definitions = definitions().expect("sound");
        for resource_type in ResourceType::ALL {
            assert!(
                definitions.named(resource_type.name()).is_some(),
                "{resource_type}"
            );
        }
        assert!(definitions.named("Element").is_some());
    }

    #[test]
    fn a_choice_stands_under_each_of_its_names() {
        let definitions = definitions().expect("sound");
        let patient = definitions.named("Patient").expect("defined");
        let boolean = patient.elements["deceasedBoolean"].choice;
        assert!(boolean.is_some());
        assert_eq!(boolean, patient.elements["deceasedDateTime"].choice);
        assert!(!patient.elements.contains_key("deceased[x]"));
    }

    #[test]
    fn every_owner_path_leads_to_a_reference() {
        let definitions = definitions().expect("sound");
        for resource_type in ResourceType::ALL {
            for path in resource_type.owner_paths() {
                let mut of = definitions.named(resource_type.name());
                let mut last = None;
                for segment in path.split('.') {
                    let name = segment.trim_end_matches("[]");
                    let element = &of.expect("a complex type").elements[name];
                    assert_eq!(element.list, segment.ends_with("[]"), "{path}");
                    of = match element.holds {
                        ElementType::Complex(id) => definitions.find(id),
                        ElementType::Primitive(..) | ElementType::Resource => None,
                    };
                    last = of;
                }
                assert!(
                    last.expect("defined").elements.contains_key("reference"),
                    "{path}"
                );
            }
        }
    }
}
