use std::{
    error::Error,
    fmt,
    io::{self, Write},
};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    fmt::{
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::Context,
    registry::{LookupSpan, Scope},
};

use crate::redact;

/// Writes every event as one line of JSON: time, level, service, target, message, then the fields
/// of the spans that it happened in, from the outermost, then its own.
pub(crate) struct JsonLines<W = Stdout> {
    service: &'static str,
    output: W,
}

impl JsonLines {
    pub(crate) fn new(service: &'static str) -> Self {
        Self {
            service,
            output: Stdout,
        }
    }
}

/// Where lines go.
pub(crate) trait Output: Send + Sync + 'static {
    /// Writes a line, or loses it: a full disk must not stop a tier.
    fn line(&self, line: &[u8]);
}

/// Standard output.
pub(crate) struct Stdout;

impl Output for Stdout {
    fn line(&self, line: &[u8]) {
        drop(io::stdout().lock().write_all(line));
    }
}

/// The fields of a span or an event, redacted.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let hidden = redact::forbids(name)
            || matches!(&value, Value::String(text) if redact::suspects(text));
        let value = if hidden {
            Value::from(redact::REDACTED)
        } else {
            value
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, value.to_string().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Output,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut own = Fields::default();
        event.record(&mut own);
        let mut line = Map::new();
        line.insert("time".to_owned(), now().into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("service".to_owned(), self.service.into());
        line.insert("target".to_owned(), metadata.target().into());
        if let Some(message) = own.0.remove("message") {
            line.insert("message".to_owned(), message);
        }
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.extend(fields.0.clone());
            }
        }
        line.extend(own.0);
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        self.output.line(text.as_bytes());
    }
}

/// RFC 3339, UTC, microseconds.
fn now() -> String {
    let mut text = String::new();
    match SystemTime.format_time(&mut Writer::new(&mut text)) {
        Ok(()) => text,
        Err(fmt::Error) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Output for Lines {
        fn line(&self, line: &[u8]) {
            self.0.lock().unwrap().extend_from_slice(line);
        }
    }

    /// What `body` logs.
    fn logged(body: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let layer = JsonLines {
            service: "test",
            output: lines.clone(),
        };
        tracing::subscriber::with_default(Registry::default().with(layer), body);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|line| line.parse().unwrap())
            .collect()
    }

    #[test]
    fn a_line_holds_the_fields_of_its_spans_and_its_own() {
        let lines = logged(|| {
            let _outer = tracing::info_span!("request", request_id = "r", status = 0).entered();
            let inner = tracing::info_span!("inner", row = tracing::field::Empty);
            inner.record("row", 7);
            inner.in_scope(|| tracing::warn!(status = 500, "it \"failed\"\nbadly"));
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["level"], "WARN");
        assert_eq!(lines[0]["service"], "test");
        assert_eq!(lines[0]["message"], "it \"failed\"\nbadly");
        assert_eq!(lines[0]["request_id"], "r");
        assert_eq!(lines[0]["row"], 7);
        assert_eq!(lines[0]["status"], 500);
    }

    #[test]
    fn what_must_not_be_logged_is_not_logged() {
        let lines = logged(|| {
            let _span = tracing::info_span!("request", patient_name = "Ann Archer").entered();
            let error = io::Error::other("duplicate entry 'ann@example.org'");
            tracing::error!(password = 12345, %error, "no patient 123-45-6789");
        });
        let text = lines[0].to_string();
        for value in ["Ann", "Archer", "12345", "ann@example.org", "123-45-6789"] {
            assert!(!text.contains(value), "{text}");
        }
    }
}
