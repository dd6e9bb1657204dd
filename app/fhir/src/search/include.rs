//! `_include` and `_revinclude`: the references that a search follows.

use super::parameters;
use super::parameters::ParameterKind;
use super::parameters::SearchParameter;
use super::parameters::TypeName;
use super::values::SearchValues;
use crate::Reference;
use crate::ResourceType;

/// The resources that a result includes beside the matches: `Observation:subject`, `Provenance:target:Observation`,
/// `Observation:*`.
#[derive(Clone, Copy, Debug)]
pub struct Include {
    source: ResourceType,
    /// All references without one.
    parameter: Option<&'static SearchParameter>,
    target: Option<TypeName>,
}

impl Include {
    /// Parses `Type:parameter[:Type]`. `own` is the only type that may be the source; without a type, `*` is all
    /// references of it.
    pub(super) fn parse(value: &str, own: Option<ResourceType>) -> Result<Self, &'static str> {
        let why = "an include must be Type:parameter or Type:parameter:Type, such as Observation:encounter, of supported \
                   types and a reference parameter of the first";
        let mut parts = value.split(':');
        let first = parts.next().unwrap_or_default();
        let (source, parameter) = match (first, own) {
            ("*", Some(own)) => (own, "*"),
            _ => (
                first.parse().map_err(|_unknown| why)?,
                parts.next().ok_or(why)?,
            ),
        };
        let target = match parts.next() {
            Some("") | None => None,
            Some(name) => Some(TypeName::named(name).ok_or(why)?),
        };
        if parts.next().is_some() {
            return Err(why);
        }
        if own.is_some_and(|own| own != source) {
            return Err("_include must begin with the type that is searched");
        }
        let parameter = match parameter {
            "*" => None,
            name => {
                let found = parameters::of_type(source).and_then(|it| it.supported.get(name));
                let found = found.filter(|it| it.kind() == ParameterKind::Reference);
                Some(found.ok_or(why)?)
            }
        };
        Ok(Self {
            source,
            parameter,
            target,
        })
    }

    /// The type whose references are followed.
    #[must_use]
    pub const fn source(&self) -> ResourceType {
        self.source
    }

    /// The reference parameters that are followed.
    pub fn parameters(&self) -> impl Iterator<Item = &'static SearchParameter> + use<> {
        let only = self.parameter;
        let all = self.source.search_parameters();
        all.filter(move |it| {
            it.kind() == ParameterKind::Reference && only.is_none_or(|only| std::ptr::eq(only, *it))
        })
    }

    /// Whether references to this resource are followed.
    #[must_use]
    pub fn admits(&self, reference: Reference) -> bool {
        let target = self.target.and_then(TypeName::name);
        target.is_none_or(|target| target == reference.resource_type.name())
    }
}

impl SearchValues {
    /// The references that an `_include` names.
    pub fn included<'s>(&'s self, include: &'s Include) -> impl Iterator<Item = Reference> + 's {
        let own = include.source() == self.resource_type();
        let parameters = include.parameters().filter(move |_| own);
        parameters
            .flat_map(|parameter| self.references(parameter))
            .filter(|it| include.admits(*it))
    }
}
