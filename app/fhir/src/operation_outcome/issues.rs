//! The issues of one request: listed up to a limit, then counted.

use super::Issue;
use super::IssueCode;
use crate::limits::MAX_ISSUES;

/// Issues of one request: the first [`MAX_ISSUES`], and the number of the others, so that the size of an outcome does
/// not depend on the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issues {
    listed: Vec<Issue>,
    unlisted: usize,
}

impl Issues {
    /// Adds an issue; `issue` is called only if it will be listed.
    pub fn add(&mut self, issue: impl FnOnce() -> Issue) {
        if self.listed.len() < MAX_ISSUES {
            self.listed.push(issue());
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    /// Adds the issues of another part of the request.
    pub fn append(&mut self, other: Self) {
        for issue in other.listed {
            self.add(|| issue);
        }
        self.unlisted = self.unlisted.saturating_add(other.unlisted);
    }

    /// Whether there are no issues.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The listed issues.
    #[must_use]
    pub fn listed(&self) -> &[Issue] {
        &self.listed
    }

    /// The first issue.
    #[must_use]
    pub fn into_first(self) -> Option<Issue> {
        self.listed.into_iter().next()
    }

    /// The listed issues, mutable.
    pub(super) fn listed_mut(&mut self) -> &mut [Issue] {
        &mut self.listed
    }

    /// An issue with the number of those that are not listed.
    pub(super) fn remainder(&self) -> Option<Issue> {
        let why = || format!("and {} more issues, which are not listed", self.unlisted);
        (self.unlisted > 0).then(|| Issue::new(IssueCode::TooLong, why()))
    }
}

impl From<Issue> for Issues {
    fn from(issue: Issue) -> Self {
        let mut issues = Self::default();
        issues.add(|| issue);
        issues
    }
}
