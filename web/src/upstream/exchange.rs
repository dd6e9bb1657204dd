//! One request on one connection.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http::Response;
use http_body::Body;

use super::connection::PooledConnection;
use super::endpoint::Endpoint;
use super::endpoint::InFlightGuard;
use super::framing::Framing;
use super::framing::FramingError;
use super::request_encoder::RequestEncoder;
use super::request_encoder::SendFault;
use super::response_body::UpstreamBody;
use super::response_head::ResponseHead;
use super::response_head::ResponseHeadParser;
use crate::handler::BodyError;

/// One request on one connection, up to the head of its response. Dropping the exchange closes the
/// connection.
pub(super) struct Exchange {
    in_flight: InFlightGuard,
    connection: Box<PooledConnection>,
    /// Bytes sent on the connection before this request.
    sent_before: u64,
    sending: Sending,
    parser: ResponseHeadParser,
    /// Whether a part of the response was received.
    receiving: bool,
    /// The deadline of the response, by the coarse clock, while the endpoint is waited for.
    deadline: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    InProgress,
    Complete,
    /// The endpoint accepts no more bytes; its response may still arrive.
    Broken,
}

/// An exchange that failed before its response.
#[derive(Debug)]
pub(super) enum Failure {
    /// No byte was sent.
    Unsent,
    /// A part of the request may have been sent, and no byte was received.
    Lost(io::Error),
    /// The connection was lost within the head of the response.
    Truncated(io::Error),
    /// The response is malformed.
    Malformed(FramingError),
    /// The deadline has passed, or the endpoint is silent. The exchange may be continued.
    Late,
    /// The client's body could not be read.
    Body(BodyError),
}

impl Exchange {
    /// An exchange whose response is due at `deadline`, by the coarse clock, or later if the
    /// request has to wait for its client.
    pub(super) fn new(
        in_flight: InFlightGuard,
        connection: Box<PooledConnection>,
        to_head: bool,
        deadline: u64,
    ) -> Self {
        connection.deadline.set(deadline);
        Self {
            sent_before: connection.sent(),
            in_flight,
            connection,
            sending: Sending::InProgress,
            parser: ResponseHeadParser::new(to_head),
            receiving: false,
            deadline,
        }
    }

    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        self.in_flight.endpoint()
    }

    pub(super) fn is_reused(&self) -> bool {
        self.connection.reused
    }

    /// Whether the deadline of the response has passed.
    pub(super) fn is_overdue(&self) -> bool {
        self.endpoint().context.clock.now() >= self.deadline
    }

    /// Continues to wait after [`Failure::Late`].
    pub(super) fn resume(&self) {
        self.connection.deadline.set(self.deadline);
    }

    /// Sends the request, and waits for the head of the response.
    ///
    /// # Errors
    /// [`Failure`].
    pub(super) async fn send<B>(
        &mut self,
        encoder: &mut RequestEncoder,
        body: &mut B,
    ) -> Result<ResponseHead, Failure>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        poll_fn(|cx| self.poll_head(cx, encoder, body)).await
    }

    fn poll_head<B>(
        &mut self,
        cx: &mut Context<'_>,
        encoder: &mut RequestEncoder,
        body: &mut B,
    ) -> Poll<Result<ResponseHead, Failure>>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        if self.sending == Sending::InProgress {
            match encoder.poll_send(cx, &mut self.connection.tls, body) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.sending = Sending::Complete,
                Poll::Ready(Err(SendFault::Body(error))) => {
                    return Poll::Ready(Err(Failure::Body(error)));
                }
                Poll::Ready(Err(SendFault::Io)) if self.connection.sent() == self.sent_before => {
                    return Poll::Ready(Err(Failure::Unsent));
                }
                Poll::Ready(Err(SendFault::Io)) => self.sending = Sending::Broken,
            }
            let deadline = &self.connection.deadline;
            if encoder.awaits_body() {
                // A slow client is not the endpoint's fault: the body has limits of its own.
                deadline.clear();
            } else if !deadline.is_set() {
                self.deadline = self.in_flight.response_deadline();
                deadline.set(self.deadline);
            }
        }
        loop {
            match self.parser.find(&mut self.connection.inbox) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(Failure::Malformed(error))),
            }
            match self.connection.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => self.receiving = true,
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(self.lost(io::ErrorKind::UnexpectedEof.into())));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.lost(error))),
                Poll::Pending if self.connection.deadline.has_passed(cx) => {
                    return Poll::Ready(Err(Failure::Late));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn lost(&self, error: io::Error) -> Failure {
        if self.receiving {
            Failure::Truncated(error)
        } else {
            Failure::Lost(error)
        }
    }

    /// The response, whose body holds the connection until its end.
    pub(super) fn into_response(self, head: ResponseHead) -> Response<UpstreamBody> {
        let delimited = !matches!(head.framing, Framing::UntilClose);
        // If the request was not sent completely, the connection cannot carry another one.
        let persistent = head.persistent && delimited && self.sending == Sending::Complete;
        let body = UpstreamBody::new(self.in_flight, self.connection, head.framing, persistent);
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
