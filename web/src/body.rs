//! Bodies on their way through: never collected, always limited.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep, timeout};

use crate::{access_log::Entry, route, upstream::Lease};

/// The longest body of `/fhir`: a transaction is many resources.
const FHIR_LIMIT: u64 = 8 * 1024 * 1024;
/// The longest body of anything else: a form.
const FORM_LIMIT: u64 = 1024 * 1024;
/// How long a client may be silent in the midst of a body.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long, and how much, is still read of a body that is not wanted.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// The longest body that `path` takes, in bytes.
pub(crate) fn limit(path: &str) -> u64 {
    if route::is_fhir(path) {
        FHIR_LIMIT
    } else {
        FORM_LIMIT
    }
}

/// Reads a little more of a body that is not wanted. A client that still sends when its connection
/// is closed may never see the answer that tells it why.
pub(crate) fn linger(mut incoming: Incoming) {
    let enough = async move {
        let mut read = 0;
        while read < LINGER_BYTES {
            let frame = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await;
            let Some(Ok(frame)) = frame else { return };
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    tokio::spawn(timeout(LINGER, enough));
}

/// Why a request's body did not get through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// There is more of it than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// The client fell silent.
    #[error("the body came too slowly")]
    TooSlow,
    /// The client went away, or broke the framing.
    #[error("the body ended early")]
    Client(#[source] hyper::Error),
}

/// A request's body: counted, timed, and without trailers.
pub(crate) struct RequestBody {
    incoming: Option<Incoming>,
    left: u64,
    patience: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, limit: u64) -> Self {
        let incoming = Some(incoming).filter(|body| !body.is_end_stream());
        Self {
            incoming,
            left: limit,
            patience: None,
        }
    }

    pub(crate) fn empty() -> Self {
        Self {
            incoming: None,
            left: 0,
            patience: None,
        }
    }
}

impl RequestBody {
    /// Lets `data` through, unless it is too much.
    fn count(&mut self, data: Bytes) -> Result<Bytes, BodyError> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if let Some(left) = self.left.checked_sub(length) {
            self.left = left;
            return Ok(data);
        }
        if let Some(rest) = self.incoming.take() {
            linger(rest);
        }
        Err(BodyError::TooLarge)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        loop {
            let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
                let patience = this
                    .patience
                    .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
                ready!(patience.as_mut().poll(cx));
                return Poll::Ready(Some(Err(BodyError::TooSlow)));
            };
            this.patience = None;
            return Poll::Ready(match frame {
                None => None,
                Some(Err(error)) => Some(Err(BodyError::Client(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Err(_trailers) => continue,
                    Ok(data) => Some(this.count(data).map(Frame::data)),
                },
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

/// An answer's body. Its end is the end of the request, which is when it is logged.
pub(crate) struct AnswerBody {
    source: Source,
    entry: Entry,
}

enum Source {
    /// Streamed from the app.
    App {
        incoming: Incoming,
        #[expect(dead_code, reason = "held for what its drop does")]
        lease: Lease,
    },
    /// Our own words.
    Own(Bytes),
}

impl AnswerBody {
    pub(crate) fn app(incoming: Incoming, lease: Lease, entry: Entry) -> Self {
        Self {
            source: Source::App { incoming, lease },
            entry,
        }
    }

    pub(crate) fn own(bytes: Bytes, entry: Entry) -> Self {
        Self {
            source: Source::Own(bytes),
            entry,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let data = match &mut this.source {
            Source::Own(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Source::Own(bytes) => std::mem::take(bytes),
            Source::App { incoming, .. } => loop {
                match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => break data,
                        Err(_trailers) => {}
                    },
                }
            },
        };
        this.entry.sent(data.len());
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.is_empty(),
            Source::App { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Source::App { incoming, .. } => incoming.size_hint(),
        }
    }
}
