//! The cases: every query of the crate that returns rows, how a test runs it and verifies its result.

mod access;
mod changes;
mod chart_access;
mod index;
mod keys;
mod records;
mod roster;
mod scrub;
mod trail;
mod versions;

use std::pin::Pin;

use db::Error;
use phi::OpenError;
use phi::OrganizationId;
use phi_types::AuthenticatedRow;

use super::world::ELSEWHERE;
use super::world::SAME;
use super::world::World;

/// The outcome of a query and of the verification of its result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// No row, or an error of the server.
    Absent,
    /// The crate returned [`Error::NotRequested`] or [`Error::Corrupt`].
    Refused,
    /// Rows that do not verify.
    Unverified,
    /// Rows that verify as the requested ones.
    Genuine,
}

/// A query, and how to run it.
pub(super) struct Case {
    /// The name of the function.
    pub(super) query: &'static str,
    /// The tables that views replace, each with the columns by which the query selects.
    pub(super) views: &'static [(&'static str, &'static [&'static str])],
    /// The subjects whose rows replace the requested one. For a list of an organization's rows, another row of that
    /// organization is a right result, too.
    pub(super) others: &'static [usize],
    /// Columns that the query does not read.
    pub(super) unread: &'static [&'static str],
    /// Whether the query fails on views, so that tables replace the tables.
    pub(super) on_tables: bool,
    /// Runs the query for the victim and verifies the result.
    pub(super) run: for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>,
}

/// Queries that return a claim of the database and no row. Nothing in the result can be verified: see "Claims" in the
/// README.
pub(super) const CLAIMS: [&str; 20] = [
    "newest_digest",
    "has_event",
    "latest_event_lengths",
    "version_lengths",
    "version_lengths_of",
    "history_lengths",
    "history_lengths_of",
    "count_patients",
    "heads_of",
    "count_heads",
    "count_live_heads",
    "owned_heads",
    "count_exports",
    "ids_of_type",
    "now",
    "count_attempt",
    "address_proofs",
    "delete_empty_attempt_counters",
    "delete_expired_address_evidence",
    "delete_assertions_expired_before",
];

const BOTH: &[usize] = &[SAME, ELSEWHERE];

impl Case {
    const fn of(
        query: &'static str,
        views: &'static [(&'static str, &'static [&'static str])],
        run: for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>,
    ) -> Self {
        Self {
            query,
            views,
            others: BOTH,
            unread: &[],
            on_tables: false,
            run,
        }
    }

    /// A query of a list of an organization's rows.
    const fn of_organization(mut self) -> Self {
        self.others = &[ELSEWHERE];
        self
    }

    /// A query of a table without another genuine row.
    const fn of_one_row(mut self) -> Self {
        self.others = &[];
        self
    }

    /// A query that does not read these columns.
    const fn without(mut self, unread: &'static [&'static str]) -> Self {
        self.unread = unread;
        self
    }

    /// A query that fails on views.
    const fn on_tables(mut self) -> Self {
        self.on_tables = true;
        self
    }
}

/// All cases.
pub(super) fn all() -> Vec<Case> {
    let groups = [
        keys::all(),
        keys::floor(),
        access::all(),
        access::sessions(),
        access::locked(),
        chart_access::care_teams(),
        chart_access::emergencies(),
        chart_access::emergencies_of_organization(),
        records::all(),
        versions::all(),
        index::all(),
        trail::all(),
        changes::all(),
        roster::all(),
        scrub::all(),
    ];
    groups.into_iter().flatten().collect()
}

/// The outcome of a number of rows, which are all genuine or not.
fn outcome_of(rows: usize, genuine: bool) -> Outcome {
    match (rows, genuine) {
        (0, _) => Outcome::Absent,
        (_, true) => Outcome::Genuine,
        (_, false) => Outcome::Unverified,
    }
}

/// The result; `Err` if the crate refused it.
fn accepted<T>(found: Result<T, Error>) -> Result<T, ()> {
    match found {
        Ok(found) => Ok(found),
        // "a table": the driver cannot decode a value, so the view is not the one that the test intends.
        Err(Error::NotRequested(_) | Error::Corrupt(_))
            if !matches!(found, Err(Error::Corrupt("a table"))) =>
        {
            Err(())
        }
        Err(error) => panic!("{error}"),
    }
}

/// Verifies a row as one of `organization`; without one, as one of the organization that it names.
async fn one<R: AuthenticatedRow>(
    w: &World,
    organization: Option<OrganizationId>,
    found: Result<Option<R>, Error>,
) -> Outcome {
    let Ok(found) = accepted(found) else {
        return Outcome::Refused;
    };
    let Some(row) = found else {
        return Outcome::Absent;
    };
    let organization = organization.unwrap_or(row.organization());
    outcome_of(1, verifies(w, organization, row).await)
}

/// Verifies rows as rows of `organization`.
async fn several<R: AuthenticatedRow>(
    w: &World,
    organization: OrganizationId,
    found: Result<Vec<R>, Error>,
) -> Outcome {
    let Ok(found) = accepted(found) else {
        return Outcome::Refused;
    };
    let count = found.len();
    let mut genuine = true;
    for row in found {
        genuine &= verifies(w, organization, row).await;
    }
    outcome_of(count, genuine)
}

async fn verifies<R: AuthenticatedRow>(w: &World, organization: OrganizationId, row: R) -> bool {
    match w.keyring.verify(organization, row).await {
        Ok(_) => true,
        Err(OpenError::Tampered(_)) => false,
        Err(error) => panic!("{error}"),
    }
}
