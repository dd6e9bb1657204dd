//! The refusal of an entry.

use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::Status;

/// The reason why a condition has no result.
pub(super) const UNSEARCHED: &str = "the conditions before this one used up what one request may search: send the entries \
                                     in several Bundles";

/// The refusal of an entry: its status and issues.
pub(super) struct Refusal {
    status: Status,
    issues: Issues,
}

impl Refusal {
    /// A refusal with this status.
    pub(super) fn new(status: Status, issues: impl Into<Issues>) -> Self {
        let issues = issues.into();
        Self { status, issues }
    }

    /// 400: the entry's request is invalid.
    pub(super) fn request(issue: Issue) -> Self {
        Self::new(Status::BadRequest, issue)
    }

    /// 422: the entry's resource is invalid.
    pub(super) fn resource(issues: impl Into<Issues>) -> Self {
        Self::new(Status::UnprocessableEntity, issues)
    }

    /// 422: references of the entry's resource cannot be resolved; 429 if a condition was not searched, so that the same entry
    /// may succeed in another Bundle.
    pub(super) fn references(issues: Issues) -> Self {
        let mut listed = issues.listed().iter();
        let is_unsearched = listed.any(|issue| issue.code == IssueCode::TooCostly);
        let status = if is_unsearched {
            Status::TooManyRequests
        } else {
            Status::UnprocessableEntity
        };
        Self::new(status, issues)
    }

    /// Both refusals as one, with the higher status.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.status = self.status.max(other.status);
        self.issues.append(other.issues);
        self
    }
}

impl From<Refusal> for OperationOutcome {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.issues)
    }
}
