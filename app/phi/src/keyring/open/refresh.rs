//! The background task that refreshes a branch key before its deadline, or closes it at the deadline.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Instant;

use phi_types::KeyStore;
use tokio::time::sleep_until;
use tokio::time::timeout_at;

use super::KeyLoader;
use crate::keyring::KeyError;
use crate::keyring::branch::OpenOrganization;

/// Spawns the task of one open branch key: it refreshes the key after 4/5 of its lifetime if the key was used, and
/// closes it at the deadline otherwise.
pub(super) fn spawn_refresh<S: KeyStore>(loader: &Arc<KeyLoader<S>>, open: &Arc<OpenOrganization>) {
    let (mut next, deadline) = (open.refresh_at(), open.deadline());
    // Weak, so that the task does not keep a key open that was closed between its steps.
    let (loader, open) = (Arc::downgrade(loader), Arc::downgrade(open));
    tokio::spawn(async move {
        while let Next::At(at) = step(&loader, &open, next).await {
            next = at.min(deadline);
        }
    });
}

/// The continuation of the task after a step.
enum Next {
    /// Another step, at this time.
    At(Instant),
    /// None: the key is closed or was replaced.
    Done,
}

async fn step<S: KeyStore>(
    loader: &Weak<KeyLoader<S>>,
    open: &Weak<OpenOrganization>,
    at: Instant,
) -> Next {
    sleep_until(at.into()).await;
    let (Some(loader), Some(open)) = (loader.upgrade(), open.upgrade()) else {
        return Next::Done;
    };
    if !open.is_open(Instant::now()) {
        loader.close(&open);
        return Next::Done;
    }
    if !open.was_used() {
        return Next::At(open.deadline());
    }
    let opening = loader.open_branch(open.organization);
    match timeout_at(open.deadline().into(), opening).await {
        Ok(Ok(fresh)) => loader.replace(&open, fresh),
        Ok(Err(error @ KeyError::Unavailable { .. })) => {
            tracing::warn!(organization = %open.organization, %error, "branch key not refreshed");
            return Next::At(Instant::now() + loader.settings.cache / 20);
        }
        Ok(Err(error)) => {
            tracing::warn!(organization = %open.organization, %error, "branch key closed");
            loader.close(&open);
        }
        Err(_) => loader.close(&open),
    }
    Next::Done
}
