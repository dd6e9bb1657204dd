use std::{
    future::poll_fn,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri, header::CONTENT_TYPE, request};
use telemetry::RequestId;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::{
    access_log::Entry,
    api_schema::{ApiSchema, RouteKind},
    body::{BodyError, EdgeBody, Limited, RequestBody},
    client::{Client, TrustedProxies},
    config::Origin,
    headers, health,
    limits::{Limits, Requests, Shed},
    metrics::Metrics,
    problem::{ErrorFormat, Problem, Reason},
    screen,
    upstream::{AnswerBody, UpstreamError, Upstreams},
};

/// The proxy: what is done with each request, in order.
pub(crate) struct Edge {
    pub(crate) origin: Origin,
    pub(crate) api_schema: Arc<ApiSchema>,
    pub(crate) trusted_proxies: Arc<TrustedProxies>,
    pub(crate) limits: Limits,
    pub(crate) requests: Arc<Requests>,
    pub(crate) shed: Arc<Shed>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) metrics: Arc<Metrics>,
    /// Whether traces are sent anywhere.
    pub(crate) traced: bool,
    /// Set when the process is about to end.
    pub(crate) draining: CancellationToken,
}

/// An answer on its way: the app's, or ours.
enum Answer {
    App(Response<AnswerBody>),
    Own(Response<Bytes>),
}

/// Among an answer's extensions: it is the last one of an HTTP/1.1 connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloseConnection;

impl Edge {
    /// Answers a request, whatever it is, of the client at `address`.
    pub(crate) async fn answer<B: RequestBody>(
        &self,
        head: request::Parts,
        body: &mut B,
        address: SocketAddr,
    ) -> Response<EdgeBody> {
        let id = RequestId::random();
        let client = Client::from_request(address, &head.headers, &self.trusted_proxies);
        let route = self.api_schema.template(head.uri.path());
        let mut entry = Entry::begin(&head.method, route, client.address, id);
        let format = ErrorFormat::of(head.uri.path(), &head.headers);
        let (allowance, answer) = match self.requests.check(client.address) {
            Ok(allowance) => {
                let span = if self.traced {
                    tracing::info_span!("edge", request_id = %id)
                } else {
                    Span::none()
                };
                let decided = self.decide(head, body, &client, id).instrument(span).await;
                (allowance, decided)
            }
            Err(allowance) => (allowance, Err(too_many())),
        };
        let mut response = match answer {
            Ok(Answer::App(response)) => {
                entry.answered(response.status());
                response.map(|body| EdgeBody::app(body, entry))
            }
            Ok(Answer::Own(response)) => {
                entry.answered(response.status());
                response.map(|bytes| EdgeBody::own(bytes, entry))
            }
            Err(problem) => self.problem(problem, format, id, entry),
        };
        self.metrics.answered(route, response.status());
        allowance.write(response.headers_mut());
        headers::to_client(response.headers_mut(), id);
        response
    }

    /// Answers what is no request.
    pub(crate) fn refuse(&self, problem: Problem, client: IpAddr) -> Response<EdgeBody> {
        let id = RequestId::random();
        let entry = Entry::malformed(client, id);
        let mut response = self.problem(problem, ErrorFormat::ProblemJson, id, entry);
        headers::to_client(response.headers_mut(), id);
        response
    }

    fn problem(
        &self,
        problem: Problem,
        format: ErrorFormat,
        id: RequestId,
        mut entry: Entry,
    ) -> Response<EdgeBody> {
        self.metrics.refused(problem.reason.name());
        entry.answered(problem.status);
        entry.refused(problem.reason);
        let mut response = problem.to_response(format, id);
        if problem.closes_connection() {
            response.extensions_mut().insert(CloseConnection);
        }
        response.map(|bytes| EdgeBody::own(bytes, entry))
    }

    /// Screens, limits, rewrites, hands on.
    async fn decide<B: RequestBody>(
        &self,
        head: request::Parts,
        body: &mut B,
        client: &Client,
        id: RequestId,
    ) -> Result<Answer, Problem> {
        let route = screen::check(&head, !body.is_end_stream(), &self.origin, &self.api_schema)?;
        if route.kind == RouteKind::Health {
            return self.health(head.uri.path()).map(Answer::Own);
        }
        let longest = if route.bulk {
            self.limits.bundle_bytes
        } else {
            self.limits.small_bytes
        };
        if body.size_hint().lower() > longest {
            return Err(too_large());
        }
        let head = self.rewrite(head, client, id)?;
        let mut body = Limited::new(body, longest, &self.limits);
        body.gather(self.limits.gathered_bytes)
            .await
            .map_err(of_body)?;
        body.admitted(self.shed.admit(route.bulk).ok_or(OVERLOADED)?);
        let answer = self.ask(&head, &mut body).await;
        // What failed at once says nothing of how long the apps take.
        if matches!(answer, Ok(_) | Err(UpstreamError::Slow)) {
            body.answered();
        }
        answer.map(Answer::App).map_err(|error| {
            tracing::warn!(request_id = %id, %error, "no answer");
            of_upstream(&error)
        })
    }

    /// Asks an app, for as long as the client waits for the answer.
    async fn ask<B: RequestBody>(
        &self,
        head: &request::Parts,
        body: &mut Limited<'_, B>,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let Some(mut whole) = body.whole() else {
            return self.upstreams.send(head, body).await;
        };
        tokio::select! {
            biased;
            answer = self.upstreams.send(head, &mut whole) => answer,
            () = poll_fn(|cx| body.poll_gone(cx)) => Err(BodyError::Gone.into()),
        }
    }

    fn health(&self, path: &str) -> Result<Response<Bytes>, Problem> {
        if path != "/readyz" {
            return Ok(plain("alive"));
        }
        health::readiness(self.draining.is_cancelled(), &self.upstreams)?;
        Ok(plain("ready"))
    }

    /// The request as the app gets it.
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
        // The authority was compared with ours, and has done its service.
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
    "there is more to do than can be done in time: try again soon",
)
.with_reason(Reason::Shed);

fn too_many() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too many requests: slow down, and look at the header RateLimit",
    )
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is too large: send it in parts",
    )
}

fn of_upstream(error: &UpstreamError) -> Problem {
    match error {
        UpstreamError::Unavailable => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no app can be reached: try again soon",
        ),
        UpstreamError::Full => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "every app is busy: try again soon",
        ),
        UpstreamError::Lost(_) | UpstreamError::Malformed(_) => Problem::new(
            StatusCode::BAD_GATEWAY,
            "the answer was lost: look whether it was done before trying again",
        ),
        UpstreamError::Slow => Problem::new(StatusCode::GATEWAY_TIMEOUT, "the app took too long"),
        UpstreamError::Body(error) => of_body(*error),
    }
}

fn of_body(error: BodyError) -> Problem {
    match error {
        BodyError::TooLarge => too_large(),
        BodyError::TooSlow => Problem::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
        BodyError::Malformed | BodyError::Gone => {
            Problem::bad_request("the body is malformed, or ended early")
        }
    }
}
