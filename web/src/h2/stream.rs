//! One stream: a request, and its response within the client's flow-control credit.

use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use h2::Reason;
use h2::RecvStream;
use h2::SendStream;
use h2::server::SendResponse;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header::CONTENT_LENGTH;
use http::header::DATE;
use http::response;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use listener::ThroughputGuard;
use tokio::time::Instant;
use tokio::time::timeout;

use super::write_buffer::WriteBuffer;
use crate::handler::BodyError;
use crate::handler::RequestBody;
use crate::handler::RequestHandler;
use crate::http_date;
use crate::limits::Limits;
use crate::timer::Timer;

/// The state of a connection that its streams share.
pub(super) struct StreamContext<'c, S, H> {
    pub(super) handler: &'c H,
    pub(super) address: SocketAddr,
    pub(super) buffer: &'c WriteBuffer<S>,
}

impl<S, H> Clone for StreamContext<'_, S, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, H> Copy for StreamContext<'_, S, H> {}

impl<S, H: RequestHandler> StreamContext<'_, S, H> {
    /// Handles a request and sends its response. Ends early if the client resets the stream.
    pub(super) async fn serve(
        self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        permit: H::StreamPermit,
    ) {
        let (head, body) = request.into_parts();
        let to_head = head.method == Method::HEAD;
        let mut body = IncomingBody::new(body);
        let response = {
            let handled = self.handler.handle(head, &mut body, self.address);
            let mut handled = pin!(handled);
            poll_fn(|cx| {
                if let Poll::Ready(response) = handled.as_mut().poll(cx) {
                    return Poll::Ready(Some(response));
                }
                respond.poll_reset(cx).map(|_reason| None)
            })
            .await
        };
        let Some(response) = response else { return };
        let (mut head, response) = response.into_parts();
        prepare(&mut head, &response);
        let bodiless = matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        let complete = to_head || bodiless || response.is_end_stream();
        let head = Response::from_parts(head, ());
        let Ok(stream) = respond.send_response(head, complete) else {
            return;
        };
        if complete {
            drop(response);
        } else {
            let mut sender = Sender::new(stream, self.buffer, self.handler.limits());
            if let Err(reason) = sender.send(response).await {
                sender.stream.send_reset(reason);
            }
        }
        body.linger(self.handler.limits()).await;
        drop(permit);
    }
}

/// Sets the version, `Date` and `Content-Length` of a response (RFC 9110, 6.6.1 and 8.6).
fn prepare(head: &mut response::Parts, body: &impl Body) {
    head.version = Version::HTTP_2;
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        head.headers
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if !head.headers.contains_key(DATE) {
        head.headers.insert(DATE, http_date::now());
    }
}

/// The sender of a response's body.
struct Sender<'c, S> {
    stream: SendStream<Bytes>,
    buffer: &'c WriteBuffer<S>,
    limits: &'c Limits,
    /// Deadline of the whole response.
    deadline: Instant,
    /// The throughput of a client that delays credit, and the timer of the current wait.
    late: Option<(ThroughputGuard, Timer)>,
    /// Whether the stream waits for credit.
    stalled: bool,
}

impl<'c, S> Sender<'c, S> {
    fn new(stream: SendStream<Bytes>, buffer: &'c WriteBuffer<S>, limits: &'c Limits) -> Self {
        Self {
            stream,
            buffer,
            limits,
            deadline: Instant::now() + limits.response_timeout,
            late: None,
            stalled: false,
        }
    }

    /// Sends the whole body.
    ///
    /// # Errors
    /// The reason to reset the stream with.
    async fn send(&mut self, mut body: impl Body<Data = Bytes> + Unpin) -> Result<(), Reason> {
        loop {
            let next = poll_fn(|cx| {
                if let Poll::Ready(next) = Pin::new(&mut body).poll_frame(cx) {
                    return Poll::Ready(Some(next));
                }
                self.stream.poll_reset(cx).map(|_reason| None)
            });
            let data = match next.await {
                None => return Err(Reason::CANCEL),
                Some(None) => return self.send_part(Bytes::new(), true),
                Some(Some(Err(_))) => return Err(Reason::INTERNAL_ERROR),
                Some(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            let last = body.is_end_stream();
            if self.send_data(data, last).await? {
                return Ok(());
            }
        }
    }

    /// Sends data as the client grants credit, and the end of the stream with the last part.
    /// Returns whether the stream has ended.
    async fn send_data(&mut self, mut data: Bytes, last: bool) -> Result<bool, Reason> {
        while !data.is_empty() {
            let credit = poll_fn(|cx| self.poll_credit(cx, data.len())).await?;
            let part = data.split_to(credit.min(data.len()));
            self.send_part(part, last && data.is_empty())?;
        }
        Ok(last)
    }

    fn send_part(&mut self, part: Bytes, last: bool) -> Result<(), Reason> {
        let length = part.len();
        if let Some((guard, _)) = &mut self.late {
            guard.on_progress(Instant::now(), length);
        }
        self.stream
            .send_data(part, last)
            .map_err(|_already_reset| Reason::CANCEL)?;
        self.buffer.on_payload(length);
        Ok(())
    }

    /// Waits for credit, and returns its bytes.
    ///
    /// Data is not passed to `h2` without credit: `h2` would queue it, and the stream would seem
    /// complete.
    ///
    /// # Errors
    /// `CANCEL`, if the stream was reset or the client withholds credit for too long.
    fn poll_credit(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Reason>> {
        // Waits for the socket first: the connection, not the stream, times a full socket.
        ready!(self.buffer.poll_ready(cx, self.limits));
        self.stream.reserve_capacity(wanted);
        loop {
            let credit = self.stream.capacity();
            if credit > 0 {
                self.stalled = false;
                return Poll::Ready(Ok(credit));
            }
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Reason::CANCEL)),
                Poll::Pending => break,
            }
        }
        ready!(self.poll_late(cx));
        Poll::Ready(Err(Reason::CANCEL))
    }

    /// Ready once the client has granted too little credit for too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let begins = !std::mem::replace(&mut self.stalled, true);
        let (guard, timer) = self
            .late
            .get_or_insert_with(|| (ThroughputGuard::start(now), Timer::new(now)));
        if begins {
            guard.resume(now);
        }
        let due = guard.deadline(self.limits.read_timeout, self.limits.min_bytes_per_second);
        timer.poll(cx, due.min(self.deadline))
    }
}

/// A request's body.
struct IncomingBody(Option<RecvStream>);

impl IncomingBody {
    fn new(stream: RecvStream) -> Self {
        Self(Some(stream).filter(|stream| !stream.is_end_stream()))
    }

    /// Discards some more of an unread body. A client that still sends when its stream is reset may
    /// never see the response.
    async fn linger(mut self, limits: &Limits) {
        if self.is_end_stream() {
            return;
        }
        let enough = async {
            let mut read = 0;
            while read < limits.linger_bytes {
                let frame = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await;
                let Some(Ok(frame)) = frame else { return };
                read += frame.data_ref().map_or(0, Bytes::len);
            }
        };
        // At the timeout a slow client has had the time to read the response.
        let _ = timeout(limits.linger_timeout, enough).await;
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(None);
        };
        match ready!(stream.poll_data(cx)) {
            None => {
                self.0 = None;
                Poll::Ready(None)
            }
            Some(Ok(data)) => {
                // Grants credit for more; an error only means that the stream is closed.
                let _ = stream.flow_control().release_capacity(data.len());
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            // A wrong `Content-Length`, or a reset stream.
            Some(Err(_)) => Poll::Ready(Some(Err(BodyError::Disconnected))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            SizeHint::with_exact(0)
        } else {
            SizeHint::new()
        }
    }
}

impl RequestBody for IncomingBody {
    fn poll_disconnected(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // `StreamContext::serve` ends when the client resets the stream.
        Poll::Pending
    }
}
