//! Resolution of references in a Bundle: R4, "Resolving references in Bundles"
//! (<https://hl7.org/fhir/R4/bundle.html#references>).
//!
//! A relative reference is relative to the base of its own entry's `fullUrl`: `Patient/1` of two
//! hospitals in one Bundle are two patients. An ambiguous reference is refused, so that no resource
//! is filed in the wrong chart.

use std::collections::HashMap;

use crate::Issue;
use crate::IssueCode;
use crate::ResourceType;
use crate::limits::MAX_FULL_URL_BYTES;
use crate::parse_id;
use crate::reference::RestfulUrl;
use crate::reference::restful;

/// Index of a Bundle's entries by `fullUrl`.
pub(super) struct FullUrlIndex {
    entries: HashMap<String, IndexedEntry>,
    /// The server's own base: `https://host/fhir`.
    server: Option<String>,
}

/// The entry of a `fullUrl`.
struct IndexedEntry {
    /// The index of the entry; `None` if several entries have the same `fullUrl`.
    entry: Option<usize>,
    /// `meta.versionId` as sent.
    version: Option<String>,
}

/// The resource that a reference or a link denotes. Its `&str` is the fragment, with its `#`, or empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Located<'t> {
    /// A resource elsewhere, or no resource: the text is stored as sent.
    Elsewhere,
    /// The resource of the entry with this index.
    Entry(usize, &'t str),
    /// The server's own resource: the text to store.
    Local(String),
    /// The one resource that matches a conditional reference: the text from the type on.
    Condition(&'t str),
}

/// A reference that cannot be resolved: the issue code, and diagnostics without values from the
/// request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unresolved(pub(super) IssueCode, pub(super) &'static str);

impl FullUrlIndex {
    pub(super) fn new(server: Option<&str>) -> Self {
        Self {
            entries: HashMap::new(),
            server: server.map(str::to_owned),
        }
    }

    /// The server's own base.
    pub(super) fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Adds the entry with this index.
    ///
    /// # Errors
    ///
    /// The `fullUrl` is already taken, version-specific, too long, or of another resource type.
    pub(super) fn add(
        &mut self,
        url: &str,
        entry: usize,
        resource_type: ResourceType,
        version: Option<String>,
    ) -> Result<(), Issue> {
        if url.len() > MAX_FULL_URL_BYTES {
            let why = "a fullUrl has at most 2,000 bytes";
            return Err(Issue::new(IssueCode::TooLong, why));
        }
        if let Some(parts) = restful(url) {
            if parts.version.is_some() {
                let why = "a fullUrl must not be version-specific";
                return Err(Issue::new(IssueCode::Invariant, why));
            }
            if parts.resource_type != resource_type.name() {
                let why = "the fullUrl must name the resource's own type";
                return Err(Issue::new(IssueCode::Invariant, why));
            }
        }
        if let Some(earlier) = self.entries.get_mut(url) {
            // References to this fullUrl are ambiguous from now on.
            earlier.entry = None;
            let why = "an earlier entry has the same fullUrl";
            return Err(Issue::new(IssueCode::Duplicate, why));
        }
        let entry = IndexedEntry {
            entry: Some(entry),
            version,
        };
        self.entries.insert(url.to_owned(), entry);
        Ok(())
    }

    /// The resource that a reference denotes. `full_url` is that of the entry with the reference.
    pub(super) fn reference<'t>(
        &self,
        text: &'t str,
        full_url: Option<&str>,
    ) -> Result<Located<'t>, Unresolved> {
        let (url, fragment) = match text.find('#') {
            // `#id` refers to a contained resource, `#` alone to the container.
            Some(0) => return Ok(Located::Elsewhere),
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let is_relative = !has_scheme(url);
        let local = if is_relative {
            Some(text)
        } else {
            self.local_part(text)
        };
        if let Some(local) = local
            && url.contains('?')
        {
            // The server searches, whatever the base of the entry is: the identifier has its own system.
            return Ok(Located::Condition(local));
        }
        match restful(url) {
            Some(parts) => self.restful(&parts, fragment, base(full_url)),
            None if is_relative => {
                let why = "a reference must be absolute, or a type, a slash and an id";
                Err(Unresolved(IssueCode::Value, why))
            }
            // References that are not a RESTful URL: `urn:uuid:`, or URLs of other services. A `urn:uuid:` is globally
            // unique: without a match it is kept, because it cannot denote another resource here. An owner element
            // still refuses it.
            None => self.entry(url, None, fragment),
        }
    }

    fn restful<'t>(
        &self,
        parts: &RestfulUrl<'t>,
        fragment: &'t str,
        own_base: Option<&str>,
    ) -> Result<Located<'t>, Unresolved> {
        let base = parts.base.or(own_base);
        let is_local = base.is_none() || base == self.server();
        let name = format!("{}/{}", parts.resource_type, parts.id);
        if let Some(base) = base.or(self.server()) {
            match self.entry(&format!("{base}/{name}"), parts.version, fragment)? {
                Located::Elsewhere => {}
                found @ (Located::Entry(..) | Located::Local(_) | Located::Condition(_)) => {
                    return Ok(found);
                }
            }
        }
        // The relative reference of an entry from another server must not name a local resource.
        if !is_local && parts.base.is_none() {
            let why = "this reference is relative to the base of the entry's fullUrl, and no entry \
                       of the Bundle has the resulting fullUrl";
            return Err(Unresolved(IssueCode::NotFound, why));
        }
        if !is_local {
            return Ok(Located::Elsewhere);
        }
        if parse_id(parts.id).is_err() {
            let why = "ids are UUIDs in lower case, and no entry of the Bundle has this fullUrl";
            return Err(Unresolved(IssueCode::Value, why));
        }
        let version = parts.version.map(|version| format!("/_history/{version}"));
        let version = version.unwrap_or_default();
        Ok(Located::Local(format!("{name}{version}{fragment}")))
    }

    /// The resource that a link denotes. Unlike a reference, a link determines no owner, so an ambiguous one is kept.
    pub(super) fn link<'t>(&self, text: &'t str, full_url: Option<&str>) -> Located<'t> {
        let (url, fragment) = text.split_at(text.find('#').unwrap_or(text.len()));
        match restful(url) {
            // An id that is not a UUID, or the name of another type, is a page rather than a resource of this server.
            Some(parts) => match self.restful(&parts, fragment, base(full_url)) {
                Ok(Located::Local(_)) if parts.resource_type.parse::<ResourceType>().is_err() => {
                    Located::Elsewhere
                }
                located => located.unwrap_or(Located::Elsewhere),
            },
            None => self
                .entry(url, None, fragment)
                .unwrap_or(Located::Elsewhere),
        }
    }

    /// The entry that has this `fullUrl`.
    fn entry<'t>(
        &self,
        url: &str,
        version: Option<&str>,
        fragment: &'t str,
    ) -> Result<Located<'t>, Unresolved> {
        let Some(entry) = self.entries.get(url) else {
            return Ok(Located::Elsewhere);
        };
        let Some(index) = entry.entry else {
            let why = "several entries have the fullUrl that this reference names";
            return Err(Unresolved(IssueCode::MultipleMatches, why));
        };
        // The server assigns versions, so the stored reference names the resource without a version.
        if version.is_some() && version != entry.version.as_deref() {
            let why = "the entry that this reference names has another version";
            return Err(Unresolved(IssueCode::NotFound, why));
        }
        Ok(Located::Entry(index, fragment))
    }

    /// The part of a URL after the server's own base; `None` for other bases.
    fn local_part<'u>(&self, url: &'u str) -> Option<&'u str> {
        url.strip_prefix(self.server()?)?.strip_prefix('/')
    }
}

/// The base of an entry's `fullUrl`, to which its references are relative.
fn base(full_url: Option<&str>) -> Option<&str> {
    full_url.and_then(restful).and_then(|parts| parts.base)
}

/// Whether a reference is absolute: `scheme:` (RFC 3986 3.1).
fn has_scheme(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}
