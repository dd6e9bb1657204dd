//! One app: what is sent to it, what is read of it, and what becomes of the connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Body as _;
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use tokio::time::sleep;
use tokio::time::timeout;

use super::fake::Apps;
use super::fake::Body;
use super::fake::Fake;
use super::fake::Then;
use super::fake::ok;
use super::fake::text;
use crate::handler::BodyError;
use crate::limits::UpstreamLimits;
use crate::tests::stack::Certificates;
use crate::upstream::UpstreamBodyError;
use crate::upstream::UpstreamError;

/// A body in pieces, whose length is not known.
fn pieces<const N: usize>(pieces: [&'static str; N]) -> Body {
    let frames = pieces.map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from(piece))));
    BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)))
}

#[tokio::test]
async fn a_request_is_written_in_one_way_and_says_how_long_it_may_take() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |_| Then::Answer(ok("hello"))).await;
    let apps = Apps::start(&certificates, &[&app]);
    let forged = Request::post("/a?b=c")
        .header("accept", "*/*")
        .header("host", "forged")
        .header("content-length", "99")
        .header("transfer-encoding", "chunked")
        .header("connection", "close")
        .header("x-request-timeout-ms", "1");
    apps.ask(forged.body(text("name=a")).unwrap())
        .await
        .unwrap();
    apps.ask(Request::post("/").body(text("")).unwrap())
        .await
        .unwrap();
    apps.ask(
        Request::put("/")
            .body(pieces(["some", "", "thing"]))
            .unwrap(),
    )
    .await
    .unwrap();
    apps.get("/").await.unwrap();
    let got = app.got();
    let lines: Vec<&str> = got[0].head.lines().collect();
    assert_eq!(
        lines[..3],
        ["POST /a?b=c HTTP/1.1", "host: app.internal", "accept: */*"]
    );
    assert_eq!(lines[4..], ["content-length: 6"]);
    let left = lines[3].strip_prefix("x-request-timeout-ms: ").unwrap();
    assert!(
        (90_000..=100_000).contains(&left.parse::<u64>().unwrap()),
        "{left}"
    );
    assert_eq!(got[0].body, "name=a");
    assert!(
        got[1].head.ends_with("content-length: 0"),
        "{}",
        got[1].head
    );
    assert!(got[2].head.ends_with("transfer-encoding: chunked"));
    assert_eq!(got[2].body, "4\r\nsome\r\n5\r\nthing\r\n0\r\n\r\n");
    assert!(!got[3].head.contains("content-length") && !got[3].head.contains("chunked"));
}

#[tokio::test]
async fn answers_of_every_framing_are_read_over_one_connection() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |got| {
        let path = got.head.split(' ').nth(1).unwrap();
        Then::Answer(match path {
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
    let apps = Apps::with(&certificates, &[&app], limits);
    apps.wait_for(1).await;
    for (path, status, body) in [
        ("/length", 200, "hello"),
        ("/chunked", 200, "hello"),
        ("/interim", 200, "hello"),
        ("/304", 304, ""),
        ("/204", 204, ""),
    ] {
        assert_eq!(
            apps.get(path).await.unwrap(),
            (status, body.to_owned()),
            "{path}"
        );
    }
    let head = apps
        .send(Request::head("/head").body(text("")).unwrap())
        .await
        .unwrap();
    assert_eq!(head.headers()["content-length"], "5");
    assert!(head.body().is_end_stream());
    let (_, long) = apps.get("/long").await.unwrap();
    assert_eq!(long.len(), 300_000);
    // One after the other, after the question of readiness.
    let places: Vec<usize> = app.got().iter().map(|got| got.nth).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn an_answer_to_the_end_of_a_connection_must_have_said_so_and_must_not_be_cut() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |got| {
        let cut = got.head.starts_with("GET /cut ");
        let text = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello".to_owned();
        // What is only closed has no end, as TLS sees it.
        if cut {
            Then::Answer(text)
        } else {
            Then::Last(text)
        }
    })
    .await;
    let apps = Apps::start(&certificates, &[&app]);
    assert_eq!(apps.get("/").await.unwrap(), (200, "hello".to_owned()));
    let answer = apps
        .send(Request::get("/cut").body(text("")).unwrap())
        .await
        .unwrap();
    app.kill().await;
    let error = answer.into_body().collect().await.unwrap_err();
    assert!(matches!(error, UpstreamBodyError::Lost(_)), "{error}");
}

#[tokio::test]
async fn what_comes_unasked_is_no_answer_to_the_next_request() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |got| {
        match got.head.split(' ').nth(1).unwrap() {
            "/two" => Then::Answer(ok("first") + &ok("smuggled")),
            _ => Then::Answer(ok("asked")),
        }
    })
    .await;
    let apps = Apps::start(&certificates, &[&app]);
    for _ in 0..3 {
        assert_eq!(apps.get("/two").await.unwrap().1, "first");
        assert_eq!(apps.get("/").await.unwrap().1, "asked");
    }
}

#[tokio::test]
async fn what_is_not_an_answer_is_told_and_not_asked_for_again() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |_| {
        Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".into())
    })
    .await;
    let apps = Apps::start(&certificates, &[&app]);
    let error = apps.get("/").await.unwrap_err();
    assert!(matches!(error, UpstreamError::Malformed(_)), "{error}");
    assert_eq!(app.got().len(), 1);
}

#[tokio::test]
async fn an_early_answer_ends_the_sending_and_the_connection() {
    let certificates = Certificates::issue();
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nmuch";
    let app = Fake::hasty(&certificates, move |got| {
        if got.head.starts_with("POST") {
            Then::Early(refusal.to_owned())
        } else {
            Then::Answer(ok("asked"))
        }
    })
    .await;
    let apps = Apps::start(&certificates, &[&app]);
    let endless = futures::stream::repeat_with(|| {
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 8192])))
    });
    let endless = StreamBody::new(endless).map_err(|never| match never {});
    let (head, ()) = Request::post("/").body(()).unwrap().into_parts();
    let mut body = endless;
    let answer = apps.upstreams.send(&head, &mut body).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "much"
    );
    // The connection it came on would not answer any more.
    assert_eq!(apps.get("/").await.unwrap().1, "asked");
    assert_eq!(app.got().len(), 2);
}

#[tokio::test]
async fn an_answer_that_nobody_wants_any_more_takes_its_connection_along() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |got| {
        match got.head.split(' ').nth(1).unwrap() {
            "/half" => Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_owned()),
            _ => Then::Answer(ok("asked")),
        }
    })
    .await;
    let apps = Apps::start(&certificates, &[&app]);
    let mut answer = apps
        .send(Request::get("/half").body(text("")).unwrap())
        .await
        .unwrap();
    let first = answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "half");
    drop(answer);
    let hung = apps.send(Request::get("/half").body(text("")).unwrap());
    assert!(timeout(Duration::from_millis(50), hung).await.is_ok());
    assert_eq!(apps.get("/").await.unwrap().1, "asked");
    // Neither of those that were left carried anything else.
    let halves: Vec<_> = app
        .got()
        .iter()
        .map(|got| got.head.contains("/half"))
        .collect();
    assert_eq!(halves, [true, true, false]);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_any_more_takes_its_connection_along() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |got| {
        let slow = got.head.starts_with("POST");
        let after = Duration::from_millis(if slow { 200 } else { 0 });
        Then::Later(after, ok(if slow { "late" } else { "asked" }))
    })
    .await;
    let limits = UpstreamLimits {
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let apps = Apps::with(&certificates, &[&app], limits);
    apps.wait_for(1).await;
    let left = timeout(Duration::from_millis(100), apps.post("/", "a")).await;
    assert!(left.is_err());
    assert_eq!(apps.get("/").await.unwrap().1, "asked");
    // After the question of readiness on the first connection, and first on another one.
    let places: Vec<usize> = app.got().iter().map(|got| got.nth).collect();
    assert_eq!(places, [1, 0]);
}

#[tokio::test]
async fn patience_ends_and_what_may_have_been_done_is_not_done_again() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |_| Then::Hang).await;
    let limits = UpstreamLimits {
        response_timeout: Duration::from_millis(300),
        ..UpstreamLimits::default()
    };
    let apps = Apps::with(&certificates, &[&app], limits);
    let error = apps.post("/", "a").await.unwrap_err();
    assert!(matches!(error, UpstreamError::Slow), "{error}");
    let error = apps.get("/").await.unwrap_err();
    assert!(matches!(error, UpstreamError::Slow), "{error}");
    assert_eq!(app.got().len(), 2);
}

#[tokio::test]
async fn an_app_that_falls_silent_in_an_answer_is_left() {
    let certificates = Certificates::issue();
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let app = Fake::start(&certificates, |_| Then::Answer(half.to_owned())).await;
    let limits = UpstreamLimits {
        stall_timeout: Duration::from_millis(300),
        ..UpstreamLimits::default()
    };
    let apps = Apps::with(&certificates, &[&app], limits);
    let answer = apps
        .send(Request::get("/").body(text("")).unwrap())
        .await
        .unwrap();
    // A client that takes its time is not the app's silence.
    sleep(Duration::from_millis(500)).await;
    let mut body = answer.into_body();
    let first = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
    assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "half");
    let error = timeout(Duration::from_secs(10), body.collect())
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, UpstreamBodyError::Stalled), "{error}");
}

#[tokio::test]
async fn a_clients_broken_body_is_its_own_fault() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |_| Then::Answer(ok("asked"))).await;
    let apps = Apps::start(&certificates, &[&app]);
    let frames = [
        Ok(Frame::data(Bytes::from("some"))),
        Err(BodyError::TooLarge),
    ];
    let body = BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)));
    let error = apps
        .ask(Request::post("/").body(body).unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::Body(BodyError::TooLarge)),
        "{error}"
    );
    assert!(app.got().is_empty());
    assert_eq!(apps.get("/").await.unwrap().1, "asked");
}

#[tokio::test]
async fn no_more_requests_than_an_app_may_have() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |_| {
        Then::Later(Duration::from_millis(500), ok("late"))
    })
    .await;
    let limits = UpstreamLimits {
        max_in_flight: 2,
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let apps = Apps::with(&certificates, &[&app], limits);
    apps.wait_for(1).await;
    let results = futures::future::join_all((0..4).map(|_| apps.get("/"))).await;
    let full = results
        .iter()
        .filter(|result| matches!(result, Err(UpstreamError::Full)))
        .count();
    assert_eq!((full, app.got().len()), (2, 2));
    assert_eq!(apps.counters.full.load(Relaxed), 2);
}
