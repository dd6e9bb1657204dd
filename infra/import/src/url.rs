//! The parts of a reference, as loosely as sources write them: ids may have characters that R4 forbids.

/// Upper bound of an id in bytes; R4 has 64.
const LONGEST_ID: usize = 256;

/// The parts of `[base/]Type/id[/_history/version]`, without a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResourceUrl<'u> {
    /// `https://host/fhir`; `None` for a relative reference.
    pub(super) base: Option<&'u str>,
    /// The name of any resource type.
    pub(super) resource_type: &'u str,
    /// The id in the source.
    pub(super) id: &'u str,
}

impl<'u> ResourceUrl<'u> {
    /// Parses a reference; `None` for `urn:`, conditional references and other texts.
    pub(super) fn parse(url: &'u str) -> Option<Self> {
        let plain = url.split_once("/_history/").map_or(url, |(plain, _)| plain);
        let (before, id) = plain.rsplit_once('/')?;
        let (base, resource_type) = match before.rsplit_once('/') {
            Some((base, name)) => (Some(base), name),
            None => (None, before),
        };
        let is_name = resource_type.starts_with(|letter: char| letter.is_ascii_uppercase())
            && resource_type.bytes().all(|byte| byte.is_ascii_alphabetic());
        (base.is_none_or(is_base) && is_name && is_id(id)).then_some(Self {
            base,
            resource_type,
            id,
        })
    }
}

/// Whether a text is the base of a server: `https://host/fhir`.
pub(super) fn is_base(base: &str) -> bool {
    let host = base
        .strip_prefix("https://")
        .or_else(|| base.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['?', '#']))
}

/// Whether a text can be the id of a resource in some source.
pub(super) fn is_id(id: &str) -> bool {
    let refused = |at: char| at.is_whitespace() || at.is_control() || "/?#:|\\".contains(at);
    (1..=LONGEST_ID).contains(&id.len()) && !id.contains(refused)
}

/// A reference and its fragment, which begins with `#`; no fragment is an empty one.
pub(super) fn split_fragment(reference: &str) -> (&str, &str) {
    reference.split_at(reference.find('#').unwrap_or(reference.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_parsed_as_sources_write_them() {
        let parts = |url| {
            ResourceUrl::parse(url).map(|it| (it.base.unwrap_or(""), it.resource_type, it.id))
        };
        assert_eq!(parts("Patient/1234"), Some(("", "Patient", "1234")));
        assert_eq!(parts("Patient/a_b"), Some(("", "Patient", "a_b")));
        assert_eq!(
            parts("https://h/fhir/Patient/1/_history/2"),
            Some(("https://h/fhir", "Patient", "1"))
        );
        for other in [
            "urn:uuid:1",
            "#a",
            "Practitioner?identifier=s|1",
            "Practitioner?identifier=http://h/Patient/1",
            "ftp://h/Patient/1",
            "https://h/Practitioner?identifier=a/b",
            "Patient/",
            "patient/1",
            "",
        ] {
            assert_eq!(parts(other), None, "{other}");
        }
        assert_eq!(split_fragment("Patient/1#a"), ("Patient/1", "#a"));
    }
}
