//! Tests of the exchange with one endpoint, and of its connections.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::Request;
use http_body::Body as _;
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use tokio::time::sleep;
use tokio::time::timeout;

use super::fake::Action;
use super::fake::Body;
use super::fake::FakeEndpoint;
use super::fake::Received;
use super::fake::TestPool;
use super::fake::ok;
use super::fake::text;
use crate::handler::BodyError;
use crate::limits::UpstreamLimits;
use crate::tests::stack::Certificates;
use crate::upstream::StreamedBody;
use crate::upstream::UpstreamBodyError;
use crate::upstream::UpstreamError;

/// A body in pieces, of unknown length.
fn pieces<const N: usize>(pieces: [&'static str; N]) -> Body {
    let frames = pieces.map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from(piece))));
    BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)))
}

#[tokio::test]
async fn a_request_has_one_framing_and_the_remaining_time() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |_| Action::Respond(ok("hello"))).await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    let forged = Request::post("/a?b=c")
        .header("accept", "*/*")
        .header("host", "forged")
        .header("content-length", "99")
        .header("transfer-encoding", "chunked")
        .header("connection", "close")
        .header("x-request-timeout-ms", "1");
    pool.request(forged.body(text("name=a")).unwrap())
        .await
        .unwrap();
    pool.request(Request::post("/").body(text("")).unwrap())
        .await
        .unwrap();
    pool.request(
        Request::put("/")
            .extension(StreamedBody)
            .body(pieces(["some", "", "thing"]))
            .unwrap(),
    )
    .await
    .unwrap();
    pool.get("/").await.unwrap();
    let received = endpoint.received();
    let lines: Vec<&str> = received[0].head.lines().collect();
    assert_eq!(
        lines[..3],
        ["POST /a?b=c HTTP/1.1", "host: app.internal", "accept: */*"]
    );
    assert_eq!(lines[3], "content-length: 6");
    assert_eq!(lines.len(), 5);
    let left = received[0].timeout_ms();
    assert!((90_000..=100_000).contains(&left), "{left}");
    assert_eq!(received[0].body, "name=a");
    assert!(
        received[1].head.contains("content-length: 0"),
        "{}",
        received[1].head
    );
    assert!(received[2].head.contains("transfer-encoding: chunked"));
    // With the time that the upload may take.
    let left = received[2].timeout_ms();
    assert!((690_000..=700_000).contains(&left), "{left}");
    assert_eq!(received[2].body, "4\r\nsome\r\n5\r\nthing\r\n0\r\n\r\n");
    assert!(!received[3].head.contains("content-length") && !received[3].head.contains("chunked"));
}

#[tokio::test]
async fn a_retry_states_the_time_that_is_left_then() {
    let certificates = Certificates::issue();
    let is_first = AtomicBool::new(true);
    let endpoint = FakeEndpoint::start(&certificates, move |_| {
        if is_first.swap(false, Relaxed) {
            Action::CloseAfter(Duration::from_millis(500))
        } else {
            Action::Respond(ok("served"))
        }
    })
    .await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    pool.wait_for(1).await;
    pool.get("/").await.unwrap();
    let times: Vec<u64> = endpoint
        .received()
        .iter()
        .map(Received::timeout_ms)
        .collect();
    // The clock has a resolution of 100 ms.
    assert!(times[1] <= times[0] - 400, "{times:?}");
}

#[tokio::test]
async fn responses_of_every_framing_are_read_over_one_connection() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |request| {
        let path = request.head.split(' ').nth(1).unwrap();
        Action::Respond(match path {
            "/length" => ok("hello"),
            "/chunked" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                           3\r\nhel\r\n2\r\nlo\r\n0\r\nx: y\r\n\r\n"
                .to_owned(),
            "/interim" => format!("HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n{}", ok("hello")),
            "/head" => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_owned(),
            "/304" => "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n".to_owned(),
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            _ => ok(&"x".repeat(300_000)),
        })
    })
    .await;
    let limits = UpstreamLimits {
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    pool.wait_for(1).await;
    for (path, status, body) in [
        ("/length", 200, "hello"),
        ("/chunked", 200, "hello"),
        ("/interim", 200, "hello"),
        ("/304", 304, ""),
        ("/204", 204, ""),
    ] {
        assert_eq!(
            pool.get(path).await.unwrap(),
            (status, body.to_owned()),
            "{path}"
        );
    }
    let head = pool
        .send(Request::head("/head").body(text("")).unwrap())
        .await
        .unwrap();
    assert_eq!(head.headers()["content-length"], "5");
    assert!(head.body().is_end_stream());
    let (_, long) = pool.get("/long").await.unwrap();
    assert_eq!(long.len(), 300_000);
    // All on one connection, after the probe.
    let indexes: Vec<usize> = endpoint
        .received()
        .iter()
        .map(|request| request.index)
        .collect();
    assert_eq!(indexes, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_response_until_close_must_be_announced_and_end_with_close_notify() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |request| {
        let cut = request.head.starts_with("GET /cut ");
        let text = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello".to_owned();
        // Without `close_notify` the end is a truncation.
        if cut {
            Action::Respond(text)
        } else {
            Action::RespondAndClose(text)
        }
    })
    .await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    assert_eq!(pool.get("/").await.unwrap(), (200, "hello".to_owned()));
    let response = pool
        .send(Request::get("/cut").body(text("")).unwrap())
        .await
        .unwrap();
    endpoint.kill().await;
    let error = response.into_body().collect().await.unwrap_err();
    assert!(matches!(error, UpstreamBodyError::Lost(_)), "{error}");
}

#[tokio::test]
async fn an_unsolicited_response_is_not_used_for_the_next_request() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |request| {
        match request.head.split(' ').nth(1).unwrap() {
            "/two" => Action::Respond(ok("first") + &ok("smuggled")),
            _ => Action::Respond(ok("requested")),
        }
    })
    .await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    for _ in 0..3 {
        assert_eq!(pool.get("/two").await.unwrap().1, "first");
        assert_eq!(pool.get("/").await.unwrap().1, "requested");
    }
}

#[tokio::test]
async fn a_malformed_response_is_an_error_and_not_retried() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |_| {
        Action::Respond(
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".into(),
        )
    })
    .await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    let error = pool.get("/").await.unwrap_err();
    assert!(matches!(error, UpstreamError::Malformed(_)), "{error}");
    assert_eq!(endpoint.received().len(), 1);
}

#[tokio::test]
async fn an_early_response_ends_the_sending_and_the_connection() {
    let certificates = Certificates::issue();
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nmuch";
    let endpoint = FakeEndpoint::start_impatient(&certificates, move |request| {
        if request.head.starts_with("POST") {
            Action::RespondAndHang(refusal.to_owned())
        } else {
            Action::Respond(ok("requested"))
        }
    })
    .await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    let endless = futures::stream::repeat_with(|| {
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 8192])))
    });
    let endless = StreamBody::new(endless).map_err(|never| match never {});
    let (head, ()) = Request::post("/").body(()).unwrap().into_parts();
    let mut body = endless;
    let response = pool.upstreams.send(&head, &mut body).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "much"
    );
    // The endpoint does not read from that connection any more.
    assert_eq!(pool.get("/").await.unwrap().1, "requested");
    assert_eq!(endpoint.received().len(), 2);
}

#[tokio::test]
async fn an_abandoned_response_closes_its_connection() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |request| {
        match request.head.split(' ').nth(1).unwrap() {
            "/half" => {
                Action::Respond("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_owned())
            }
            _ => Action::Respond(ok("requested")),
        }
    })
    .await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    let mut response = pool
        .send(Request::get("/half").body(text("")).unwrap())
        .await
        .unwrap();
    let first = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "half");
    drop(response);
    let unread = pool.send(Request::get("/half").body(text("")).unwrap());
    drop(
        timeout(Duration::from_secs(5), unread)
            .await
            .unwrap()
            .unwrap(),
    );
    assert_eq!(pool.get("/").await.unwrap().1, "requested");
    // The abandoned connections carried no other request.
    let halves: Vec<_> = endpoint
        .received()
        .iter()
        .map(|request| request.head.contains("/half"))
        .collect();
    assert_eq!(halves, [true, true, false]);
}

#[tokio::test]
async fn an_abandoned_request_closes_its_connection() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |request| {
        let slow = request.head.starts_with("POST");
        let after = Duration::from_millis(if slow { 200 } else { 0 });
        Action::RespondAfter(after, ok(if slow { "late" } else { "requested" }))
    })
    .await;
    let limits = UpstreamLimits {
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    pool.wait_for(1).await;
    let abandoned = timeout(Duration::from_millis(100), pool.post("/", "a")).await;
    assert!(abandoned.is_err());
    assert_eq!(pool.get("/").await.unwrap().1, "requested");
    // The first request follows the probe; the second is the first on another connection.
    let indexes: Vec<usize> = endpoint
        .received()
        .iter()
        .map(|request| request.index)
        .collect();
    assert_eq!(indexes, [1, 0]);
}

#[tokio::test]
async fn a_request_without_a_response_times_out_and_is_not_retried() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |_| Action::Hang).await;
    let limits = UpstreamLimits {
        response_timeout: Duration::from_millis(300),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    let error = pool.post("/", "a").await.unwrap_err();
    assert!(matches!(error, UpstreamError::Slow), "{error}");
    let error = pool.get("/").await.unwrap_err();
    assert!(matches!(error, UpstreamError::Slow), "{error}");
    assert_eq!(endpoint.received().len(), 2);
}

#[tokio::test]
async fn an_upload_may_take_longer_than_the_response() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |_| Action::Respond(ok("received"))).await;
    let limits = UpstreamLimits {
        response_timeout: Duration::from_secs(1),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    pool.wait_for(1).await;
    let uploads = (0..3).map(|_| {
        let slow = futures::stream::iter(["slow", "and", "steady"]).then(async |piece| {
            sleep(Duration::from_millis(700)).await;
            Ok::<_, BodyError>(Frame::data(Bytes::from(piece)))
        });
        let body = BodyExt::boxed(StreamBody::new(Box::pin(slow)));
        pool.request(Request::post("/").body(body).unwrap())
    });
    for response in futures::future::join_all(uploads).await {
        assert_eq!(response.unwrap().1, "received");
    }
    assert_eq!(pool.counters.ejections.load(Relaxed), 0);
}

#[tokio::test]
async fn an_endpoint_that_does_not_read_an_upload_times_out() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start_impatient(&certificates, |_| Action::Hang).await;
    let limits = UpstreamLimits {
        response_timeout: Duration::from_millis(500),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    let endless = futures::stream::repeat_with(|| {
        Ok::<_, BodyError>(Frame::data(Bytes::from_static(&[b'x'; 8192])))
    });
    let body = BodyExt::boxed(StreamBody::new(endless));
    let request = Request::post("/").body(body).unwrap();
    let error = pool.request(request).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Slow), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_stalls_within_a_response_times_out() {
    let certificates = Certificates::issue();
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let endpoint = FakeEndpoint::start(&certificates, |_| Action::Respond(half.to_owned())).await;
    let limits = UpstreamLimits {
        stall_timeout: Duration::from_millis(300),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    let response = pool
        .send(Request::get("/").body(text("")).unwrap())
        .await
        .unwrap();
    // A slow client does not count as a stall of the endpoint.
    sleep(Duration::from_millis(500)).await;
    let mut body = response.into_body();
    let first = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
    assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "half");
    let error = timeout(Duration::from_secs(10), body.collect())
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, UpstreamBodyError::Stalled), "{error}");
}

#[tokio::test]
async fn a_malformed_client_body_is_not_the_endpoints_fault() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |_| Action::Respond(ok("requested"))).await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    let frames = [
        Ok(Frame::data(Bytes::from("some"))),
        Err(BodyError::TooLarge),
    ];
    let body = BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)));
    let error = pool
        .request(Request::post("/").body(body).unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::Body(BodyError::TooLarge)),
        "{error}"
    );
    assert!(endpoint.received().is_empty());
    assert_eq!(pool.get("/").await.unwrap().1, "requested");
}

#[tokio::test]
async fn requests_above_the_limit_of_an_endpoint_are_refused() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |_| {
        Action::RespondAfter(Duration::from_millis(500), ok("late"))
    })
    .await;
    let limits = UpstreamLimits {
        max_in_flight: 2,
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    pool.wait_for(1).await;
    let results = futures::future::join_all((0..4).map(|_| pool.get("/"))).await;
    let full = results
        .iter()
        .filter(|result| matches!(result, Err(UpstreamError::Full)))
        .count();
    assert_eq!((full, endpoint.received().len()), (2, 2));
    assert_eq!(pool.counters.full.load(Relaxed), 2);
}
