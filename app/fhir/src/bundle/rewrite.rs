//! Rewriting of references and links to what they denote, once all conditions are resolved.

use serde_json::Value;
use zeroize::Zeroize;

use super::condition::ConditionMatch;
use super::condition::Conditions;
use super::full_url::FullUrlIndex;
use super::full_url::Located;
use super::full_url::Unresolved;
use super::refusal::UNSEARCHED;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::Reference;
use crate::links::Link;
use crate::links::replace_links;
use crate::reference::each_reference_mut;

/// The resources that the references of a Bundle denote.
pub(super) struct Rewriter<'b> {
    pub(super) urls: &'b FullUrlIndex,
    pub(super) conditions: &'b Conditions,
    pub(super) matches: &'b [ConditionMatch],
    /// The resource of each entry; `None` if the entry is refused or stores nothing.
    pub(super) targets: &'b [Option<Reference>],
}

impl Rewriter<'_> {
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
        let mut issues = Issues::default();
        each_reference_mut(
            value,
            path,
            &mut |text, path| match self.reference(text, full_url) {
                Ok(Some(resolved)) => {
                    text.zeroize();
                    *text = resolved;
                }
                Ok(None) => {}
                Err(Unresolved(code, why)) => issues.add(|| Issue::new(code, why).at(path)),
            },
        );
        if !issues.is_empty() {
            return Err(issues);
        }
        replace_links(value, &|link| self.link(link, full_url));
        Ok(())
    }

    /// The reference to store; `None` to keep it as sent.
    fn reference(&self, text: &str, full_url: Option<&str>) -> Result<Option<String>, Unresolved> {
        match self.urls.reference(text, full_url)? {
            Located::Elsewhere => Ok(None),
            Located::Local(text) => Ok(Some(text)),
            Located::Entry(entry, fragment) => {
                let why = "the entry that this reference names is refused";
                let target = self.target(entry);
                let target = target.ok_or(Unresolved(IssueCode::NotFound, why))?;
                Ok(Some(format!("{target}{fragment}")))
            }
            Located::Condition(text) => self.matched(text).map(Some),
        }
    }

    /// The reference to the one resource that matches a conditional reference.
    fn matched(&self, text: &str) -> Result<String, Unresolved> {
        let index = self.conditions.reference(text);
        let query = index.and_then(|index| self.conditions.queries().get(index));
        let matched = index.and_then(|index| self.matches.get(index));
        match (query, matched) {
            (Some(query), Some(ConditionMatch::One(id))) => {
                let resource_type = query.resource_type;
                Ok(Reference {
                    resource_type,
                    id: *id,
                }
                .to_string())
            }
            (Some(_), Some(ConditionMatch::None)) => {
                let why = "no stored resource matches this conditional reference; for a resource of the same Bundle, \
                           use the fullUrl of its entry";
                Err(Unresolved(IssueCode::NotFound, why))
            }
            (Some(_), Some(ConditionMatch::TooCostly)) => {
                Err(Unresolved(IssueCode::TooCostly, UNSEARCHED))
            }
            (None, _) => {
                let why = "a conditional reference is supported in a Bundle only: refer to the resource by type and id";
                Err(Unresolved(IssueCode::NotSupported, why))
            }
            (Some(_), Some(ConditionMatch::Many) | None) => {
                let why = "several resources match this conditional reference";
                Err(Unresolved(IssueCode::MultipleMatches, why))
            }
        }
    }

    /// The link to store; `None` to keep it as sent.
    fn link(&self, link: Link<'_>, full_url: Option<&str>) -> Option<String> {
        match (link, self.urls.link(link.text(), full_url)) {
            // A name such as Coding.system, or the URL of an extension, is not an address: it must stay absolute.
            (_, Located::Elsewhere | Located::Condition(_))
            | (Link::Identifier(_) | Link::Uuid(_), Located::Local(_)) => None,
            // The value of a uuid element must be a UUID: the id of the resource is one.
            (Link::Uuid(_), Located::Entry(entry, _)) => {
                Some(format!("urn:uuid:{}", self.target(entry)?.id))
            }
            (Link::Address(_) | Link::Identifier(_), Located::Entry(entry, fragment)) => {
                Some(format!("{}{fragment}", self.target(entry)?))
            }
            (Link::Address(_), Located::Local(text)) => Some(text),
        }
    }

    fn target(&self, entry: usize) -> Option<Reference> {
        self.targets.get(entry).copied().flatten()
    }
}
