//! The body of a response to a client.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;

use crate::access_log::Entry;
use crate::admission::SharePermit;
use crate::upstream::UpstreamBody;
use crate::upstream::UpstreamBodyError;

/// The body of a response. Dropping it writes the request's line to the access log.
pub(crate) struct EdgeBody {
    source: Source,
    entry: Entry,
}

enum Source {
    /// The upstream's body, with its memory permit.
    Upstream(
        UpstreamBody,
        #[expect(dead_code, reason = "held for its Drop")] SharePermit,
    ),
    /// A local response.
    Local(Bytes),
}

impl EdgeBody {
    pub(crate) fn upstream(body: UpstreamBody, memory: SharePermit, entry: Entry) -> Self {
        let source = Source::Upstream(body, memory);
        Self { source, entry }
    }

    pub(crate) fn local(bytes: Bytes, entry: Entry) -> Self {
        let source = Source::Local(bytes);
        Self { source, entry }
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = UpstreamBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamBodyError>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Local(bytes) if bytes.is_empty() => None,
            Source::Local(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Source::Upstream(body, _) => ready!(Pin::new(body).poll_frame(cx)),
        };
        if let Some(Ok(frame)) = &frame {
            this.entry.on_sent(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Local(bytes) => bytes.is_empty(),
            Source::Upstream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Local(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Source::Upstream(body, _) => body.size_hint(),
        }
    }
}
