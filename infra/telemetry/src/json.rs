//! The log's format: one line of JSON for each event.

use std::error::Error;
use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;
use tracing::Event;
use tracing::Level;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing::span::Attributes;
use tracing::span::Id;
use tracing::span::Record;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::registry::Scope;

use crate::output::Output;
use crate::output::Stdout;
use crate::redact;

/// A subscriber layer that writes every event as one line of JSON: time, level, service, target,
/// message, then the fields of the enclosing spans, from the outermost, then the event's own.
pub(crate) struct JsonLines<W = Arc<Stdout>> {
    service: &'static str,
    output: W,
}

impl<W> JsonLines<W> {
    pub(crate) fn new(service: &'static str, output: W) -> Self {
        Self { service, output }
    }
}

/// The redacted fields of a span or an event, as JSON. All values share one buffer, since every
/// request logs a line and each value would otherwise be an allocation.
#[derive(Default)]
struct Fields {
    text: Vec<u8>,
    /// Buffer for values that are formatted before they are redacted; reused.
    scratch: String,
    /// For each field its name, and the end of its value in `text`.
    ends: Vec<(&'static str, usize)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        if redact::is_forbidden(field.name()) {
            self.write(field, redact::REDACTED);
        } else {
            self.write(field, value);
        }
    }

    fn write(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        write_json(&mut self.text, value);
        self.ends.push((field.name(), self.text.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let mut start = 0;
        self.ends.iter().filter_map(move |(name, end)| {
            let value = self.text.get(start..*end);
            start = *end;
            Some((*name, value?))
        })
    }

    fn has(&self, name: &str) -> bool {
        self.ends.iter().any(|(own, _)| *own == name)
    }
}

fn write_json(text: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Does not fail: a `Vec` accepts every write, and all logged types have a JSON form.
    drop(serde_json::to_writer(text, value));
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let value = if redact::looks_like_identifier(value) {
            redact::REDACTED
        } else {
            value
        };
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        // Does not fail: a `String` accepts every write.
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
        self.scratch = text;
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
        let mut line = Line::begin();
        line.put("time", &now());
        line.put("level", metadata.level().as_str());
        line.put("service", self.service);
        line.put("target", metadata.target());
        for (name, value) in own.iter().filter(|(name, _)| *name == "message") {
            line.field(name, value);
        }
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                for (name, value) in fields.iter().filter(|(name, _)| !own.has(name)) {
                    line.field(name, value);
                }
            }
        }
        for (name, value) in own.iter().filter(|(name, _)| *name != "message") {
            line.field(name, value);
        }
        let urgent = *metadata.level() <= Level::WARN;
        self.output.line(&line.end(), urgent);
    }
}

/// A JSON object under construction.
struct Line(Vec<u8>);

impl Line {
    fn begin() -> Self {
        let mut text = Vec::with_capacity(512);
        text.push(b'{');
        Self(text)
    }

    fn put(&mut self, name: &str, value: &str) {
        self.name(name);
        write_json(&mut self.0, value);
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(value);
    }

    fn name(&mut self, name: &str) {
        // Not escaped: field names are identifiers in the source of these crates.
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"}\n");
        self.0
    }
}

/// The current time in RFC 3339, UTC, with microseconds.
fn now() -> String {
    let mut text = String::new();
    match SystemTime.format_time(&mut Writer::new(&mut text)) {
        Ok(()) => text,
        Err(fmt::Error) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use serde_json::Value;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Output for Lines {
        fn line(&self, line: &[u8], _urgent: bool) {
            self.0.lock().unwrap().extend_from_slice(line);
        }
    }

    /// The lines that `body` logs.
    fn logged(body: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let layer = JsonLines::new("test", lines.clone());
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
