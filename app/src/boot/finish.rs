//! `app finish`: ends an upgrade, so that only this build's release and later ones write from then on.

use db::RELEASE;

use crate::http::state::AppState;
use crate::services::release::Finished;

/// Raises the release floor and says what changed.
///
/// # Errors
///
/// A floor above this build, or that cannot be verified or raised now; nothing changed then.
pub(crate) async fn finish(app: &AppState) -> anyhow::Result<String> {
    Ok(match app.releases.finish().await? {
        Finished::Raised(from) => format!(
            "the release floor is raised from {from} to {RELEASE}: older builds write no more, and there is no way back"
        ),
        Finished::Before => format!("the release floor is {RELEASE} already: nothing to do"),
    })
}
