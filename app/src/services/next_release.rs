//! A simulated next release, for the upgrade test. It has one more sealed column, which is written
//! once the upgrade is finished, and one more audit action, which is written at once. Compiled
//! under the feature `next-release` only.

use audit::Action;
use audit::Event;
use db::Database;
use db::DemographicsRow;
use db::RELEASE;
use phi::AuthorizationKey;
use phi::ScopeKey;
use phi::SealError;

/// The row with the new column, if every build that may still write knows that column.
pub(crate) fn with_note(
    database: &Database,
    key: &AuthorizationKey,
    scope: &ScopeKey,
    row: DemographicsRow,
) -> Result<DemographicsRow, SealError> {
    if !database.floor_is_at_least(RELEASE) {
        return Ok(row);
    }
    let note = scope.seal(row.row_id, &"a note of the next release".to_owned())?;
    Ok(key.authenticate(DemographicsRow {
        next_release_note: Some(note),
        ..row
    }))
}

/// Replaces the action of a search by the one that only the next release knows.
pub(crate) fn rename(event: &mut Event) {
    if event.action == Action::Search {
        event.action = Action::NextRelease;
    }
}
