use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use certs::listener::Pace;
use http::{Method, Response, StatusCode};
use http_body::Body;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout},
};
use tokio_util::{io::poll_read_buf, sync::CancellationToken};

use super::{
    alarm::Alarm,
    answer::{self, Framing},
    head::{self, Head},
    incoming::Incoming,
};
use crate::{
    body::EdgeBody,
    edge::{CloseConnection, Edge},
    limits::Limits,
    problem::Problem,
    transport::Parting,
    written::LAST_CHUNK,
};

/// Read at a time.
const READ: usize = 8 * 1024;
const LEAST_READ: usize = 2 * 1024;
/// Gathered before it is sent: a TLS record.
const WRITE: usize = 16 * 1024;

/// The connection is of no more use: the client went away, or does not keep up.
#[derive(Debug)]
struct Ended;

/// A connection's stream, and what was read from it ahead.
pub(super) struct Line<S> {
    pub(super) stream: S,
    pub(super) inbox: BytesMut,
    longest_head: usize,
}

impl<S: AsyncRead + Unpin> Line<S> {
    /// Reads what there is. 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // What is left of the last buffer will do for most heads.
        if self.inbox.capacity() - self.inbox.len() < LEAST_READ {
            self.inbox.reserve(READ);
        }
        poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.inbox)
    }
}

impl<S> Line<S> {
    /// Whether a head could still grow.
    pub(super) fn has_room(&self) -> bool {
        self.inbox.len() < self.longest_head
    }
}

/// Answers the requests of a connection until its end.
pub(crate) async fn hold<S>(
    stream: S,
    address: SocketAddr,
    edge: &Edge,
    shutdown: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Parting + Unpin + Send,
{
    let limits = &edge.limits;
    let mut connection = Connection {
        line: Line {
            stream,
            inbox: BytesMut::new(),
            longest_head: usize::try_from(limits.head_bytes).unwrap_or(usize::MAX),
        },
        outbox: BytesMut::new(),
        parted: false,
        alarm: Alarm::at(Instant::now() + limits.first),
        address,
        limits,
    };
    let end = connection.answer_all(edge, shutdown).await;
    if matches!(end, Ok(End::Answered)) && connection.parted {
        // Closing the socket says the rest.
        return;
    }
    connection.close().await;
    if let Ok(End::Unread) = end {
        connection.linger().await;
    }
}

/// How a connection ends after its last answer.
enum End {
    /// It was whole, and so was its request.
    Answered,
    /// The client may still be sending what nobody wants.
    Unread,
}

struct Connection<'l, S> {
    line: Line<S>,
    outbox: BytesMut,
    /// Whether the goodbye went with the last answer.
    parted: bool,
    alarm: Alarm,
    address: SocketAddr,
    limits: &'l Limits,
}

impl<S: AsyncRead + AsyncWrite + Parting + Unpin + Send> Connection<'_, S> {
    async fn answer_all(
        &mut self,
        edge: &Edge,
        shutdown: &CancellationToken,
    ) -> Result<End, Ended> {
        let mut ending = pin!(shutdown.cancelled());
        let mut wait = self.limits.first;
        loop {
            let head = match self.next_head(wait, ending.as_mut()).await? {
                Ok(head) => head,
                Err(problem) => {
                    let answer = edge.refuse(problem, self.address.ip());
                    self.send(answer, false, false).await?;
                    return Ok(End::Unread);
                }
            };
            wait = self.limits.idle;
            let to_head = head.parts.method == Method::HEAD;
            let is_tunnel = head.parts.method == Method::CONNECT;
            let mut body = Incoming::new(&mut self.line, &head);
            let answer = edge.answer(head.parts, &mut body, self.address).await;
            let refused = is_tunnel || answer.extensions().get::<CloseConnection>().is_some();
            let whole = body.is_over() && !refused;
            // Who is told in time opens the next connection elsewhere.
            let stays = !shutdown.is_cancelled() && !edge.draining.is_cancelled();
            let persistent = head.persistent && whole && stays;
            self.send(answer, to_head, persistent).await?;
            if !whole || (!persistent && !self.line.inbox.is_empty()) {
                return Ok(End::Unread);
            }
            if !persistent {
                return Ok(End::Answered);
            }
        }
    }

    /// The next request's head, or what is wrong with it. Ended if there is none, or the process is
    /// about to end before it has begun.
    async fn next_head(
        &mut self,
        wait: Duration,
        mut ending: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Result<Head, Problem>, Ended> {
        let waited = Instant::now();
        let mut begun = head::has_begun(&self.line.inbox).then_some(waited);
        poll_fn(|cx| {
            loop {
                match head::take(&mut self.line.inbox, self.line.longest_head) {
                    Ok(None) => {}
                    Ok(Some(head)) => return Poll::Ready(Ok(Ok(head))),
                    Err(problem) => return Poll::Ready(Ok(Err(problem))),
                }
                if let Poll::Ready(read) = self.line.poll_fill(cx) {
                    match read {
                        Ok(0) | Err(_) => return Poll::Ready(Err(Ended)),
                        Ok(_) => {}
                    }
                    if head::has_begun(&self.line.inbox) {
                        begun.get_or_insert_with(Instant::now);
                    }
                    continue;
                }
                let due = match begun {
                    None if ending.as_mut().poll(cx).is_ready() => return Poll::Ready(Err(Ended)),
                    None => waited + wait,
                    Some(begun) => begun + self.limits.head,
                };
                ready!(self.alarm.poll(cx, due));
                return Poll::Ready(match begun {
                    None => Err(Ended),
                    Some(_) => Ok(Err(Problem::new(
                        StatusCode::REQUEST_TIMEOUT,
                        "the head of the request came too slowly",
                    ))),
                });
            }
        })
        .await
    }

    /// Sends an answer, as its body comes.
    async fn send(
        &mut self,
        answer: Response<EdgeBody>,
        to_head: bool,
        persistent: bool,
    ) -> Result<(), Ended> {
        let (head, mut body) = answer.into_parts();
        let framing = Framing::of(head.status, to_head, body.size_hint().exact());
        answer::write_head(&mut self.outbox, &head, framing, persistent);
        if to_head || framing == Framing::Bodiless {
            return self.finish(persistent).await;
        }
        loop {
            let nothing_to_send = self.outbox.is_empty();
            let next = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                Poll::Ready(next) => Poll::Ready(Some(next)),
                // What there is goes out while more is awaited.
                Poll::Pending if !nothing_to_send => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match next.await {
                None => self.flush().await?,
                Some(None) => break,
                // The client finds the answer cut off: that is the only way left to tell.
                Some(Some(Err(_))) => return self.flush().await.and(Err(Ended)),
                Some(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    if framing == Framing::Chunked {
                        answer::write_chunk(&mut self.outbox, &data);
                    } else {
                        self.outbox.extend_from_slice(&data);
                    }
                    if self.outbox.len() >= WRITE {
                        self.flush().await?;
                    }
                }
            }
        }
        if framing == Framing::Chunked {
            self.outbox.extend_from_slice(LAST_CHUNK);
        }
        self.finish(persistent).await
    }

    /// Sends the end of an answer; of the last one, with the goodbye.
    async fn finish(&mut self, persistent: bool) -> Result<(), Ended> {
        if !persistent && self.line.stream.take_last(&self.outbox) {
            self.outbox.clear();
            self.parted = true;
        }
        self.flush().await
    }

    /// Sends what was gathered, to a client that keeps up.
    async fn flush(&mut self) -> Result<(), Ended> {
        let mut pace: Option<Pace> = None;
        let Self {
            line,
            outbox,
            alarm,
            limits,
            ..
        } = self;
        poll_fn(|cx| {
            while !outbox.is_empty() {
                match Pin::new(&mut line.stream).poll_write(cx, outbox) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Ended)),
                    Poll::Ready(Ok(sent)) => {
                        outbox.advance(sent);
                        if let Some(pace) = &mut pace {
                            pace.moved(Instant::now(), sent);
                        }
                    }
                    Poll::Pending => return waits(&mut pace, alarm, limits, cx),
                }
            }
            match Pin::new(&mut line.stream).poll_flush(cx) {
                Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|_gone| Ended)),
                Poll::Pending => waits(&mut pace, alarm, limits, cx),
            }
        })
        .await?;
        // Its room is kept for the next answer, unless it grew beyond the ordinary.
        if outbox.capacity() > 2 * WRITE {
            *outbox = BytesMut::new();
        }
        outbox.clear();
        Ok(())
    }

    /// Reads a little more of what is not wanted: a client that still sends when its connection is
    /// closed may never see the answer that tells it why.
    async fn linger(&mut self) {
        let Self { line, limits, .. } = self;
        let mut read = line.inbox.len();
        let enough = poll_fn(|cx| {
            while read < limits.linger_bytes {
                line.inbox.clear();
                match ready!(line.poll_fill(cx)) {
                    Ok(0) | Err(_) => break,
                    Ok(more) => read += more,
                }
            }
            Poll::Ready(())
        });
        // Whoever is slow has had the time to read.
        let _ = timeout(limits.linger, enough).await;
    }

    async fn close(&mut self) {
        // `close_notify`: a client can tell the end from a cut.
        let _ = timeout(self.limits.linger, self.line.stream.shutdown()).await;
    }
}

/// While the client does not take what it is sent.
fn waits(
    pace: &mut Option<Pace>,
    alarm: &mut Alarm,
    limits: &Limits,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Ended>> {
    let pace = pace.get_or_insert_with(|| Pace::begin(Instant::now()));
    ready!(alarm.poll(cx, pace.deadline(limits.silence, limits.pace)));
    Poll::Ready(Err(Ended))
}
