//! Bodies on their way through: never collected, always limited.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use certs::listener::Pace;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::{
    access_log::Entry,
    limits::{Limits, Ticket},
    upstream::{AnswerBody, AnswerError},
};

/// Why a request's body did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// There is more of it than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// The client does not keep up.
    #[error("the body came too slowly")]
    TooSlow,
    /// Its framing is broken.
    #[error("the body is malformed")]
    Malformed,
    /// The client went away.
    #[error("the client went away")]
    Gone,
}

/// A request's body as it comes from a client.
pub(crate) trait RequestBody: Body<Data = Bytes, Error = BodyError> + Unpin + Send {
    /// Ready once nobody waits for an answer any more.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A body of HTTP/2: hyper gives a request up by itself when its client does.
pub(crate) struct Http2Body(pub(crate) Option<Incoming>);

impl Http2Body {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self(Some(incoming).filter(|body| !body.is_end_stream()))
    }

    /// Reads a little more of a body that was not wanted. A client that still sends when its stream
    /// is reset may never see the answer that tells it why.
    pub(crate) fn linger(mut self, limits: &Limits) {
        let Some(mut incoming) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        let most = limits.linger_bytes;
        let enough = async move {
            let mut read = 0;
            while read < most {
                let frame = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await;
                let Some(Ok(frame)) = frame else { return };
                read += frame.data_ref().map_or(0, Bytes::len);
            }
        };
        tokio::spawn(timeout(limits.linger, enough));
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(incoming) = &mut self.0 else {
            return Poll::Ready(None);
        };
        Poll::Ready(match ready!(Pin::new(incoming).poll_frame(cx)) {
            None => None,
            Some(Ok(frame)) => Some(Ok(frame)),
            // A length that is not kept, or a stream that was reset.
            Some(Err(_)) => Some(Err(BodyError::Gone)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = SizeHint::with_exact(0);
        self.0.as_ref().map_or(none, Body::size_hint)
    }
}

impl RequestBody for Http2Body {
    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// A request's body on its way to the app: counted, timed, and without trailers.
pub(crate) struct Limited<'b, B> {
    body: &'b mut B,
    /// What came before an app was asked.
    gathered: VecDeque<Bytes>,
    left: u64,
    silence: Duration,
    pace: u32,
    wait: Option<(Pace, Pin<Box<Sleep>>)>,
    ticket: Option<Ticket>,
}

impl<'b, B: RequestBody> Limited<'b, B> {
    /// Lets `longest` bytes through.
    pub(crate) fn new(body: &'b mut B, longest: u64, limits: &Limits) -> Self {
        Self {
            body,
            gathered: VecDeque::new(),
            left: longest,
            silence: limits.silence,
            pace: limits.pace,
            wait: None,
            ticket: None,
        }
    }

    /// Reads the body ahead, to its end or so many bytes: nobody who sends slowly holds an app's
    /// connection, and what is short has a known length.
    pub(crate) async fn gather(&mut self, bytes: usize) -> Result<(), BodyError> {
        let mut gathered = 0;
        while gathered < bytes {
            let next = poll_fn(|cx| self.poll_next(cx)).await;
            let Some(data) = next.transpose()? else { break };
            gathered += data.len();
            self.gathered.push_back(data);
        }
        Ok(())
    }

    /// An app may be asked. While the client still sends, the request is not at work there.
    pub(crate) fn admitted(&mut self, mut ticket: Ticket) {
        if !self.body.is_end_stream() {
            ticket.receiving();
        }
        self.ticket = Some(ticket);
    }

    /// The app has answered.
    pub(crate) fn answered(&mut self) {
        self.ticket.iter_mut().for_each(Ticket::answered);
    }

    /// The body, if all of it was gathered.
    pub(crate) fn whole(&mut self) -> Option<Whole> {
        let whole = self.body.is_end_stream();
        whole.then(|| Whole(std::mem::take(&mut self.gathered)))
    }

    /// Ready once nobody waits for an answer any more.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.body.poll_gone(cx)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut *self.body).poll_frame(cx) else {
                ready!(self.poll_late(cx));
                return Poll::Ready(Some(Err(BodyError::TooSlow)));
            };
            return Poll::Ready(match frame {
                None => None,
                Some(Err(error)) => Some(Err(error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Err(_trailers) => continue,
                    Ok(data) => Some(self.count(data)),
                },
            });
        }
    }

    /// Lets `data` through, unless it is too much.
    fn count(&mut self, data: Bytes) -> Result<Bytes, BodyError> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(BodyError::TooLarge)?;
        if let Some((pace, _)) = &mut self.wait {
            pace.moved(Instant::now(), data.len());
        }
        Ok(data)
    }

    /// Ready when the client has not kept up.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (silence, rate) = (self.silence, self.pace);
        let (pace, alarm) = self.wait.get_or_insert_with(|| {
            let pace = Pace::begin(Instant::now());
            let due = pace.deadline(silence, rate);
            (pace, Box::pin(sleep_until(due)))
        });
        loop {
            ready!(alarm.as_mut().poll(cx));
            let due = pace.deadline(silence, rate);
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
    }
}

impl<B: RequestBody> Body for Limited<'_, B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(data) = self.gathered.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let next = ready!(self.poll_next(cx));
        if self.body.is_end_stream() {
            self.ticket.iter_mut().for_each(Ticket::received);
        }
        Poll::Ready(next.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.gathered.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let gathered = length(&self.gathered);
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(gathered));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(gathered));
        }
        hint
    }
}

/// A body of which nothing is to come.
pub(crate) struct Whole(VecDeque<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = self.0.pop_front();
        Poll::Ready(next.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(length(&self.0))
    }
}

fn length(pieces: &VecDeque<Bytes>) -> u64 {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// An answer's body. Its end is the end of the request, which is when it is logged.
pub(crate) struct EdgeBody {
    source: Source,
    entry: Entry,
}

enum Source {
    /// Streamed from the app.
    App(AnswerBody),
    /// Our own words.
    Own(Bytes),
}

impl EdgeBody {
    pub(crate) fn app(body: AnswerBody, entry: Entry) -> Self {
        let source = Source::App(body);
        Self { source, entry }
    }

    pub(crate) fn own(bytes: Bytes, entry: Entry) -> Self {
        let source = Source::Own(bytes);
        Self { source, entry }
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Own(bytes) if bytes.is_empty() => None,
            Source::Own(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Source::App(body) => ready!(Pin::new(body).poll_frame(cx)),
        };
        if let Some(Ok(data)) = frame
            .as_ref()
            .map(|frame| frame.as_ref().map(Frame::data_ref))
        {
            this.entry.sent(data.map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.is_empty(),
            Source::App(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Source::App(body) => body.size_hint(),
        }
    }
}
