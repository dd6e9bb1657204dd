//! Opening branch keys anew before they close, and closing them when they do.

use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::time::{sleep_until, timeout_at};

use super::KeyError;
use super::branch::Warm;
use super::open::Opener;
use crate::keys::KeyStore;

/// Looks after one opened branch key in the background: at 4/5 of its life it is opened anew if it was
/// used, at its end it is closed, also if nobody asks for it any more.
pub(super) fn look_after<S: KeyStore>(opener: &Arc<Opener<S>>, warm: &Arc<Warm>) {
    // Between its turns the task holds nothing, so that it keeps no key open by itself.
    let (opener, kept) = (Arc::downgrade(opener), Arc::downgrade(warm));
    let (mut next, deadline) = (warm.refresh_at(), warm.deadline());
    tokio::spawn(async move {
        while let Turn::Again(at) = turn(&opener, &kept, next).await {
            next = at.min(deadline);
        }
    });
}

/// What comes after a turn.
enum Turn {
    /// Another one, at this moment.
    Again(Instant),
    /// Nothing: the key is closed, or another took its place.
    Done,
}

async fn turn<S: KeyStore>(opener: &Weak<Opener<S>>, warm: &Weak<Warm>, at: Instant) -> Turn {
    sleep_until(at.into()).await;
    let (Some(opener), Some(warm)) = (opener.upgrade(), warm.upgrade()) else {
        return Turn::Done;
    };
    if !warm.is_open(Instant::now()) {
        opener.close(&warm);
        return Turn::Done;
    }
    if !warm.was_used() {
        return Turn::Again(warm.deadline());
    }
    let opening = opener.open_branch(warm.organization);
    match timeout_at(warm.deadline().into(), opening).await {
        Ok(Ok(fresh)) => opener.replace(&warm, fresh),
        Ok(Err(error @ KeyError::Unavailable { .. })) => {
            tracing::warn!(organization = %warm.organization, %error, "branch key not refreshed");
            return Turn::Again(Instant::now() + opener.settings.cache / 20);
        }
        Ok(Err(error)) => {
            tracing::warn!(organization = %warm.organization, %error, "branch key closed");
            opener.close(&warm);
        }
        Err(_) => opener.close(&warm),
    }
    Turn::Done
}
