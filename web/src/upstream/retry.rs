//! Retries of a request.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::Response;
use http::request;
use http_body::Body;

use super::StreamedBody;
use super::UpstreamBody;
use super::UpstreamError;
use super::counters::count;
use super::deadline::millis;
use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::exchange::Failure;
use super::outlier::Fault;
use super::pool::UpstreamPool;
use super::request_encoder::RequestEncoder;
use super::response_head::ResponseHead;
use crate::handler::BodyError;

/// Maximum unreachable endpoints that are tried for one request.
const MAX_UNREACHABLE: usize = 4;
/// Maximum retries of an idempotent request.
const MAX_RETRIES: u8 = 2;
/// Maximum retries of a request of which no byte was sent.
const MAX_UNSENT: u8 = 4;

/// A request to the app tier, with its retries.
pub(super) struct UpstreamRequest<'a> {
    pool: &'a UpstreamPool,
    head: &'a request::Parts,
    /// Whether the request is a `GET` or `HEAD` without a body.
    idempotent: bool,
    /// Deadline of the response over all attempts, by the coarse clock. Only the last attempt can
    /// exceed it: a request that has waited for its client cannot be sent again.
    deadline: u64,
    /// Milliseconds for the upload of a body that the client still sends.
    upload: u64,
}

/// The failed attempts of a request.
#[derive(Default)]
struct History {
    unreachable: Vec<Arc<Endpoint>>,
    /// The endpoint that lost the request.
    lost: Option<Arc<Endpoint>>,
    retries: u8,
    unsent: u8,
}

impl<'a> UpstreamRequest<'a> {
    pub(super) fn new<B: Body>(pool: &'a UpstreamPool, head: &'a request::Parts, body: &B) -> Self {
        pool.budget.deposit();
        let limits = &pool.context.limits;
        let timeout = millis(limits.response_timeout);
        let is_streamed = head.extensions.get::<StreamedBody>().is_some();
        Self {
            upload: if is_streamed {
                millis(limits.upload_timeout)
            } else {
                0
            },
            pool,
            head,
            idempotent: matches!(head.method, Method::GET | Method::HEAD) && body.is_end_stream(),
            deadline: pool.context.clock.now() + timeout,
        }
    }

    /// Sends the request until there is a response or no retry is allowed.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub(super) async fn send<B>(
        &self,
        body: &mut B,
    ) -> Result<Response<UpstreamBody>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        let context = &self.pool.context;
        let mut history = History::default();
        let mut encoder = RequestEncoder::new(self.head, &context.host, body);
        loop {
            let mut exchange = self.begin(&mut history).await?;
            // Connecting and earlier attempts have taken their part of the time.
            let left = self.deadline.saturating_sub(context.clock.now());
            if left == 0 {
                return Err(UpstreamError::Slow);
            }
            if !encoder.start(left.saturating_add(self.upload)) {
                return Err(UpstreamError::Lost(std::io::ErrorKind::BrokenPipe.into()));
            }
            let failure = match self.exchange(&mut exchange, &mut encoder, body).await {
                Ok(head) => {
                    let endpoint = exchange.endpoint();
                    endpoint.outliers.on_response(context.clock.now());
                    return Ok(exchange.into_response(head));
                }
                Err(failure) => failure,
            };
            self.on_failure(&exchange, failure, &mut history)?;
        }
    }

    /// Sends the request once, and waits for the head of the response. If the endpoint becomes
    /// silent, the request counts as lost if it may be retried elsewhere; otherwise the wait
    /// continues to the deadline.
    async fn exchange<B>(
        &self,
        exchange: &mut Exchange,
        encoder: &mut RequestEncoder,
        body: &mut B,
    ) -> Result<ResponseHead, Failure>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        loop {
            let failure = match exchange.send(encoder, body).await {
                Ok(head) => return Ok(head),
                Err(failure) => failure,
            };
            if !matches!(failure, Failure::Late) || exchange.is_overdue() {
                return Err(failure);
            }
            if self.idempotent && self.pool.has_other(exchange.endpoint()) {
                return Err(Failure::Lost(std::io::ErrorKind::TimedOut.into()));
            }
            exchange.resume();
        }
    }

    /// Begins an exchange with a reachable endpoint.
    async fn begin(&self, history: &mut History) -> Result<Exchange, UpstreamError> {
        loop {
            let lost = history.lost.as_ref();
            let in_flight = self.pool.choose(&history.unreachable, lost)?;
            let endpoint = in_flight.endpoint();
            let is_same = lost.is_some_and(|lost| Arc::ptr_eq(lost, endpoint));
            // The idle connections to the endpoint may share the failure.
            let idle = if is_same { None } else { endpoint.checkout() };
            let connection = match idle {
                Some(connection) => connection,
                // Boxed, because this future is rare and large.
                None => match Box::pin(endpoint.connect(self.deadline)).await {
                    Ok(connection) => connection,
                    Err(_not_connected) => {
                        history.unreachable.push(Arc::clone(endpoint));
                        if history.unreachable.len() >= MAX_UNREACHABLE {
                            return Err(UpstreamError::Unavailable);
                        }
                        continue;
                    }
                },
            };
            let to_head = self.head.method == Method::HEAD;
            return Ok(Exchange::new(in_flight, connection, to_head, self.deadline));
        }
    }

    /// Decides on a retry: returns the error if none is allowed.
    fn on_failure(
        &self,
        exchange: &Exchange,
        failure: Failure,
        history: &mut History,
    ) -> Result<(), UpstreamError> {
        let endpoint = exchange.endpoint();
        match failure {
            Failure::Unsent if history.unsent < MAX_UNSENT => {
                history.unsent += 1;
                history.lost = Some(Arc::clone(endpoint)).filter(|_| !exchange.is_reused());
                return Ok(());
            }
            Failure::Lost(_) if self.idempotent && history.retries < MAX_RETRIES => {
                let counters = &self.pool.context.counters;
                if self.pool.budget.withdraw() {
                    endpoint.on_failure(Fault::NoResponse);
                    count(&counters.retries);
                    history.retries += 1;
                    history.lost = Some(Arc::clone(endpoint));
                    return Ok(());
                }
                count(&counters.budget_exhausted);
            }
            Failure::Unsent
            | Failure::Lost(_)
            | Failure::Truncated(_)
            | Failure::Malformed(_)
            | Failure::Late
            | Failure::Body(_) => {}
        }
        let error = match failure {
            // The client's fault, not the endpoint's.
            Failure::Body(error) => return Err(UpstreamError::Body(error)),
            Failure::Unsent => UpstreamError::Unavailable,
            Failure::Lost(error) | Failure::Truncated(error) => UpstreamError::Lost(error),
            Failure::Malformed(error) => UpstreamError::Malformed(error),
            Failure::Late => UpstreamError::Slow,
        };
        endpoint.on_failure(Fault::NoResponse);
        Err(error)
    }
}
