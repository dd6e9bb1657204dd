//! HL7's R4 definitions as a lookup table, reduced to the supported types by
//! `definitions/extract_definitions.py`.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::primitive::Primitive;

/// The definitions of the supported types and of all data types that they use.
///
/// # Errors
///
/// The embedded table is invalid; a test verifies that it is not.
pub(super) fn definitions() -> Result<&'static Definitions, &'static InvalidDefinitions> {
    static LOADED: LazyLock<Result<Definitions, InvalidDefinitions>> =
        LazyLock::new(|| Definitions::load(include_str!("definitions/r4.json")));
    LOADED.as_ref()
}

/// The embedded table is invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidDefinitions {
    #[error("the embedded FHIR definitions are not JSON of the expected structure")]
    Syntax(#[from] serde_json::Error),
    #[error("the embedded FHIR definitions use a type or code set that they do not define: {0}")]
    Missing(String),
}

/// The type definitions by name.
pub(super) struct Definitions {
    types: Vec<TypeDefinition>,
    names: HashMap<String, TypeId>,
}

/// The index of a type in the table.
#[derive(Clone, Copy)]
pub(super) struct TypeId(usize);

/// The definition of a complex type.
#[derive(Default)]
pub(super) struct TypeDefinition {
    /// Elements by JSON name; a choice (`value[x]`) has an entry for each of its names.
    pub(super) elements: HashMap<String, ElementDefinition>,
    /// The elements that must be present.
    pub(super) required: Vec<RequiredElement>,
}

/// An element that must be present.
pub(super) struct RequiredElement {
    /// The element name, `value[x]` for a choice.
    pub(super) name: String,
    /// The JSON names, one of which must be present.
    pub(super) names: Vec<String>,
}

/// The definition of one element.
pub(super) struct ElementDefinition {
    /// The type of its values.
    pub(super) element_type: ElementType,
    /// Whether it is an array.
    pub(super) is_array: bool,
    /// The choice that it belongs to: only one name of a choice may be present.
    pub(super) choice: Option<usize>,
}

/// The type of an element's values.
pub(super) enum ElementType {
    /// A JSON string, number or boolean, with the codes of a required binding.
    Primitive(Primitive, Option<Vec<String>>),
    /// An object of a type of the table.
    Complex(TypeId),
    /// A contained resource.
    Resource,
}

impl Definitions {
    /// The definition with this name.
    pub(super) fn by_name(&self, name: &str) -> Option<&TypeDefinition> {
        self.names.get(name).and_then(|id| self.get(*id))
    }

    /// The definition at this index.
    pub(super) fn get(&self, id: TypeId) -> Option<&TypeDefinition> {
        self.types.get(id.0)
    }

    fn load(json: &str) -> Result<Self, InvalidDefinitions> {
        let table: Table = serde_json::from_str(json)?;
        let ids = (0..).map(TypeId);
        let names: HashMap<String, TypeId> = table.types.keys().cloned().zip(ids).collect();
        let types = table
            .types
            .values()
            .map(|rows| table.build(rows, &names))
            .collect::<Result<_, _>>()?;
        Ok(Self { types, names })
    }
}

/// The embedded table as it is stored.
#[derive(Deserialize)]
struct Table {
    codes: HashMap<String, Vec<String>>,
    types: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Table {
    fn build(
        &self,
        rows: &BTreeMap<String, Vec<String>>,
        names: &HashMap<String, TypeId>,
    ) -> Result<TypeDefinition, InvalidDefinitions> {
        let mut built = TypeDefinition::default();
        for (choice, (name, row)) in rows.iter().enumerate() {
            let Some((cardinality, types)) = row.split_first() else {
                continue;
            };
            // A choice such as `value[x]` has one JSON name for each of its types.
            let stem = name.strip_suffix("[x]");
            let mut json_names = Vec::new();
            for type_name in types.iter().filter(|name| !name.starts_with('=')) {
                let element = ElementDefinition {
                    element_type: self.element_type(type_name, types, names)?,
                    is_array: cardinality.ends_with('*'),
                    choice: stem.map(|_| choice),
                };
                let json_name =
                    stem.map_or_else(|| name.clone(), |stem| choice_name(stem, type_name));
                json_names.push(json_name.clone());
                built.elements.insert(json_name, element);
            }
            if !cardinality.starts_with('0') {
                built.required.push(RequiredElement {
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
        types: &[String],
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
        let binding = types.iter().find_map(|name| name.strip_prefix("= "));
        let codes = match binding {
            Some(set) => Some(self.codes.get(set).cloned().ok_or_else(missing)?),
            None => None,
        };
        Ok(ElementType::Primitive(primitive, codes))
    }
}

/// The JSON name of a choice: `value` and `dateTime` give `valueDateTime`.
fn choice_name(stem: &str, type_name: &str) -> String {
    let mut letters = type_name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    stem.chars().chain(first).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ResourceType;
    use super::*;

    #[test]
    fn every_supported_type_is_defined() {
        let definitions = definitions().expect("valid");
        for resource_type in ResourceType::ALL {
            assert!(
                definitions.by_name(resource_type.name()).is_some(),
                "{resource_type}"
            );
        }
        assert!(definitions.by_name("Element").is_some());
    }

    #[test]
    fn a_choice_has_an_entry_for_each_of_its_names() {
        let definitions = definitions().expect("valid");
        let patient = definitions.by_name("Patient").expect("defined");
        let boolean = patient.elements["deceasedBoolean"].choice;
        assert!(boolean.is_some());
        assert_eq!(boolean, patient.elements["deceasedDateTime"].choice);
        assert!(!patient.elements.contains_key("deceased[x]"));
    }

    #[test]
    fn every_owner_path_leads_to_a_reference() {
        let definitions = definitions().expect("valid");
        for resource_type in ResourceType::ALL {
            for path in resource_type.owner_paths() {
                let mut of = definitions.by_name(resource_type.name());
                let mut last = None;
                for segment in path.split('.') {
                    let name = segment.trim_end_matches("[]");
                    let element = &of.expect("a complex type").elements[name];
                    assert_eq!(element.is_array, segment.ends_with("[]"), "{path}");
                    of = match element.element_type {
                        ElementType::Complex(id) => definitions.get(id),
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
