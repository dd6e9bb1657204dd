//! `app finish`: finishes an upgrade. From then on only builds of this release and later ones can
//! write.

use db::RELEASE;

use crate::http::state::AppState;
use crate::services::release::FinishOutcome;

/// Raises the release floor and describes the change.
///
/// # Errors
///
/// The floor is above this build, or cannot be verified or raised now; then nothing has changed.
pub(crate) async fn finish(app: &AppState) -> anyhow::Result<String> {
    Ok(match app.releases.finish().await? {
        FinishOutcome::Raised(from) => format!(
            "the release floor is raised from {from} to {RELEASE}: older builds can no longer write"
        ),
        FinishOutcome::AlreadyRaised => {
            format!("the release floor is {RELEASE} already: nothing to do")
        }
    })
}
