//! What this tier lets through is read in one way: hyper, which had no part in it, reads the same of
//! what the client sent and of what the app gets.

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

/// A message, as somebody read it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The messages that hyper's server reads.
async fn hyper_reads(bytes: &[u8]) -> Vec<Message> {
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
    // Half of a connection is enough to be read.
    builder.half_close(true);
    let connection = builder.serve_connection(TokioIo::new(server), service);
    drop(connection.await);
    drop(client);
    Arc::try_unwrap(read).unwrap().into_inner().unwrap()
}

/// The messages that this tier reads, up to the first that it refuses.
fn we_read(bytes: &[u8]) -> Vec<(http::request::Parts, Vec<u8>)> {
    let (mut inbox, mut read) = (BytesMut::from(bytes), Vec::new());
    while let Ok(Some(head)) = take(&mut inbox, 16 * 1024) {
        let body = match head.framing {
            Framing::None => Some(Vec::new()),
            Framing::Length(length) => {
                let length = usize::try_from(length).unwrap();
                (length <= inbox.len()).then(|| inbox.split_to(length).to_vec())
            }
            Framing::Chunked => unchunked(&mut inbox),
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

fn unchunked(inbox: &mut BytesMut) -> Option<Vec<u8>> {
    let (mut chunked, mut body) = (Chunked::default(), Vec::new());
    loop {
        match chunked.decode(inbox).ok()? {
            Piece::Data(data) => body.extend_from_slice(&data),
            Piece::More => return None,
            Piece::End => return Some(body),
        }
    }
}

/// A body of known or unknown length.
struct Given(Option<Bytes>, bool);

impl Body for Given {
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
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

/// Compares all readings of some bytes; tells how many messages there were.
async fn compare(bytes: &[u8], known: bool) -> Result<usize, TestCaseError> {
    let ours = we_read(bytes);
    let theirs = hyper_reads(bytes).await;
    for (at, (head, body)) in ours.iter().enumerate() {
        let same = Message {
            method: head.method.clone(),
            uri: head.uri.clone(),
            headers: head.headers.clone(),
            body: body.clone(),
        };
        prop_assert_eq!(theirs.get(at), Some(&same));
        // And what goes on to the app is that message, alone and whole.
        let mut given = Given((!body.is_empty()).then(|| body.clone().into()), known);
        let read = hyper_reads(&encode(head, &mut given).await).await;
        prop_assert_eq!(read.len(), 1);
        let target = head.uri.path_and_query().map(ToString::to_string);
        prop_assert_eq!(Some(read[0].uri.to_string()), target);
        prop_assert_eq!(&read[0].method, &head.method);
        prop_assert_eq!(&read[0].body, body);
        let (got, sent) = (read[0].headers.clone(), head.headers.clone());
        prop_assert_eq!(without_framing(got), without_framing(sent));
    }
    Ok(ours.len())
}

#[test]
fn hyper_reads_the_same() {
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
    // Most of what is made up is refused; enough of it is not.
    let least = usize::try_from(cases / 8).unwrap();
    assert!(messages.get() > least, "{} messages", messages.get());
}
