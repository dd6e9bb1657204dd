//! Conversion of a FHIR search into conditions of the roster.

use fhir::search::PatientQuery;
use fhir::search::TextMatch;
use fhir::search::TextQuery;
use roster::Condition;
use roster::DateComparison;
use roster::NameElements;
use roster::StringMatch;

/// The conditions on names and birth dates. An exact match becomes a prefix, and the caller must
/// compare again.
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
    names.chain(births).collect()
}

fn name(elements: NameElements, text: &TextQuery) -> Condition {
    let string_match = match text.how() {
        TextMatch::Begins | TextMatch::Exact => StringMatch::Prefix,
        TextMatch::Contains => StringMatch::Contains,
    };
    let values: Vec<&str> = text.values().collect();
    Condition::name(elements, string_match, &values)
}
