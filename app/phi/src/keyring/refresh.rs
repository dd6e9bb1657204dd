//! Refreshing branch keys before their deadline, and closing them at it.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Instant;

use phi_types::KeyStore;
use tokio::time::sleep_until;
use tokio::time::timeout_at;

use super::KeyError;
use super::branch::OpenOrganization;
use super::open::KeyLoader;

/// Spawns the task that refreshes one open branch key at 4/5 of its life if it was used, and closes it at the
/// end of its life even if it is not used again.
pub(super) fn spawn_refresh<S: KeyStore>(loader: &Arc<KeyLoader<S>>, warm: &Arc<OpenOrganization>) {
    // Weak references, so that the task alone keeps no key open between steps.
    let (loader, kept) = (Arc::downgrade(loader), Arc::downgrade(warm));
    let (mut next, deadline) = (warm.refresh_at(), warm.deadline());
    tokio::spawn(async move {
        while let Next::At(at) = step(&loader, &kept, next).await {
            next = at.min(deadline);
        }
    });
}

/// What follows a step.
enum Next {
    /// Another step, at this moment.
    At(Instant),
    /// Nothing: the key is closed or was replaced.
    Done,
}

async fn step<S: KeyStore>(
    loader: &Weak<KeyLoader<S>>,
    warm: &Weak<OpenOrganization>,
    at: Instant,
) -> Next {
    sleep_until(at.into()).await;
    let (Some(loader), Some(warm)) = (loader.upgrade(), warm.upgrade()) else {
        return Next::Done;
    };
    if !warm.is_open(Instant::now()) {
        loader.close(&warm);
        return Next::Done;
    }
    if !warm.was_used() {
        return Next::At(warm.deadline());
    }
    let opening = loader.open_branch(warm.organization);
    match timeout_at(warm.deadline().into(), opening).await {
        Ok(Ok(fresh)) => loader.replace(&warm, fresh),
        Ok(Err(error @ KeyError::Unavailable { .. })) => {
            tracing::warn!(organization = %warm.organization, %error, "branch key not refreshed");
            return Next::At(Instant::now() + loader.settings.cache / 20);
        }
        Ok(Err(error)) => {
            tracing::warn!(organization = %warm.organization, %error, "branch key closed");
            loader.close(&warm);
        }
        Err(_) => loader.close(&warm),
    }
    Next::Done
}
