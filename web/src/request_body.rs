//! The body of a request to the upstream: within limits of size and time, without trailers.

use std::collections::VecDeque;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use listener::ThroughputGuard;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep_until;

use crate::admission::AdmissionPermit;
use crate::admission::SharePermit;
use crate::handler::BodyError;
use crate::handler::RequestBody;
use crate::limits::Limits;

/// Parts of a body below this size, in bytes, are copied together.
const MAX_COPIED_BYTES: usize = 4 * 1024;

/// A request's body that enforces limits of size and time.
pub(crate) struct LimitedBody<'b, B> {
    body: &'b mut B,
    /// The part that is read before an upstream connection is used.
    prebuffered: Pieces,
    /// Bytes that the body may still have.
    remaining: u64,
    read_timeout: Duration,
    min_bytes_per_second: u32,
    /// The end of [`Limits::request_body_timeout`].
    deadline: Instant,
    wait: Option<(ThroughputGuard, Pin<Box<Sleep>>)>,
    permit: Option<AdmissionPermit>,
}

impl<'b, B: RequestBody> LimitedBody<'b, B> {
    /// Wraps a body of at most `max_bytes`.
    pub(crate) fn new(body: &'b mut B, max_bytes: u64, limits: &Limits) -> Self {
        Self {
            body,
            prebuffered: Pieces::default(),
            remaining: max_bytes,
            read_timeout: limits.read_timeout,
            min_bytes_per_second: limits.min_bytes_per_second,
            deadline: Instant::now() + limits.request_body_timeout,
            wait: None,
            permit: None,
        }
    }

    /// Reads the body to its end, or at least `bytes` of it, within the client's share of memory: a
    /// slow client then occupies no upstream connection, and a short body has a known length.
    pub(crate) async fn prebuffer(
        &mut self,
        bytes: usize,
        memory: &mut SharePermit,
    ) -> Result<(), BodyError> {
        let mut read = 0;
        while read < bytes {
            let next = poll_fn(|cx| self.poll_next(cx)).await;
            let Some(data) = next.transpose()? else { break };
            read += data.len();
            if !memory.try_grow_to(u64::try_from(read).unwrap_or(u64::MAX)) {
                return Err(BodyError::Overloaded);
            }
            self.prebuffered.push(data);
        }
        Ok(())
    }

    /// Stores the permit of load shedding. While the client still sends, the request does not count
    /// as work of the app tier.
    pub(crate) fn on_admitted(&mut self, mut permit: AdmissionPermit) {
        if !self.body.is_end_stream() {
            permit.on_receiving();
        }
        self.permit = Some(permit);
    }

    /// Reports that the upstream has responded.
    pub(crate) fn on_response(&mut self) {
        self.permit
            .iter_mut()
            .for_each(AdmissionPermit::on_response);
    }

    /// Whether the client has sent the whole body.
    pub(crate) fn is_received(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The whole body, if it is prebuffered.
    pub(crate) fn take_complete(&mut self) -> Option<BufferedBody> {
        self.is_received()
            .then(|| BufferedBody(std::mem::take(&mut self.prebuffered)))
    }

    /// Ready once the client has disconnected.
    pub(crate) fn poll_disconnected(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.body.poll_disconnected(cx)
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

    /// Counts data against the size limit.
    fn count(&mut self, data: Bytes) -> Result<Bytes, BodyError> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let remaining = self.remaining.checked_sub(length);
        self.remaining = remaining.ok_or(BodyError::TooLarge)?;
        if let Some((guard, _)) = &mut self.wait {
            guard.on_progress(Instant::now(), data.len());
        }
        Ok(data)
    }

    /// Ready once the client is too slow.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (grace, rate, end) = (self.read_timeout, self.min_bytes_per_second, self.deadline);
        let due = |guard: &ThroughputGuard| guard.deadline(grace, rate).min(end);
        let (guard, timer) = self.wait.get_or_insert_with(|| {
            let guard = ThroughputGuard::start(Instant::now());
            (guard, Box::pin(sleep_until(due(&guard))))
        });
        loop {
            ready!(timer.as_mut().poll(cx));
            let due = due(guard);
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

impl<B: RequestBody> Body for LimitedBody<'_, B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(data) = self.prebuffered.pop() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let next = ready!(self.poll_next(cx));
        if self.body.is_end_stream() {
            self.permit
                .iter_mut()
                .for_each(AdmissionPermit::on_received);
        }
        Poll::Ready(next.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.prebuffered.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let prebuffered = self.prebuffered.length();
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(prebuffered));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(prebuffered));
        }
        hint
    }
}

/// A body in memory.
pub(crate) struct BufferedBody(Pieces);

impl Body for BufferedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = self.0.pop();
        Poll::Ready(next.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.length())
    }
}

/// Parts of a body in memory, which take little more than their length.
#[derive(Default)]
struct Pieces {
    whole: VecDeque<Bytes>,
    /// The small parts after those.
    joined: BytesMut,
}

impl Pieces {
    fn push(&mut self, data: Bytes) {
        // A piece refers to the buffer that it was received in: thousands of chunks of one byte would
        // hold many times their length.
        if data.len() < MAX_COPIED_BYTES {
            self.joined.extend_from_slice(&data);
            return;
        }
        if !self.joined.is_empty() {
            self.whole.push_back(self.joined.split().freeze());
        }
        self.whole.push_back(data);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let joined = |joined: &mut BytesMut| {
            let joined = std::mem::take(joined).freeze();
            (!joined.is_empty()).then_some(joined)
        };
        self.whole.pop_front().or_else(|| joined(&mut self.joined))
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.joined.is_empty()
    }

    fn length(&self) -> u64 {
        let whole: usize = self.whole.iter().map(Bytes::len).sum();
        u64::try_from(whole + self.joined.len()).unwrap_or(u64::MAX)
    }
}
