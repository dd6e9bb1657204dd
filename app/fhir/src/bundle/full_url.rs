//! Resolution of references in a Bundle: R4, "Resolving references in Bundles"
//! (<https://hl7.org/fhir/R4/bundle.html#references>).
//!
//! A relative reference is relative to the base of its own entry's `fullUrl`: `Patient/1` of two
//! hospitals in one Bundle are two patients. An ambiguous reference is refused, so that no resource
//! is filed in the wrong chart.

use std::collections::HashMap;

use serde_json::Value;

use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::Reference;
use crate::links::replace_links;
use crate::parse_id;
use crate::reference::restful;

/// Index of a Bundle's entries by `fullUrl`.
#[derive(Default)]
pub(super) struct FullUrlIndex<'s> {
    entries: HashMap<String, IndexedEntry>,
    /// The server's own base: `https://host/fhir`.
    server: Option<&'s str>,
}

/// The entry of a `fullUrl`.
struct IndexedEntry {
    /// The resource that the entry writes; `None` if several entries have the same `fullUrl`.
    reference: Option<Reference>,
    /// `meta.versionId` as sent.
    version: Option<String>,
}

/// A reference that cannot be resolved: the issue code, and diagnostics without values from the
/// request.
struct Unresolved(IssueCode, &'static str);

impl<'s> FullUrlIndex<'s> {
    pub(super) fn new(server: Option<&'s str>) -> Self {
        let server = server.map(|base| base.trim_end_matches('/'));
        Self {
            entries: HashMap::new(),
            server,
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// The `fullUrl` is already taken, version-specific, or of another resource type.
    pub(super) fn add(
        &mut self,
        url: &str,
        target: Reference,
        version: Option<String>,
    ) -> Result<(), Issue> {
        if let Some(parts) = restful(url) {
            if parts.version.is_some() {
                let why = "a fullUrl must not be version-specific";
                return Err(Issue::new(IssueCode::Invariant, why));
            }
            if parts.resource_type != target.resource_type.name() {
                let why = "the fullUrl must name the resource's own type";
                return Err(Issue::new(IssueCode::Invariant, why));
            }
        }
        if let Some(earlier) = self.entries.get_mut(url) {
            // References to this fullUrl are ambiguous from now on.
            earlier.reference = None;
            let why = "an earlier entry has the same fullUrl";
            return Err(Issue::new(IssueCode::Duplicate, why));
        }
        let entry = IndexedEntry {
            reference: Some(target),
            version,
        };
        self.entries.insert(url.to_owned(), entry);
        Ok(())
    }

    /// Rewrites all references and links of a resource; `full_url` is its entry's.
    ///
    /// # Errors
    ///
    /// The references that cannot be resolved, each with its path.
    pub(super) fn rewrite(
        &self,
        value: &mut Value,
        full_url: Option<&str>,
        path: &ElementPath<'_>,
    ) -> Result<(), Issues> {
        let base = full_url.and_then(restful).and_then(|parts| parts.base);
        let mut issues = Issues::default();
        crate::reference::each_reference_mut(value, path, &mut |text, path| match self
            .resolve(text, base)
        {
            Ok(Some(resolved)) => *text = resolved,
            Ok(None) => {}
            Err(Unresolved(code, why)) => issues.add(|| Issue::new(code, why).at(path)),
        });
        if !issues.is_empty() {
            return Err(issues);
        }
        replace_links(value, &|link| {
            let (url, fragment) = link.split_at(link.find('#').unwrap_or(link.len()));
            // An ambiguous link is kept: unlike a reference, it determines no owner.
            self.entry(url, None, fragment).ok().flatten()
        });
        Ok(())
    }

    /// The reference to store; `None` to keep it as sent.
    fn resolve(&self, text: &str, base: Option<&str>) -> Result<Option<String>, Unresolved> {
        let (url, fragment) = match text.find('#') {
            // `#id` refers to a contained resource, `#` alone to the container.
            Some(0) => return Ok(None),
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let relative = !has_scheme(url);
        if url.contains('?') && (relative || self.local_part(url).is_some()) {
            let why =
                "conditional references are not supported: refer to the resource by type and id";
            return Err(Unresolved(IssueCode::NotSupported, why));
        }
        // References that are not a RESTful URL: `urn:uuid:`, URLs of other services, or malformed text.
        let Some(parts) = restful(url) else {
            if relative {
                let why = "a reference must be absolute, or a type, a slash and an id";
                return Err(Unresolved(IssueCode::Value, why));
            }
            // A `urn:uuid:` is globally unique: without a match it is kept, because it cannot denote
            // another resource here. An owner element still refuses it.
            return self.entry(url, None, fragment);
        };
        let base = if relative { base } else { parts.base };
        let local = base.is_none() || base == self.server;
        let name = format!("{}/{}", parts.resource_type, parts.id);
        if let Some(base) = base.or(self.server)
            && let Some(found) = self.entry(&format!("{base}/{name}"), parts.version, fragment)?
        {
            return Ok(Some(found));
        }
        // The relative reference of an entry from another server must not name a local resource.
        if !local && relative {
            let why = "this reference is relative to the base of the entry's fullUrl, and no entry \
                       of the Bundle has the resulting fullUrl";
            return Err(Unresolved(IssueCode::NotFound, why));
        }
        if !local {
            return Ok(None);
        }
        if parse_id(parts.id).is_err() {
            let why = "ids are UUIDs in lower case, and no entry of the Bundle has this fullUrl";
            return Err(Unresolved(IssueCode::Value, why));
        }
        let version = parts.version.map(|version| format!("/_history/{version}"));
        Ok(Some(format!(
            "{name}{}{fragment}",
            version.unwrap_or_default()
        )))
    }

    /// A reference to the resource that the entry of this `fullUrl` writes.
    fn entry(
        &self,
        url: &str,
        version: Option<&str>,
        fragment: &str,
    ) -> Result<Option<String>, Unresolved> {
        let Some(entry) = self.entries.get(url) else {
            return Ok(None);
        };
        let Some(reference) = entry.reference else {
            let why = "several entries have the fullUrl that this reference names";
            return Err(Unresolved(IssueCode::MultipleMatches, why));
        };
        // The server assigns versions, so the stored reference names the resource without a version.
        if version.is_some() && version != entry.version.as_deref() {
            let why = "the entry that this reference names has another version";
            return Err(Unresolved(IssueCode::NotFound, why));
        }
        Ok(Some(format!("{reference}{fragment}")))
    }

    /// The part of a URL after the server's own base; `None` for other bases.
    fn local_part<'u>(&self, url: &'u str) -> Option<&'u str> {
        url.strip_prefix(self.server?)?.strip_prefix('/')
    }
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
