//! Propagation of the trace context (W3C `traceparent`) between the tiers.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::RequestId;

/// The header that carries the trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Sets the parent of `span` to the trace context in `headers`. Call it only for headers of a
/// verified tier: a client's trace is not continued.
pub fn set_parent(headers: &HeaderMap, span: &Span) {
    let context = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if context.span().span_context().is_valid() {
        // Fails if traces are not exported: then no parent is needed.
        drop(span.set_parent(context));
    }
}

/// Sets the only `traceparent` of a request to another tier: the context of `span`, or, if traces are
/// not exported, one derived from the request's id, so that every request has one.
pub fn inject(span: &Span, request: RequestId, headers: &mut HeaderMap) {
    headers.remove(TRACEPARENT);
    let context = span.context();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
    } else if let Ok(value) = HeaderValue::try_from(unsampled(request)) {
        headers.insert(TRACEPARENT, value);
    }
}

/// A `traceparent` of version 00, with the request's id as trace id and flags 00 (not sampled).
fn unsampled(request: RequestId) -> String {
    // Valid as parent id, which must not be zero: the lower half of a UUID contains its variant.
    let (_, lower) = request.uuid().as_u64_pair();
    format!("00-{}-{lower:016x}-00", request.uuid().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_valid_trace_context_without_a_collector() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static("00-forged-forged-01"));
        headers.append(TRACEPARENT, HeaderValue::from_static("00-forged-forged-01"));
        let request = RequestId::random();
        inject(&Span::none(), request, &mut headers);
        assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1);
        let context = TraceContextPropagator::new().extract(&HeaderExtractor(&headers));
        let context = context.span().span_context().clone();
        assert!(context.is_valid() && !context.is_sampled());
        assert_eq!(
            context.trace_id().to_string(),
            request.uuid().simple().to_string()
        );
    }
}
