use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;

use super::{
    answer::AnswerBody,
    answer_head::{AnswerHead, Heads},
    app::Lease,
    framing::{Framing, FramingError},
    outgoing::{Outgoing, SendFault},
    wire::Wire,
};
use crate::body::BodyError;

/// One request on one connection, up to the head of its answer. Dropping it closes the connection.
pub(super) struct Exchange {
    lease: Lease,
    wire: Box<Wire>,
    /// What the connection had sent before.
    before: u64,
    sending: Sending,
    heads: Heads,
    /// Something came back.
    answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Going,
    Done,
    /// The app takes no more; it may have said why.
    Broken,
}

/// Why an exchange gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was sent.
    Unsent,
    /// Something may have been sent, and nothing came back.
    Lost(io::Error),
    /// The answer broke off in its head.
    Broken(io::Error),
    /// What came back is no answer.
    Malformed(FramingError),
    /// It takes longer than the watch was set to. The exchange can go on.
    Overdue,
    /// It is the client's body that failed.
    Body(BodyError),
}

impl Exchange {
    /// `due`: when it is [`Failure::Overdue`], by the clock.
    pub(super) fn new(lease: Lease, wire: Box<Wire>, bodiless: bool, due: u64) -> Self {
        wire.watch.set(due);
        Self {
            before: wire.sent(),
            lease,
            wire,
            sending: Sending::Going,
            heads: Heads::new(bodiless),
            answered: false,
        }
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn is_reused(&self) -> bool {
        self.wire.reused
    }

    /// Sets another time to be overdue at.
    pub(super) fn wait_until(&self, due: u64) {
        self.wire.watch.set(due);
    }

    /// Sends what is to be sent, and awaits the head of the answer.
    pub(super) async fn head<B>(
        &mut self,
        outgoing: &mut Outgoing,
        body: &mut B,
    ) -> Result<AnswerHead, Failure>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        poll_fn(|cx| self.poll_head(cx, outgoing, body)).await
    }

    pub(super) fn poll_head<B>(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
        body: &mut B,
    ) -> Poll<Result<AnswerHead, Failure>>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        if self.sending == Sending::Going {
            match outgoing.poll_send(cx, &mut self.wire.tls, body) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.sending = Sending::Done,
                Poll::Ready(Err(SendFault::Body(error))) => {
                    return Poll::Ready(Err(Failure::Body(error)));
                }
                Poll::Ready(Err(SendFault::Io)) if self.wire.sent() == self.before => {
                    return Poll::Ready(Err(Failure::Unsent));
                }
                Poll::Ready(Err(SendFault::Io)) => self.sending = Sending::Broken,
            }
        }
        loop {
            match self.heads.find(&mut self.wire.inbox) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(Failure::Malformed(error))),
            }
            match self.wire.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => self.answered = true,
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(self.ended(io::ErrorKind::UnexpectedEof.into())));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.ended(error))),
                Poll::Pending if self.wire.watch.rings(cx) => {
                    return Poll::Ready(Err(Failure::Overdue));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn ended(&self, error: io::Error) -> Failure {
        if self.answered {
            Failure::Broken(error)
        } else {
            Failure::Lost(error)
        }
    }

    /// The answer, whose body goes on with the connection.
    pub(super) fn into_response(self, head: AnswerHead) -> Response<AnswerBody> {
        let delimited = !matches!(head.framing, Framing::UntilClose);
        // An answer to half a request is the last one here.
        let keeps = head.keeps && delimited && self.sending == Sending::Done;
        let body = AnswerBody::new(self.lease, self.wire, head.framing, keeps);
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
