//! The request pipeline of the edge, in order.

use std::future::poll_fn;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header::CONTENT_TYPE;
use http::request;
use http_body::Body;
use telemetry::RequestId;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::Span;

use crate::access_log::Entry;
use crate::admission::Admission;
use crate::admission::AdmissionPermit;
use crate::admission::SharePermit;
use crate::api_schema::ApiSchema;
use crate::api_schema::RequestClass;
use crate::api_schema::RouteKind;
use crate::client::Client;
use crate::client::TrustedProxies;
use crate::config::Origin;
use crate::handler::BodyError;
use crate::handler::CloseConnection;
use crate::handler::RequestBody;
use crate::handler::RequestHandler;
use crate::headers;
use crate::health;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::problem::ErrorFormat;
use crate::problem::Problem;
use crate::problem::Reason;
use crate::request_body::LimitedBody;
use crate::response_body::EdgeBody;
use crate::screen;
use crate::upstream::StreamedBody;
use crate::upstream::UpstreamBody;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;

/// The proxy between clients and the app tier.
pub(crate) struct Edge {
    pub(crate) origin: Origin,
    pub(crate) api_schema: Arc<ApiSchema>,
    pub(crate) trusted_proxies: Arc<TrustedProxies>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) metrics: Arc<Metrics>,
    /// Whether traces are exported.
    pub(crate) traced: bool,
    /// Cancelled when a shutdown begins.
    pub(crate) draining: CancellationToken,
}

/// A response before it is sent: the upstream's, with its memory permit, or a local one.
enum EdgeResponse {
    Upstream(Response<UpstreamBody>, SharePermit),
    Local(Response<Bytes>),
}

impl RequestHandler for Edge {
    type Body = EdgeBody;
    type StreamPermit = SharePermit;

    async fn handle<B: RequestBody>(
        &self,
        head: request::Parts,
        body: &mut B,
        address: SocketAddr,
    ) -> Response<EdgeBody> {
        let id = RequestId::random();
        let client = Client::from_request(address, &head.headers, &self.trusted_proxies);
        let route = self.api_schema.template(head.uri.path());
        let mut entry = Entry::begin(&head.method, route, client.address, id);
        let format = ErrorFormat::negotiate(head.uri.path(), &head.headers);
        // The rate limit is first, because a refusal costs next to nothing.
        let (status, result) = match self.admission.requests.check(client.address) {
            Ok(status) => {
                let span = if self.traced {
                    tracing::info_span!("edge", request_id = %id)
                } else {
                    Span::none()
                };
                let proxied = self.proxy(head, body, &client, id).instrument(span).await;
                (status, proxied)
            }
            Err(status) => (status, Err(too_many())),
        };
        let mut response = match result {
            Ok(EdgeResponse::Upstream(response, memory)) => {
                entry.on_response(response.status());
                response.map(|body| EdgeBody::upstream(body, memory, entry))
            }
            Ok(EdgeResponse::Local(response)) => {
                entry.on_response(response.status());
                response.map(|bytes| EdgeBody::local(bytes, entry))
            }
            Err(problem) => self.problem(problem, format, id, entry),
        };
        self.metrics.on_response(route, response.status());
        status.write(response.headers_mut());
        headers::to_client(response.headers_mut(), id);
        response
    }

    fn reject(&self, problem: Problem, client: IpAddr) -> Response<EdgeBody> {
        let id = RequestId::random();
        let entry = Entry::malformed(client, id);
        let mut response = self.problem(problem, ErrorFormat::ProblemJson, id, entry);
        headers::to_client(response.headers_mut(), id);
        response
    }

    fn admit_stream(&self, address: SocketAddr) -> Option<SharePermit> {
        let streams = &self.admission.open_streams;
        if self.trusted_proxies.contains(address.ip()) {
            return streams.try_acquire_unshared(1);
        }
        streams.try_acquire(address.ip(), 1)
    }

    fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl Edge {
    fn problem(
        &self,
        problem: Problem,
        format: ErrorFormat,
        id: RequestId,
        mut entry: Entry,
    ) -> Response<EdgeBody> {
        self.metrics.on_refused(problem.reason.name());
        entry.on_response(problem.status);
        entry.on_refused(problem.reason);
        let mut response = problem.to_response(format, id);
        if problem.closes_connection() {
            response.extensions_mut().insert(CloseConnection);
        }
        response.map(|bytes| EdgeBody::local(bytes, entry))
    }

    /// The pipeline after the rate limit.
    async fn proxy<B: RequestBody>(
        &self,
        head: request::Parts,
        body: &mut B,
        client: &Client,
        id: RequestId,
    ) -> Result<EdgeResponse, Problem> {
        // Screen: only requests that the app's OpenAPI document describes.
        let has_body = !body.is_end_stream();
        let (route, operation) = screen::check(&head, has_body, &self.origin, &self.api_schema)?;
        if route.kind == RouteKind::Health {
            return self.health(head.uri.path()).map(EdgeResponse::Local);
        }
        // Headers: forwarded, removed and set.
        let mut head = self.rewrite(head, client, id)?;
        // Memory: the client's share of memory for bodies.
        let memory = self.admission.buffers.try_acquire(client.address, 0);
        let mut memory = memory.ok_or(OVERLOADED)?;
        // Body: within its size limit; small ones are read completely before an upstream is used.
        let max_bytes = self.max_body_bytes(operation.class);
        if body.size_hint().lower() > max_bytes {
            return Err(too_large());
        }
        let mut body = LimitedBody::new(body, max_bytes, &self.limits);
        let prebuffered = body.prebuffer(self.limits.prebuffer_bytes, &mut memory);
        prebuffered.await?;
        if !memory.try_grow_to(self.limits.buffers.per_request) {
            return Err(OVERLOADED);
        }
        if !body.is_received() {
            head.extensions.insert(StreamedBody);
        }
        // Load: the adaptive concurrency limit of the request's class.
        let permit = self
            .admission
            .shedder
            .try_acquire(operation.class, client.address);
        let permit = permit.ok_or(OVERLOADED)?;
        // Upstream: an endpoint of the app tier, over mutual TLS.
        let response = self.forward(&head, &mut body, permit, &mut memory).await;
        let response = response.map_err(|error| {
            tracing::warn!(request_id = %id, %error, "no response from upstream");
            Problem::from(error)
        })?;
        if !operation.open && response.status().is_success() {
            self.admission.established.note(client.address);
        }
        Ok(EdgeResponse::Upstream(response, memory))
    }

    fn max_body_bytes(&self, class: RequestClass) -> u64 {
        match class {
            RequestClass::Bulk => self.limits.max_bundle_bytes,
            RequestClass::Ordinary | RequestClass::SignIn => self.limits.max_body_bytes,
        }
    }

    /// Sends the request to the app tier; abandons it if the client disconnects.
    async fn forward<B: RequestBody>(
        &self,
        head: &request::Parts,
        body: &mut LimitedBody<'_, B>,
        permit: AdmissionPermit,
        memory: &mut SharePermit,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        body.on_admitted(permit);
        let result = match body.take_complete() {
            None => self.upstreams.send(head, body).await,
            Some(mut complete) => tokio::select! {
                biased;
                result = self.upstreams.send(head, &mut complete) => result,
                () = poll_fn(|cx| body.poll_disconnected(cx)) => {
                    Err(BodyError::Disconnected.into())
                }
            },
        };
        // An immediate failure is no measurement of the app tier's latency.
        if matches!(result, Ok(_) | Err(UpstreamError::Slow)) {
            body.on_response();
        }
        let mut response = result?;
        self.prebuffer(response.body_mut(), memory).await?;
        Ok(response)
    }

    /// Reads a short response at once, within the client's share of memory, so that a slow client
    /// does not occupy an upstream connection. Others are streamed.
    async fn prebuffer(
        &self,
        body: &mut UpstreamBody,
        memory: &mut SharePermit,
    ) -> Result<(), UpstreamError> {
        let limits = self.limits.buffers;
        let length = body.size_hint().exact();
        let Some(length) = length.filter(|length| *length <= limits.max_response) else {
            memory.shrink_to(limits.per_request);
            return Ok(());
        };
        // A response that arrived in one read already occupies its memory, granted or not.
        if memory.try_grow_to(length) || body.is_buffered() {
            memory.shrink_to(length);
            body.prebuffer().await?;
        } else {
            memory.shrink_to(limits.per_request);
        }
        Ok(())
    }

    fn health(&self, path: &str) -> Result<Response<Bytes>, Problem> {
        if path != "/readyz" {
            return Ok(plain("alive"));
        }
        health::readiness(self.draining.is_cancelled(), &self.upstreams)?;
        Ok(plain("ready"))
    }

    /// The head of the request to the upstream.
    fn rewrite(
        &self,
        mut head: request::Parts,
        client: &Client,
        id: RequestId,
    ) -> Result<request::Parts, Problem> {
        head.headers = headers::to_upstream(
            &head.headers,
            client,
            &self.origin,
            self.api_schema.cookie(),
            id,
        )?;
        // The screen has verified the authority; only path and query are forwarded.
        head.uri = head
            .uri
            .into_parts()
            .path_and_query
            .map(Uri::from)
            .unwrap_or_default();
        Ok(head)
    }
}

fn plain(text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

const OVERLOADED: Problem = Problem::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "the service is overloaded: try again soon",
)
.with_reason(Reason::Shed);

fn too_many() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too many requests: slow down, and see the RateLimit header",
    )
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is too large: send it in parts",
    )
}

impl From<UpstreamError> for Problem {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no upstream can be reached: try again soon",
            ),
            UpstreamError::Full => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "every upstream is busy: try again soon",
            ),
            UpstreamError::Lost(_) | UpstreamError::Malformed(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "the response was lost: check whether the request took effect before retrying",
            ),
            UpstreamError::Slow => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the upstream took too long: check whether the request took effect before retrying",
            ),
            UpstreamError::Body(error) => error.into(),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => too_large(),
            BodyError::TooSlow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                // The default of `Limits::min_bytes_per_second`, which no variable sets.
                "the body was sent too slowly: send at least 1 KiB/s",
            ),
            BodyError::Overloaded => OVERLOADED,
            BodyError::Malformed | BodyError::Disconnected => {
                Self::bad_request("the body is malformed or incomplete")
            }
        }
    }
}
