use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use telemetry::{RequestId, X_REQUEST_ID};
use tokio::time::{sleep, timeout};

use super::{app::App, exchange::Exchange, outgoing::Outgoing, watch::millis};
use crate::body::BodyError;

/// Asks an app every second or so whether it is ready, for as long as it is on the list.
pub(super) async fn run(app: Weak<App>) {
    let mut turn = 0;
    while let Some(app) = app.upgrade().filter(|app| !app.is_retired()) {
        let limits = app.common.limits.clone();
        let began = app.common.clock.now();
        match timeout(limits.probe, is_ready(&app)).await {
            Ok(ready) => app.probed(ready),
            Err(_elapsed) => app.not_heard_since(began),
        }
        drop(app);
        turn += 1;
        sleep(jittered(limits.probe_every, turn)).await;
    }
}

/// Whether the app says so, over the same connections that requests take.
async fn is_ready(app: &Arc<App>) -> bool {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static("/readyz");
    let id = RequestId::random().header_value();
    request.headers_mut().insert(X_REQUEST_ID, id);
    let (head, ()) = request.into_parts();
    let limit = millis(app.common.limits.probe);
    let mut outgoing = Outgoing::new(&head, &app.common.host, &Nothing, limit);
    let lease = app.lease();
    let wire = match app.take() {
        Some(wire) => wire,
        None => match app.connect().await {
            Ok(wire) => wire,
            Err(_told_already) => return false,
        },
    };
    let due = app.common.clock.now() + 2 * limit;
    let mut exchange = Exchange::new(lease, wire, false, due);
    match exchange.head(&mut outgoing, &mut Nothing).await {
        Ok(head) => {
            let ready = head.status == StatusCode::OK;
            // A short body is here already, and the connection waits for the next request.
            drop(exchange.into_response(head));
            ready
        }
        Err(_as_good_as_no) => false,
    }
}

/// A tenth more or less, so that several edges do not ask at the same moment.
fn jittered(every: Duration, turn: u32) -> Duration {
    // Steps of a golden fifth never fall into a rhythm.
    every * 9 / 10 + every / 5 * (turn.wrapping_mul(61) % 100) / 100
}

/// No body.
pub(super) struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}
