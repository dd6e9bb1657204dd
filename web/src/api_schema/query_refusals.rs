//! The texts of refusals of query parameters. They repeat nothing but the names of resource types, which the `OpenAPI`
//! document lists.

use std::collections::BTreeMap;

use super::RouteKind;
use super::leak;

/// The texts by resource type.
#[derive(Debug)]
pub(super) struct QueryRefusals(BTreeMap<&'static str, &'static str>);

impl QueryRefusals {
    /// The texts for these resource types.
    pub(super) fn of_types<'t>(types: impl Iterator<Item = &'t str>) -> Self {
        let texts = types.map(|name| {
            let text = format!(
                "this parameter must not be in a URL, or is not supported here: to search, send POST \
                 /fhir/{name}/_search, with the parameters as a form"
            );
            (leak(name), leak(&text))
        });
        Self(texts.collect())
    }

    /// The text for a path: it shows the search of the last resource type in it.
    pub(super) fn text(&self, kind: RouteKind, path: &str) -> &'static str {
        match kind {
            RouteKind::Fhir => {
                let mut segments = path.rsplit('/');
                let of_type = segments.find_map(|segment| self.0.get(segment).copied());
                of_type.unwrap_or(
                    "a search names one type, and its parameters must not be in a URL: send POST \
                     /fhir/[type]/_search, with the parameters as a form",
                )
            }
            RouteKind::Api | RouteKind::Page | RouteKind::Asset | RouteKind::Health => {
                "this query parameter is not supported: a URL must not contain data that identifies a \
                 person"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_the_search_of_the_type_and_repeats_nothing_else() {
        let refusals = QueryRefusals::of_types(["Observation", "Patient"].into_iter());
        for (path, shown) in [
            ("/fhir/Observation", "POST /fhir/Observation/_search"),
            (
                "/fhir/Observation/_search",
                "POST /fhir/Observation/_search",
            ),
            (
                "/fhir/Patient/SECRET/Observation",
                "POST /fhir/Observation/_search",
            ),
            (
                "/fhir/Patient/SECRET/$everything",
                "POST /fhir/Patient/_search",
            ),
            ("/fhir", "POST /fhir/[type]/_search"),
            ("/fhir/SECRET", "POST /fhir/[type]/_search"),
        ] {
            let text = refusals.text(RouteKind::Fhir, path);
            assert!(text.contains(shown) && !text.contains("SECRET"), "{text}");
        }
        let page = refusals.text(RouteKind::Page, "/patients/Patient");
        assert!(!page.contains("/fhir/"), "{page}");
    }
}
