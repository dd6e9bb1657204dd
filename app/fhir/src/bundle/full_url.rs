//! Resolution of references in a Bundle: R4, "Resolving references in Bundles"
//! (<https://hl7.org/fhir/R4/bundle.html#references>).
//!
//! A relative reference belongs to the base of its own entry's `fullUrl`: two hospitals' `Patient/1`
//! in one Bundle are two patients. A reference that cannot be resolved for certain is refused, so
//! that no resource is filed in the wrong chart.

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

/// The entries of a Bundle by `fullUrl`.
#[derive(Default)]
pub(super) struct FullUrls<'s> {
    entries: HashMap<String, Target>,
    /// The server's own base: `https://host/fhir`.
    server: Option<&'s str>,
}

/// The entry that a `fullUrl` names.
struct Target {
    /// What the entry writes; `None` if several entries have the same `fullUrl`.
    reference: Option<Reference>,
    /// `meta.versionId` as it was sent.
    version: Option<String>,
}

/// Why a reference is refused. The text is for the client and holds no value that was sent.
type Refused = (IssueCode, &'static str);

impl<'s> FullUrls<'s> {
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
                let why = "a fullUrl is not version specific";
                return Err(Issue::new(IssueCode::Invariant, why));
            }
            if parts.resource_type != target.resource_type.name() {
                let why = "the fullUrl names another type than the resource has";
                return Err(Issue::new(IssueCode::Invariant, why));
            }
        }
        if let Some(earlier) = self.entries.get_mut(url) {
            // Which entry a reference means is ambiguous from now on.
            earlier.reference = None;
            let why = "an earlier entry has the same fullUrl";
            return Err(Issue::new(IssueCode::Duplicate, why));
        }
        let target = Target {
            reference: Some(target),
            version,
        };
        self.entries.insert(url.to_owned(), target);
        Ok(())
    }

    /// Rewrites every reference and link of a resource whose entry has `full_url`.
    ///
    /// # Errors
    ///
    /// References that cannot be resolved for certain, each at its element.
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
            Err((code, why)) => issues.add(|| Issue::new(code, why).at(path)),
        });
        if !issues.is_empty() {
            return Err(issues);
        }
        replace_links(value, &|link| {
            let (url, fragment) = link.split_at(link.find('#').unwrap_or(link.len()));
            // A link that is ambiguous stays: unlike a reference, it files nothing.
            self.entry(url, None, fragment).ok().flatten()
        });
        Ok(())
    }

    /// The reference as it is stored; `None` leaves it as it was sent.
    fn resolve(&self, text: &str, base: Option<&str>) -> Result<Option<String>, Refused> {
        let (url, fragment) = match text.find('#') {
            // `#id` refers to a contained resource, `#` alone to the container.
            Some(0) => return Ok(None),
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let relative = !has_scheme(url);
        if url.contains('?') && (relative || self.own(url).is_some()) {
            let why =
                "conditional references are not supported: refer to the resource by type and id";
            return Err((IssueCode::NotSupported, why));
        }
        let Some(parts) = restful(url) else {
            if relative {
                let why = "a reference is absolute, or a type, a slash and an id";
                return Err((IssueCode::Value, why));
            }
            // `urn:uuid:` and the like are unique by themselves; without a match nothing can be
            // mistaken for it, and an owner element refuses it anyway.
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
        if !local && relative {
            let why = "this is relative to the server of the entry's fullUrl, and no entry of the \
                       Bundle has that fullUrl";
            return Err((IssueCode::NotFound, why));
        }
        if !local {
            return Ok(None);
        }
        if parse_id(parts.id).is_err() {
            let why = "ids are UUIDs in lower case here, and no entry of the Bundle is meant";
            return Err((IssueCode::Value, why));
        }
        let version = parts.version.map(|version| format!("/_history/{version}"));
        Ok(Some(format!(
            "{name}{}{fragment}",
            version.unwrap_or_default()
        )))
    }

    /// The entry of this `fullUrl`, as a reference to what it writes.
    fn entry(
        &self,
        url: &str,
        version: Option<&str>,
        fragment: &str,
    ) -> Result<Option<String>, Refused> {
        let Some(target) = self.entries.get(url) else {
            return Ok(None);
        };
        let Some(reference) = target.reference else {
            let why = "several entries have the fullUrl that this refers to";
            return Err((IssueCode::MultipleMatches, why));
        };
        // The server counts versions itself, so the reference follows the entry, not the version.
        if version.is_some() && version != target.version.as_deref() {
            let why = "the entry that this refers to has another version";
            return Err((IssueCode::NotFound, why));
        }
        Ok(Some(format!("{reference}{fragment}")))
    }

    /// What follows the server's own base in a URL.
    fn own<'u>(&self, url: &'u str) -> Option<&'u str> {
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
