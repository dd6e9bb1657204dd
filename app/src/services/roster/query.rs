//! Conversion of a FHIR search into conditions of the roster.

use fhir::search::AddressElement;
use fhir::search::AddressQuery;
use fhir::search::PatientQuery;
use fhir::search::PatientSort;
use fhir::search::PatientSortKey;
use fhir::search::TextMatch;
use fhir::search::TextQuery;
use roster::AddressElements;
use roster::Condition;
use roster::DateComparison;
use roster::NameElements;
use roster::Order;
use roster::SortKey;
use roster::StringMatch;

/// The conditions that the roster tests: all but those on identifiers and contacts. An exact match
/// becomes a prefix, and the caller must compare again.
pub(super) fn conditions(query: &PatientQuery) -> Vec<Condition> {
    let names = [
        (NameElements::Family, &query.family),
        (NameElements::Given, &query.given),
        (NameElements::Any, &query.name),
    ];
    let names = names
        .into_iter()
        .flat_map(|(elements, texts)| texts.iter().map(move |text| name(elements, text)));
    let births = query.birth_dates.iter().map(|any_of| {
        let comparisons = any_of.iter().map(|query| DateComparison::from(*query));
        Condition::birth_date(comparisons.collect())
    });
    let flags = query.flags.iter();
    let flags = flags.map(|it| Condition::flags(it.any_of(), it.negated()));
    let deaths = query.death_dates.iter();
    let updates = query.last_updated.iter();
    let ids = query.ids.iter();
    names
        .chain(births)
        .chain(query.addresses.iter().map(address))
        .chain(query.address_elements.iter().map(address_element))
        .chain(flags)
        .chain(query.languages.iter().map(Condition::language))
        .chain(query.references.iter().map(Condition::reference))
        .chain(deaths.map(|any_of| Condition::death(any_of.clone())))
        .chain(updates.map(|any_of| Condition::updated(any_of.clone())))
        .chain(ids.map(|any_of| Condition::ids(any_of.clone())))
        .collect()
}

/// The order of a search's results.
pub(crate) fn order(sort: PatientSort) -> Order {
    let key = match sort.key {
        PatientSortKey::Family => SortKey::Family,
        PatientSortKey::Given => SortKey::Given,
        PatientSortKey::BirthDate => SortKey::BirthDate,
        PatientSortKey::LastUpdated => SortKey::Updated,
        PatientSortKey::Id => SortKey::Id,
    };
    Order {
        key,
        descending: sort.descending,
    }
}

fn name(elements: NameElements, text: &TextQuery) -> Condition {
    let values: Vec<&str> = text.values().collect();
    Condition::name(elements, string_match(text.how()), &values)
}

fn address_element((element, text): &(AddressElement, TextQuery)) -> Condition {
    let element = match element {
        AddressElement::City => AddressElements::City,
        AddressElement::State => AddressElements::State,
        AddressElement::PostalCode => AddressElements::PostalCode,
        AddressElement::Country => AddressElements::Country,
    };
    let values: Vec<&str> = text.values().collect();
    Condition::address_element(element, string_match(text.how()), &values)
}

fn address(query: &AddressQuery) -> Condition {
    let values: Vec<&str> = query.values().collect();
    Condition::address(string_match(query.how()), &values)
}

const fn string_match(how: TextMatch) -> StringMatch {
    match how {
        TextMatch::Begins | TextMatch::Exact => StringMatch::Prefix,
        TextMatch::Contains => StringMatch::Contains,
    }
}
