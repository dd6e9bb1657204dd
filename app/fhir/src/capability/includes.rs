//! The values of `_include` and `_revinclude` that can find a resource: both ends of the reference are in one chart, or
//! the referenced resource is the organization's.

use std::fmt;

use crate::ResourceType;
use crate::resource_type::Owner;
use crate::search::ParameterKind;
use crate::search::SearchParameter;

/// The parameter on references to any type that is listed for `_revinclude`: US Core requires it. The others are too many.
const PROVENANCE: (ResourceType, &str) = (ResourceType::Provenance, "target");

/// A value of `_include` or `_revinclude`: `Observation:encounter`.
pub(super) struct Inclusion {
    source: ResourceType,
    parameter: &'static SearchParameter,
}

impl fmt::Display for Inclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.parameter.name())
    }
}

/// The values of `_include` in a search for a type.
pub(super) fn includes(source: ResourceType) -> impl Iterator<Item = Inclusion> {
    references(source).filter(move |it| {
        let mut targets = ResourceType::ALL.into_iter();
        targets.any(|target| it.parameter.may_refer_to(target) && is_in_reach(source, target))
    })
}

/// The values of `_revinclude` in a search for a type.
pub(super) fn revincludes(target: ResourceType) -> impl Iterator<Item = Inclusion> {
    let sources = ResourceType::ALL.into_iter();
    // The search for patients has no includes, and a Patient is not included as the source of a reference.
    let sources = sources.filter(move |source| {
        let is_patient = *source == ResourceType::Patient || target == ResourceType::Patient;
        !is_patient && have_one_owner(*source, target)
    });
    sources.flat_map(references).filter(move |it| {
        let is_listed =
            !it.parameter.may_refer_to_any() || (it.source, it.parameter.name()) == PROVENANCE;
        is_listed && it.parameter.may_refer_to(target)
    })
}

/// The parameters of a type on references; none of a Patient, whose search has no includes.
fn references(source: ResourceType) -> impl Iterator<Item = Inclusion> {
    let all = source.search_parameters();
    all.filter(move |it| it.kind() == ParameterKind::Reference && source != ResourceType::Patient)
        .map(move |parameter| Inclusion { source, parameter })
}

/// Whether a search for one type includes a resource of the other.
fn is_in_reach(source: ResourceType, target: ResourceType) -> bool {
    owners(target).organization || have_one_owner(source, target)
}

/// Whether resources of two types may have the same owner.
fn have_one_owner(one: ResourceType, other: ResourceType) -> bool {
    let (one, other) = (owners(one), owners(other));
    (one.patient && other.patient) || (one.organization && other.organization)
}

/// The possible owners of resources of a type.
struct Owners {
    patient: bool,
    organization: bool,
}

fn owners(resource_type: ResourceType) -> Owners {
    let (patient, organization) = match resource_type.owner() {
        Owner::Itself | Owner::Patient(_) => (true, false),
        Owner::PatientOrOrganization(_) => (true, true),
        Owner::Organization => (false, true),
    };
    Owners {
        patient,
        organization,
    }
}
