//! Readiness probes.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::Uri;
use http_body_util::BodyExt;
use http_body_util::Empty;
use telemetry::RequestId;
use telemetry::X_REQUEST_ID;
use tokio::time::sleep;
use tokio::time::timeout;

use super::deadline::millis;
use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::request_encoder::RequestEncoder;
use crate::handler::BodyError;

/// Probes an endpoint while it is on the list.
pub(super) async fn run(endpoint: Weak<Endpoint>) {
    while let Some(endpoint) = endpoint.upgrade().filter(|endpoint| !endpoint.is_removed()) {
        let limits = endpoint.context.limits.clone();
        let began = endpoint.context.clock.now();
        match timeout(limits.probe_timeout, is_ready(&endpoint)).await {
            Ok(ready) => endpoint.on_probe(ready),
            Err(_elapsed) => endpoint.on_probe_timeout(began),
        }
        drop(endpoint);
        sleep(jittered(limits.probe_interval)).await;
    }
}

/// Sends one probe, `GET /readyz`, over the connections that requests use.
async fn is_ready(endpoint: &Arc<Endpoint>) -> bool {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static("/readyz");
    let id = RequestId::random().header_value();
    request.headers_mut().insert(X_REQUEST_ID, id);
    let (head, ()) = request.into_parts();
    let context = &endpoint.context;
    let timeout = millis(context.limits.probe_timeout);
    let mut body = Empty::<Bytes>::new().map_err(|never| -> BodyError { match never {} });
    let mut encoder = RequestEncoder::new(&head, &context.host, &body);
    encoder.start(timeout);
    let in_flight = endpoint.in_flight_guard();
    let connection = match endpoint.checkout() {
        Some(connection) => connection,
        None => match endpoint.connect_now().await {
            Ok(connection) => connection,
            Err(_logged) => return false,
        },
    };
    let deadline = context.clock.now() + 2 * timeout;
    let mut exchange = Exchange::new(in_flight, connection, false, deadline);
    match exchange.send(&mut encoder, &mut body).await {
        Ok(head) => {
            let ready = head.status == StatusCode::OK;
            // A short body was received with its head: dropping it checks in the connection.
            drop(exchange.into_response(head));
            ready
        }
        Err(_not_ready) => false,
    }
}

/// The interval with up to a tenth of jitter, so that several edges do not probe in step.
fn jittered(interval: Duration) -> Duration {
    // The keys of each `RandomState` are random, and differ between processes.
    let percent = RandomState::new().hash_one(()) % 100;
    interval * 9 / 10 + interval / 5 * u32::try_from(percent).unwrap_or(0) / 100
}
