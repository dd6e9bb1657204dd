use std::{convert::Infallible, net::IpAddr, sync::Arc};

use bytes::Bytes;
use certs::listener::PeerAddress;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE};
use http_body::Body;
use hyper::body::Incoming;
use telemetry::RequestId;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    access_log::Entry,
    body::{self, AnswerBody, RequestBody},
    config::Origin,
    headers, health,
    problem::{Manner, Problem},
    screen,
    upstream::{BodyFault, Lease, UpstreamError, Upstreams},
};

/// The proxy: what is done with each request, in order.
pub(crate) struct Edge {
    pub(crate) origin: Origin,
    pub(crate) upstreams: Upstreams,
    /// Set when the process is about to end.
    pub(crate) draining: CancellationToken,
}

/// An answer on its way: the app's, or ours.
enum Answer {
    App(Response<Incoming>, Lease),
    Own(Response<Bytes>),
}

impl Edge {
    /// Answers a request, whatever it is.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Infallible> {
        let id = RequestId::random();
        let client = client(&request);
        let mut entry = Entry::begin(&request, client, id);
        let manner = Manner::of(request.uri().path(), request.headers());
        let (head, body) = request.into_parts();
        let mut body = Some(body);
        let span = tracing::info_span!("edge", request_id = %id);
        let decision = self.decide(Request::from_parts(head, ()), &mut body, client, id);
        let answer = match decision.instrument(span).await {
            Ok(answer) => answer,
            Err(problem) => Answer::Own(problem.answer(manner, id)),
        };
        if let Some(unread) = body.filter(|body| !body.is_end_stream()) {
            body::linger(unread);
        }
        let mut response = match answer {
            Answer::App(response, lease) => {
                entry.answered(response.status());
                response.map(|body| AnswerBody::app(body, lease, entry))
            }
            Answer::Own(response) => {
                entry.answered(response.status());
                response.map(|bytes| AnswerBody::own(bytes, entry))
            }
        };
        headers::to_client(response.headers_mut(), id);
        Ok(response)
    }

    /// Screens, limits, rewrites, hands on.
    async fn decide(
        &self,
        request: Request<()>,
        body: &mut Option<Incoming>,
        client: IpAddr,
        id: RequestId,
    ) -> Result<Answer, Problem> {
        screen::check(&request, &self.origin)?;
        match request.uri().path() {
            "/healthz" => return Ok(Answer::Own(plain("alive"))),
            "/readyz" => {
                health::readiness(self.draining.is_cancelled(), &self.upstreams, id).await?;
                return Ok(Answer::Own(plain("ready")));
            }
            _ => {}
        }
        let request = self.rewrite(request, body, client, id)?;
        match self.upstreams.send(request).await {
            Ok((response, lease)) => Ok(Answer::App(response, lease)),
            Err(error) => {
                tracing::warn!(%error, "no answer");
                Err(problem(&error))
            }
        }
    }

    /// The request as the app gets it. Takes the body if it is let through.
    fn rewrite(
        &self,
        request: Request<()>,
        body: &mut Option<Incoming>,
        client: IpAddr,
        id: RequestId,
    ) -> Result<Request<RequestBody>, Problem> {
        let (head, ()) = request.into_parts();
        let limit = body::limit(head.uri.path());
        let (least, empty) = body.as_ref().map_or((0, true), |body| {
            (body.size_hint().lower(), body.is_end_stream())
        });
        if least > limit {
            return Err(too_large());
        }
        if matches!(head.method, Method::GET | Method::HEAD) && !empty {
            return Err(Problem::bad_request("this method has no body"));
        }
        let headers = headers::to_app(&head.headers, client, &self.origin, id)?;
        let body = body
            .take()
            .map_or_else(RequestBody::empty, |body| RequestBody::new(body, limit));
        let mut to = Request::new(body);
        *to.headers_mut() = headers;
        *to.method_mut() = head.method;
        // The authority was compared with ours, and has done its service.
        *to.uri_mut() = head
            .uri
            .into_parts()
            .path_and_query
            .map(Uri::from)
            .unwrap_or_default();
        Ok(to)
    }
}

/// The client's address, as the listener saw it.
fn client(request: &Request<Incoming>) -> IpAddr {
    let unknown = IpAddr::from([0, 0, 0, 0]);
    request
        .extensions()
        .get::<PeerAddress>()
        .map_or(unknown, |peer| peer.0.ip())
}

fn plain(text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is too large: send it in parts",
    )
}

fn problem(error: &UpstreamError) -> Problem {
    match error {
        UpstreamError::Unavailable => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no app can be reached: try again soon",
        ),
        UpstreamError::Lost(_) => Problem::new(
            StatusCode::BAD_GATEWAY,
            "the answer was lost: look whether it was done before trying again",
        ),
        UpstreamError::Slow => Problem::new(StatusCode::GATEWAY_TIMEOUT, "the app took too long"),
        UpstreamError::Body(BodyFault::TooLarge) => too_large(),
        UpstreamError::Body(BodyFault::TooSlow) => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly")
        }
        UpstreamError::Body(BodyFault::Broken) => Problem::bad_request("the body ended early"),
    }
}
