//! Every accepted request is unambiguous: hyper, an independent parser, reads the same message from
//! the client's bytes and from the bytes that the app gets.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::Uri;
use http::header::CONTENT_LENGTH;
use http::header::HOST;
use http::header::TRANSFER_ENCODING;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use proptest::test_runner::TestRunner;
use tokio::io::AsyncWriteExt;

use crate::handler::BodyError;
use crate::http1::Framing;
use crate::http1::chunked::Chunked;
use crate::http1::chunked::Piece;
use crate::http1::take;
use crate::upstream::encode;

/// A parsed message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The messages that hyper's server parses.
async fn parse_with_hyper(bytes: &[u8]) -> Vec<Message> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let read = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let read = Arc::clone(&read);
        async move {
            let (head, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                read.lock().unwrap().push(Message {
                    method: head.method,
                    uri: head.uri,
                    headers: head.headers,
                    body: body.to_bytes().to_vec(),
                });
            }
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let mut builder = http1::Builder::new();
    // The client has closed its sending side.
    builder.half_close(true);
    let connection = builder.serve_connection(TokioIo::new(server), service);
    drop(connection.await);
    drop(client);
    Arc::try_unwrap(read).unwrap().into_inner().unwrap()
}

/// The messages that this tier accepts, up to the first refused one.
fn parse_with_edge(bytes: &[u8]) -> Vec<(http::request::Parts, Vec<u8>)> {
    let (mut inbox, mut read) = (BytesMut::from(bytes), Vec::new());
    while let Ok(Some(head)) = take(&mut inbox, 16 * 1024) {
        let body = match head.framing {
            Framing::None => Some(Vec::new()),
            Framing::Length(length) => {
                let length = usize::try_from(length).unwrap();
                (length <= inbox.len()).then(|| inbox.split_to(length).to_vec())
            }
            Framing::Chunked => decode_chunks(&mut inbox),
        };
        let Some(body) = body else { break };
        let ends = !head.persistent;
        read.push((head.parts, body));
        if ends {
            break;
        }
    }
    read
}

fn decode_chunks(inbox: &mut BytesMut) -> Option<Vec<u8>> {
    let (mut chunked, mut body) = (Chunked::default(), Vec::new());
    loop {
        match chunked.decode(inbox).ok()? {
            Piece::Data(data) => body.extend_from_slice(&data),
            Piece::More => return None,
            Piece::End => return Some(body),
        }
    }
}

/// A body, whose length is known if the flag is true.
struct TestBody(Option<Bytes>, bool);

impl Body for TestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.0.as_ref().map_or(0, Bytes::len);
        let length = u64::try_from(length).unwrap();
        if self.1 {
            SizeHint::with_exact(length)
        } else {
            SizeHint::new()
        }
    }
}

fn without_framing(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.remove("connection");
    headers.remove("x-request-timeout-ms");
    headers
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "GET / HTTP/1.1",
        "POST /fhir/Patient/_search HTTP/1.1",
        "HEAD /patients?page=2 HTTP/1.1",
        "PUT https://clinic.example/fhir HTTP/1.1",
        "DELETE /a%20b;c?d=e&f HTTP/1.1",
    ]);
    let field = prop::sample::select(vec![
        "Accept: text/html, */*",
        "X-Empty:",
        "X-Spaced: \t a  b \t",
        "Cookie: a=b; c=\"d\"",
        "Connection: close",
        "Connection: keep-alive",
        "Expect: 100-continue",
        "Content-Length: 5",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: 05",
        "X-Latin: caf\u{e9}",
    ]);
    let body = prop::sample::select(vec![
        "",
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
        "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n",
        "0\r\n\r\n",
    ]);
    let fields = prop::collection::vec(field, 0..4);
    let one = (line, fields, body).prop_map(|(line, fields, body)| {
        let fields: Vec<String> = fields.iter().map(|field| format!("{field}\r\n")).collect();
        format!("{line}\r\nHost: a\r\n{}\r\n{body}", fields.concat())
    });
    let byte = prop::sample::select(b"\r\n \t:,;0a/#?\"\\%_\0\x7f\xff".to_vec());
    let change = (any::<prop::sample::Index>(), byte, 0..3_u8);
    let messages = prop::collection::vec(one, 1..3);
    (messages, prop::collection::vec(change, 0..3)).prop_map(|(messages, changes)| {
        let mut bytes = messages.concat().into_bytes();
        for (index, byte, kind) in changes {
            let index = index.index(bytes.len());
            match kind {
                0 => bytes[index] = byte,
                1 => bytes.insert(index, byte),
                _ => drop(bytes.remove(index)),
            }
        }
        bytes
    })
}

/// Compares the parsers on some bytes, and returns the number of accepted messages.
async fn compare(bytes: &[u8], known: bool) -> Result<usize, TestCaseError> {
    let accepted = parse_with_edge(bytes);
    let parsed_by_hyper = parse_with_hyper(bytes).await;
    for (index, (head, body)) in accepted.iter().enumerate() {
        let message = Message {
            method: head.method.clone(),
            uri: head.uri.clone(),
            headers: head.headers.clone(),
            body: body.clone(),
        };
        prop_assert_eq!(parsed_by_hyper.get(index), Some(&message));
        // The app gets exactly this message.
        let mut body_to_send = TestBody((!body.is_empty()).then(|| body.clone().into()), known);
        let read = parse_with_hyper(&encode(head, &mut body_to_send).await).await;
        prop_assert_eq!(read.len(), 1);
        let target = head.uri.path_and_query().map(ToString::to_string);
        prop_assert_eq!(Some(read[0].uri.to_string()), target);
        prop_assert_eq!(&read[0].method, &head.method);
        prop_assert_eq!(&read[0].body, body);
        let (received, sent) = (read[0].headers.clone(), head.headers.clone());
        prop_assert_eq!(without_framing(received), without_framing(sent));
    }
    Ok(accepted.len())
}

#[test]
fn hyper_parses_accepted_requests_alike() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.unwrap();
    let messages = Cell::new(0);
    let config = ProptestConfig::default();
    let cases = config.cases;
    let mut runner = TestRunner::new(config);
    let inputs = (request(), any::<bool>());
    runner
        .run(&inputs, |(bytes, known)| {
            let compared = runtime.block_on(compare(&bytes, known))?;
            messages.set(messages.get() + compared);
            Ok(())
        })
        .unwrap();
    // Most generated requests are refused; enough of them must be accepted.
    let min_accepted = usize::try_from(cases / 8).unwrap();
    assert!(messages.get() > min_accepted, "{} messages", messages.get());
}
