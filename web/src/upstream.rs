//! The apps: which of them is asked, over what connection, and what is done if it does not answer.
//!
//! A request is sent again only if that can do no harm:
//! - whatever it is, if nothing of it was sent: no connection, or one that took no byte;
//! - if it changes nothing and has no body, after a connection was lost before any of the answer
//!   came: twice at most, elsewhere if possible, and within a [`budget`];
//! - the same, if an answer is late (four times what 99 of 100 take, 1 s at least): then another
//!   app is asked as well, and the first answer counts.
//!
//! A request that changes something is never sent again once a byte may have left.

mod answer;
mod answer_head;
mod app;
mod budget;
mod counters;
mod exchange;
mod fitness;
mod flock;
mod framing;
mod latency;
mod limits;
mod list;
mod outgoing;
mod probe;
mod resend;
mod socket;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

use std::{io, sync::Arc};

use bytes::Bytes;
use certs::MutualClient;
use http::{HeaderValue, Response, request};
use http_body::Body;

pub(crate) use answer::{AnswerBody, AnswerError};
use app::Common;
pub(crate) use counters::UpstreamCounters;
use flock::Flock;
pub(crate) use framing::FramingError;
pub(crate) use limits::Limits;
use list::Follower;
pub(crate) use list::{Entry, ListError, Source};
#[cfg(test)]
pub(crate) use outgoing::emitted;
use resend::Call;
use watch::Clock;

use crate::body::BodyError;

/// Why there is no answer of an app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// No app can be connected to. Nothing was sent.
    #[error("no app can be connected to")]
    Unavailable,
    /// Every app has as many requests as it may have. Nothing was sent.
    #[error("every app is busy")]
    Full,
    /// The connection broke while the answer was awaited; what the app did is unknown.
    #[error("the app did not answer: {0}")]
    Lost(#[source] io::Error),
    /// What the app sent is not an answer; what it did is unknown.
    #[error(transparent)]
    Malformed(#[from] FramingError),
    /// The app takes too long.
    #[error("the app took too long")]
    Slow,
    /// It is the client's body that failed.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// The apps.
pub(crate) struct Upstreams(Arc<Flock>);

impl Upstreams {
    /// The apps on a list, all of them known by the same name and identity. Goes on following the
    /// list, and asking the apps whether they are ready, until it is dropped.
    ///
    /// Called within the runtime.
    pub(crate) fn start(
        source: Source,
        host: HeaderValue,
        tls: MutualClient,
        limits: Limits,
        counters: Arc<UpstreamCounters>,
    ) -> Result<Self, ListError> {
        let entries = source.entries()?;
        let flock = Flock::new(Common {
            limits,
            host,
            tls,
            clock: Clock::new(),
            counters,
        });
        let alive = list::is_alive(&source, &entries);
        let follower = Follower::new(source, entries);
        flock.set(&follower.addresses());
        if alive {
            tokio::spawn(follower.follow(Arc::downgrade(&flock)));
        }
        tokio::spawn(flock::keep_time(Arc::downgrade(&flock)));
        Ok(Self(flock))
    }

    /// Hands a request on, and awaits the head of its answer.
    ///
    /// `head` has the path and query alone for its URI, and the headers that are for the app; the
    /// host and the framing are added here. The framing follows from the body: its exact size if
    /// that is known, chunks otherwise. Dropped before it is done, it closes the connection.
    ///
    /// An answer that comes before the body was sent ends the sending.
    pub(crate) async fn send<B>(
        &self,
        head: &request::Parts,
        body: &mut B,
    ) -> Result<Response<AnswerBody>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin + Send,
    {
        Call::new(&self.0, head, body).answer(body).await
    }

    /// Whether an app has said that it is ready, and has not taken it back.
    pub(crate) fn is_any_ready(&self) -> bool {
        let apps = self.0.apps();
        apps.iter().any(|app| app.fitness.is_ready())
    }

    /// Each app's address, and whether it is asked.
    pub(crate) fn states(&self) -> Vec<(String, bool)> {
        let apps = self.0.apps();
        let state = |app: &Arc<app::App>| (app.address().to_owned(), !app.fitness.is_ejected());
        apps.iter().map(state).collect()
    }
}
