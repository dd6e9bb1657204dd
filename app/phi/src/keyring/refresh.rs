//! Opening branch keys anew before they close, and closing them when they do.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::KeyError;
use super::branch::Warm;
use super::open::Opener;
use crate::keys::KeyStore;

/// Looks after one opened branch key in the background: at 4/5 of its life it is opened anew if it was
/// used, at its end it is closed, also if nobody asks for it any more.
pub(super) fn look_after<S: KeyStore>(opener: &Arc<Opener<S>>, warm: &Arc<Warm>) {
    let (opener, warm) = (Arc::downgrade(opener), Arc::downgrade(warm));
    tokio::spawn(async move {
        if refreshed(&opener, &warm).await.is_none() {
            close(&opener, &warm);
        }
    });
}

/// Some if another took the place of this one or nobody holds it any more, `None` if it must close.
async fn refreshed<S: KeyStore>(opener: &Weak<Opener<S>>, warm: &Weak<Warm>) -> Option<()> {
    let (mut next, deadline) = {
        let warm = warm.upgrade()?;
        (warm.refresh_at(), warm.deadline())
    };
    loop {
        sleep_until(next.min(deadline)).await;
        let (opener, warm) = (opener.upgrade()?, warm.upgrade()?);
        if !warm.is_open(Instant::now()) {
            return None;
        }
        if !warm.was_used() {
            next = deadline;
            continue;
        }
        match opener.open_branch(warm.organization).await {
            Ok(fresh) => {
                opener.shelve(fresh);
                return Some(());
            }
            Err(error @ KeyError::Unavailable { .. }) => {
                tracing::warn!(organization = %warm.organization, %error, "branch key not refreshed");
                next = Instant::now() + opener.settings.cache / 20;
            }
            Err(error) => {
                tracing::warn!(organization = %warm.organization, %error, "branch key closed");
                return None;
            }
        }
    }
}

fn close<S: KeyStore>(opener: &Weak<Opener<S>>, warm: &Weak<Warm>) {
    if let (Some(opener), Some(warm)) = (opener.upgrade(), warm.upgrade()) {
        opener
            .organizations
            .remove_if(&warm.organization, |shelved| Arc::ptr_eq(shelved, &warm));
    }
}

async fn sleep_until(moment: Instant) {
    tokio::time::sleep_until(moment.into()).await;
}
