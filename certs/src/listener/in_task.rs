use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures::stream::{FuturesUnordered, Stream as _};

type Exchange = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the streams of an HTTP/2 connection within the connection's own task: several that become
/// ready together are then one wake-up, and their answers one write.
#[derive(Clone, Default)]
pub(super) struct InTask(Arc<Mutex<Vec<Exchange>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for InTask {
    fn execute(&self, exchange: F) {
        self.new_ones().push(Box::pin(exchange));
    }
}

impl InTask {
    fn new_ones(&self) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The streams that are being answered.
#[derive(Default)]
pub(super) struct Exchanges {
    begun: InTask,
    running: FuturesUnordered<Exchange>,
}

impl Exchanges {
    /// What hyper gives its streams to.
    pub(super) fn executor(&self) -> InTask {
        self.begun.clone()
    }

    /// Lets every stream that can go on do so.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.running.extend(self.begun.new_ones().drain(..));
        while let Poll::Ready(Some(())) = Pin::new(&mut self.running).poll_next(cx) {}
    }

    /// Whether streams wait to be taken up.
    pub(super) fn has_new(&self) -> bool {
        !self.begun.new_ones().is_empty()
    }
}
