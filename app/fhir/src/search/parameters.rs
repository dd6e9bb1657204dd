//! R4's search parameters by resource type, reduced to paths by `extract_parameters.py`.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::path::Path;
use crate::ResourceType;

/// The kind of a search parameter: how its values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A code, an identifier or a boolean.
    Token,
    /// A telephone number or another contact point: a token whose punctuation is ignored.
    Contact,
    /// A date, an instant or a period.
    Date,
    /// A reference to a resource.
    Reference,
    /// A number with a unit.
    Quantity,
    /// A number.
    Number,
    /// A text.
    String,
    /// A URI.
    Uri,
}

impl ParameterKind {
    /// R4's name of the kind (`search-param-type`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token | Self::Contact => "token",
            Self::Date => "date",
            Self::Reference => "reference",
            Self::Quantity => "quantity",
            Self::Number => "number",
            Self::String => "string",
            Self::Uri => "uri",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "token" => Self::Token,
            "contact" => Self::Contact,
            "date" => Self::Date,
            "reference" => Self::Reference,
            "quantity" => Self::Quantity,
            "number" => Self::Number,
            "string" => Self::String,
            "uri" => Self::Uri,
            _ => return None,
        })
    }
}

/// A search parameter of one resource type.
#[derive(Debug)]
pub struct SearchParameter {
    name: String,
    kind: ParameterKind,
    sources: Vec<ParameterSource>,
    targets: Targets,
}

/// The types to which the elements of a parameter may refer.
#[derive(Debug)]
enum Targets {
    /// None: the elements have canonical URLs, URIs or other values.
    None,
    /// Any type.
    Any,
    /// These types.
    Listed(Vec<TypeName>),
}

impl SearchParameter {
    /// The name: `code`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> ParameterKind {
        self.kind
    }

    /// Whether the elements of the parameter may refer to a resource of this type by its id, according to R4.
    #[must_use]
    pub fn may_refer_to(&self, resource_type: ResourceType) -> bool {
        match &self.targets {
            Targets::None => false,
            Targets::Any => true,
            Targets::Listed(names) => {
                TypeName::named(resource_type.name()).is_some_and(|name| names.contains(&name))
            }
        }
    }

    /// Whether the elements of the parameter may refer to a resource of any type.
    #[must_use]
    pub const fn may_refer_to_any(&self) -> bool {
        matches!(self.targets, Targets::Any)
    }

    /// The sources of its values.
    pub(super) fn sources(&self) -> &[ParameterSource] {
        &self.sources
    }
}

/// A source of a parameter's values.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParameterSource {
    /// The index of the source among those of the type.
    pub(super) index: usize,
    /// The only type of referenced resources that count.
    pub(super) target: Option<TypeName>,
}

/// The name of an R4 resource type, supported or not, as its index in the alphabetical list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TypeName(pub(super) u8);

impl TypeName {
    /// The R4 type with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let at = table()?.names.binary_search_by(|it| it.as_str().cmp(name));
        at.ok().and_then(|at| u8::try_from(at).ok()).map(Self)
    }

    /// The name.
    pub(super) fn name(self) -> Option<&'static str> {
        let names = &table()?.names;
        names.get(usize::from(self.0)).map(String::as_str)
    }
}

/// The search parameters of one type.
pub(super) struct TypeParameters {
    /// The sources, in the order in which a summary keeps their values: at most 64.
    pub(super) sources: Vec<Source>,
    /// The supported parameters by name.
    pub(super) supported: BTreeMap<String, SearchParameter>,
    /// R4's other parameters, each with the reason why it is not supported.
    pub(super) unsupported: BTreeMap<String, String>,
}

/// A path whose values are searched.
pub(super) struct Source {
    /// How its values are read.
    pub(super) kind: ParameterKind,
    /// The path.
    pub(super) path: Path,
}

/// The search parameters of a type; `None` only for an invalid table, which a test excludes.
pub(super) fn of_type(resource_type: ResourceType) -> Option<&'static TypeParameters> {
    table()?.types.get(resource_type.name())
}

impl ResourceType {
    /// The supported search parameters, in alphabetical order. `_id` and `_lastUpdated`, which every type has,
    /// are not among them.
    pub fn search_parameters(self) -> impl Iterator<Item = &'static SearchParameter> {
        of_type(self)
            .into_iter()
            .flat_map(|it| it.supported.values())
    }

    /// R4's search parameters of this type that are not supported: name and reason.
    pub fn unsupported_search_parameters(
        self,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = of_type(self)
            .into_iter()
            .flat_map(|it| it.unsupported.iter());
        all.map(|(name, why)| (name.as_str(), why.as_str()))
    }
}

/// The table.
struct Table {
    names: Vec<String>,
    types: HashMap<String, TypeParameters>,
}

fn table() -> Option<&'static Table> {
    static LOADED: LazyLock<Option<Table>> =
        LazyLock::new(|| Table::load(include_str!("parameters.json")));
    LOADED.as_ref()
}

/// The table as it is stored.
#[derive(Deserialize)]
struct Stored {
    names: Vec<String>,
    types: HashMap<String, StoredType>,
}

/// A type as it is stored.
#[derive(Deserialize)]
struct StoredType {
    sources: Vec<String>,
    parameters: BTreeMap<String, String>,
    targets: BTreeMap<String, String>,
    unsupported: BTreeMap<String, String>,
}

impl Table {
    fn load(json: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(json).ok()?;
        let names = stored.names;
        let types = stored.types.into_iter();
        let types = types
            .map(|(name, row)| Some((name, row.build(&names)?)))
            .collect::<Option<_>>()?;
        Some(Self { names, types })
    }
}

impl StoredType {
    fn build(self, names: &[String]) -> Option<TypeParameters> {
        let source = |text: &String| {
            let (kind, path) = text.split_once(' ')?;
            let kind = ParameterKind::named(kind)?;
            Some(Source {
                kind,
                path: Path::parse(path),
            })
        };
        let sources = self
            .sources
            .iter()
            .map(source)
            .collect::<Option<Vec<_>>>()?;
        let supported = self.parameters.into_iter().map(|(name, text)| {
            let mut parameter = parameter(&name, &text, names)?;
            if let Some(listed) = self.targets.get(&name) {
                parameter.targets = targets(listed, names)?;
            }
            Some((name, parameter))
        });
        Some(TypeParameters {
            supported: supported.collect::<Option<_>>()?,
            sources,
            unsupported: self.unsupported,
        })
    }
}

/// Parses `kind source…`, such as `reference 4>Patient 7`.
fn parameter(name: &str, text: &str, names: &[String]) -> Option<SearchParameter> {
    let mut parts = text.split(' ');
    let kind = ParameterKind::named(parts.next()?)?;
    let source = |part: &str| {
        let (index, target) = match part.split_once('>') {
            Some((index, target)) => {
                let at = names.iter().position(|it| it == target)?;
                (index, Some(TypeName(u8::try_from(at).ok()?)))
            }
            None => (part, None),
        };
        let index = index.parse().ok()?;
        Some(ParameterSource { index, target })
    };
    Some(SearchParameter {
        name: name.to_owned(),
        kind,
        sources: parts.map(source).collect::<Option<_>>()?,
        targets: Targets::None,
    })
}

/// Parses the names of types, or `*`.
fn targets(text: &str, names: &[String]) -> Option<Targets> {
    if text == "*" {
        return Some(Targets::Any);
    }
    let listed = text.split(' ').map(|target| {
        let at = names.iter().position(|it| it == target)?;
        u8::try_from(at).ok().map(TypeName)
    });
    listed.collect::<Option<_>>().map(Targets::Listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_type_and_at_most_64_sources() {
        let table = table().expect("valid");
        assert_eq!(table.names.len(), 147);
        for name in &table.names {
            let of_type = &table.types[name];
            assert!(of_type.sources.len() <= 64, "{name}");
            for parameter in of_type.supported.values() {
                assert!(!parameter.sources.is_empty(), "{name}.{}", parameter.name);
                for source in &parameter.sources {
                    let kind = of_type.sources[source.index].kind;
                    let same = kind.name() == parameter.kind.name();
                    assert!(same, "{name}.{}", parameter.name);
                }
            }
        }
        assert!(ResourceType::ALL.iter().all(|it| of_type(*it).is_some()));
    }

    #[test]
    fn an_expression_of_r4_is_reduced_to_paths() {
        let names = |resource_type: ResourceType| -> Vec<_> {
            let all = resource_type.search_parameters();
            all.map(|it| (it.name(), it.kind())).collect()
        };
        let observation = names(ResourceType::Observation);
        for expected in [
            ("code", ParameterKind::Token),
            ("combo-code", ParameterKind::Token),
            ("date", ParameterKind::Date),
            ("value-quantity", ParameterKind::Quantity),
            ("patient", ParameterKind::Reference),
            ("_profile", ParameterKind::Uri),
        ] {
            assert!(observation.contains(&expected), "{expected:?}");
        }
        let mut unsupported = ResourceType::Observation.unsupported_search_parameters();
        assert!(
            unsupported
                .any(|(name, why)| name == "code-value-quantity" && why.contains("composite"))
        );
        let of_observation = |name: &str| {
            let mut all = ResourceType::Observation.search_parameters();
            all.find(|it| it.name() == name).expect("a parameter")
        };
        assert!(of_observation("encounter").may_refer_to(ResourceType::Encounter));
        assert!(!of_observation("encounter").may_refer_to(ResourceType::Location));
        assert!(of_observation("focus").may_refer_to_any());
        assert!(!of_observation("_profile").may_refer_to(ResourceType::Patient));
        let practitioner = names(ResourceType::Practitioner);
        assert!(practitioner.contains(&("phone", ParameterKind::Contact)));
        assert_eq!(
            TypeName::named("Patient").and_then(TypeName::name),
            Some("Patient")
        );
        assert_eq!(TypeName::named("patient"), None);
    }
}
