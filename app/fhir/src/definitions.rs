//! HL7's R4 definitions as a lookup table, reduced by `definitions/extract_definitions.py`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::primitive::Primitive;

/// The definitions of all resource types of R4 and of the data types that they use.
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
    Missing(&'static str),
    #[error("the embedded FHIR definitions have an element without cardinality: {0}")]
    Cardinality(&'static str),
}

/// The type definitions by name.
pub(super) struct Definitions {
    /// In the order of their names.
    types: Vec<TypeDefinition>,
    names: Vec<&'static str>,
    code_sets: Vec<Vec<&'static str>>,
    /// The names of the concrete resource types, sorted.
    resources: Vec<&'static str>,
}

/// The index of a type in the table.
#[derive(Clone, Copy)]
pub(super) struct TypeId(usize);

/// The index of a code set in the table.
#[derive(Clone, Copy)]
pub(super) struct CodeSetId(usize);

/// The definition of a complex type.
pub(super) struct TypeDefinition {
    /// The type whose elements it has besides its own.
    base: Option<TypeId>,
    /// Its own elements by JSON name, sorted; a choice (`value[x]`) has an entry for each of its names.
    elements: Vec<(String, ElementDefinition)>,
    /// The stems of its choices, sorted: `value` of `value[x]`.
    choices: Vec<&'static str>,
    /// The elements that must be present; the types that others inherit from require none.
    pub(super) required: Vec<RequiredElement>,
}

/// An element that must be present.
pub(super) struct RequiredElement {
    /// The element name, `value[x]` for a choice.
    pub(super) name: &'static str,
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
    /// Whether it is an element of a resource that R4's summaries have.
    pub(super) is_summary: bool,
}

/// The type of an element's values.
#[derive(Clone, Copy)]
pub(super) enum ElementType {
    /// A JSON string, number or boolean, with the codes of a required binding.
    Primitive(Primitive, Option<CodeSetId>),
    /// An object of a type of the table.
    Complex(TypeId),
    /// A resource of any type.
    Resource,
}

impl Definitions {
    /// The definition with this name.
    pub(super) fn by_name(&self, name: &str) -> Option<&TypeDefinition> {
        position(&self.names, name).and_then(|id| self.get(TypeId(id)))
    }

    /// The definition of the resource type with this name.
    pub(super) fn resource(&self, name: &str) -> Option<&TypeDefinition> {
        position(&self.resources, name).and_then(|_| self.by_name(name))
    }

    /// The definition at this index.
    pub(super) fn get(&self, id: TypeId) -> Option<&TypeDefinition> {
        self.types.get(id.0)
    }

    /// The codes of a required binding.
    pub(super) fn codes(&self, id: CodeSetId) -> &[&'static str] {
        self.code_sets.get(id.0).map_or(&[], Vec::as_slice)
    }

    /// A type's element with this JSON name, its own or an inherited one.
    pub(super) fn element<'d>(
        &'d self,
        mut definition: &'d TypeDefinition,
        name: &str,
    ) -> Option<&'d ElementDefinition> {
        loop {
            let elements = &definition.elements;
            let found = elements.binary_search_by(|(other, _)| other.as_str().cmp(name));
            if let Ok(index) = found {
                return elements.get(index).map(|(_, element)| element);
            }
            // `Table::build` permits only a base that is earlier in the chain of `BASES`: no circle.
            definition = self.get(definition.base?)?;
        }
    }

    /// Whether any type has an element with this JSON name, or a choice with this stem, such as `value` of `value[x]`.
    pub(super) fn has_name(&self, name: &str) -> bool {
        self.types.iter().any(|it| it.has_name(name))
    }

    /// Whether a type, or one from which it inherits, has an element with this JSON name, or a choice with this stem.
    pub(super) fn has_element<'d>(
        &'d self,
        mut definition: &'d TypeDefinition,
        name: &str,
    ) -> bool {
        while !definition.has_name(name) {
            match definition.base.and_then(|base| self.get(base)) {
                Some(base) => definition = base,
                None => return false,
            }
        }
        true
    }

    fn load(json: &'static str) -> Result<Self, InvalidDefinitions> {
        let table: Table = serde_json::from_str(json)?;
        let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
        let names = Names {
            types: table.types.keys().copied().collect(),
            code_sets: table.codes.keys().copied().collect(),
        };
        let types = table.types.iter();
        let types = types.map(|(name, rows)| names.build(name, rows));
        Ok(Self {
            types: types.collect::<Result<_, _>>()?,
            code_sets: table.codes.values().copied().map(words).collect(),
            resources: words(table.resources),
            names: names.types,
        })
    }
}

impl TypeDefinition {
    /// Whether it has an element of its own with this JSON name, or a choice with this stem.
    fn has_name(&self, name: &str) -> bool {
        let element = self
            .elements
            .binary_search_by(|(other, _)| other.as_str().cmp(name));
        element.is_ok() || position(&self.choices, name).is_some()
    }
}

/// The index of a name in a sorted list.
fn position(names: &[&str], name: &str) -> Option<usize> {
    names.binary_search_by(|other| (*other).cmp(name)).ok()
}

/// The embedded table as it is stored.
#[derive(Deserialize)]
struct Table {
    #[serde(borrow)]
    resources: &'static str,
    #[serde(borrow)]
    codes: BTreeMap<&'static str, &'static str>,
    #[serde(borrow)]
    types: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
}

/// The names to which the rows of the table refer, sorted.
struct Names {
    types: Vec<&'static str>,
    code_sets: Vec<&'static str>,
}

/// The types from which others inherit. Those after the first may themselves inherit from a later one.
const BASES: [&str; 5] = [
    "DomainResource",
    "Quantity",
    "Resource",
    "BackboneElement",
    "Element",
];

impl Names {
    fn build(
        &self,
        name: &'static str,
        rows: &BTreeMap<&'static str, &'static str>,
    ) -> Result<TypeDefinition, InvalidDefinitions> {
        let mut built = TypeDefinition {
            base: rows.get("").map(|base| self.base(name, base)).transpose()?,
            elements: Vec::with_capacity(rows.len()),
            choices: rows
                .keys()
                .filter_map(|it| it.strip_suffix("[x]"))
                .collect(),
            required: Vec::new(),
        };
        for (choice, (name, row)) in rows.iter().enumerate() {
            if !name.is_empty() {
                self.add(&mut built, choice, name, row)?;
            }
        }
        built.elements.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(built)
    }

    fn base(&self, name: &str, base: &'static str) -> Result<TypeId, InvalidDefinitions> {
        let rank = |name: &str| BASES.iter().position(|base| *base == name);
        let missing = InvalidDefinitions::Missing(base);
        let is_later = rank(base).is_some_and(|at| rank(name).is_none_or(|own| own < at));
        let id = position(&self.types, base).filter(|_| is_later);
        id.map(TypeId).ok_or(missing)
    }

    /// Adds the JSON names of one element.
    fn add(
        &self,
        built: &mut TypeDefinition,
        choice: usize,
        name: &'static str,
        row: &'static str,
    ) -> Result<(), InvalidDefinitions> {
        let (row, codes) = match row.split_once(" = ") {
            Some((row, codes)) => (row, Some(self.code_set(codes)?)),
            None => (row, None),
        };
        let mut words = row.split(' ');
        let cardinality = words.next();
        let unmarked = cardinality.and_then(|word| word.strip_suffix('^'));
        let is_summary = unmarked.is_some();
        let (is_array, is_required) = match unmarked.or(cardinality) {
            Some("?") => (false, false),
            Some("1") => (false, true),
            Some("*") => (true, false),
            Some("+") => (true, true),
            _ => return Err(InvalidDefinitions::Cardinality(name)),
        };
        // A choice such as `value[x]` has one JSON name for each of its types.
        let stem = name.strip_suffix("[x]");
        let mut names = Vec::new();
        for type_name in words {
            let json_name =
                stem.map_or_else(|| name.to_owned(), |stem| choice_name(stem, type_name));
            if is_required {
                names.push(json_name.clone());
            }
            let element = ElementDefinition {
                element_type: self.element_type(type_name, codes)?,
                is_array,
                choice: stem.map(|_| choice),
                is_summary,
            };
            built.elements.push((json_name, element));
        }
        if is_required {
            built.required.push(RequiredElement { name, names });
        }
        Ok(())
    }

    fn code_set(&self, name: &'static str) -> Result<CodeSetId, InvalidDefinitions> {
        let id = position(&self.code_sets, name).map(CodeSetId);
        id.ok_or(InvalidDefinitions::Missing(name))
    }

    fn element_type(
        &self,
        type_name: &'static str,
        codes: Option<CodeSetId>,
    ) -> Result<ElementType, InvalidDefinitions> {
        if type_name == "Resource" {
            return Ok(ElementType::Resource);
        }
        if let Some(id) = position(&self.types, type_name) {
            return Ok(ElementType::Complex(TypeId(id)));
        }
        let primitive = Primitive::named(type_name);
        let primitive = primitive.ok_or(InvalidDefinitions::Missing(type_name))?;
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
mod tests;
