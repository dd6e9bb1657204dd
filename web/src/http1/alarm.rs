use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for all that a connection waits for. Moving it to a later moment costs nothing: it
/// looks again when it rings.
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(super) fn at(due: Instant) -> Self {
        Self(Box::pin(sleep_until(due)))
    }

    /// Ready once it is `due`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        loop {
            if due < self.0.deadline() {
                self.0.as_mut().reset(due);
            }
            if self.0.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(due);
        }
    }
}
