//! The issues of one input: listed up to a limit, and counted beyond it.

use super::Issue;
use super::IssueCode;
use crate::limits::MAX_ISSUES;

/// Issues of one input: the first [`MAX_ISSUES`], and the number of the others. An outcome so does not grow with what
/// was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issues {
    listed: Vec<Issue>,
    unlisted: usize,
}

impl Issues {
    /// Adds an issue, which is made only if it is listed.
    pub fn add(&mut self, issue: impl FnOnce() -> Issue) {
        if self.listed.len() < MAX_ISSUES {
            self.listed.push(issue());
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    /// Adds the issues of another part of the same input.
    pub fn append(&mut self, other: Self) {
        for issue in other.listed {
            self.add(|| issue);
        }
        self.unlisted = self.unlisted.saturating_add(other.unlisted);
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The issues that are listed.
    #[must_use]
    pub fn listed(&self) -> &[Issue] {
        &self.listed
    }

    /// The first issue.
    #[must_use]
    pub fn into_first(self) -> Option<Issue> {
        self.listed.into_iter().next()
    }

    /// The listed issues, to be changed.
    pub(super) fn listed_mut(&mut self) -> &mut [Issue] {
        &mut self.listed
    }

    /// The issue that stands for those that are not listed.
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
