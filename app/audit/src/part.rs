//! The parts of an event, which its commitment covers: each header field, then each record reference.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use crate::Event;
use crate::RecordReference;
use crate::event::timestamp;

/// The label of a record reference; all other labels are names of header fields.
const RECORD: &str = "record";

/// One labelled part of an event.
#[derive(Clone, Eq, PartialEq)]
pub struct Part {
    label: String,
    value: Vec<u8>,
}

impl Part {
    /// The name of the header field, or `record`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The field's value or the record reference, as canonical JSON (RFC 8785).
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.value
    }

    /// The record reference; `None` for a header field.
    #[must_use]
    pub fn record(&self) -> Option<RecordReference> {
        self.is_record().then(|| self.read()).flatten()
    }

    pub(crate) fn is_record(&self) -> bool {
        self.label == RECORD
    }

    /// The encoding `length of label u8 | label | JSON`; `None` if the label is too long.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let length = u8::try_from(self.label.len()).ok()?;
        let mut bytes = vec![length];
        bytes.extend_from_slice(self.label.as_bytes());
        bytes.extend_from_slice(&self.value);
        Some(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first()?;
        let (label, value) = rest.split_at_checked(usize::from(*length))?;
        Some(Self {
            label: std::str::from_utf8(label).ok()?.to_owned(),
            value: value.to_vec(),
        })
    }

    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.value).ok()
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({}, ..)", self.label)
    }
}

/// The parts of `event`, in the order of its commitment; `None` if its time has no text form, or if it has a code that
/// this release does not know.
pub(crate) fn parts_of(event: &Event) -> Option<Vec<Part>> {
    if !event.is_known() {
        return None;
    }
    // Without `..`, so that a new field does not compile until it is a part.
    let Event {
        at,
        request,
        organization,
        person,
        role,
        session,
        assurance,
        source,
        action,
        outcome,
        purpose,
        suppressed,
        records,
    } = event;
    let mut parts = Parts::default();
    parts.add("at", Some(&Timestamp(*at)))?;
    parts.add("request", Some(request))?;
    parts.add("organization", Some(organization))?;
    parts.add("person", person.as_ref())?;
    parts.add("role", role.as_ref())?;
    parts.add("session", session.as_ref())?;
    parts.add("assurance", assurance.as_ref())?;
    parts.add("source", source.as_ref())?;
    parts.add("action", Some(action))?;
    parts.add("outcome", Some(outcome))?;
    parts.add("purpose", Some(purpose))?;
    parts.add("suppressed", suppressed.as_ref())?;
    for record in records {
        parts.add(RECORD, Some(record))?;
    }
    Some(parts.0)
}

/// The event with these parts; `None` if they are not the parts of one event.
///
/// Header fields that this release does not know are skipped, and unknown codes are decoded as `Unknown`, because the
/// next release may write both.
pub(crate) fn event_of(parts: &[Part]) -> Option<Event> {
    let mut fields = Map::new();
    let mut records = Vec::new();
    for part in parts {
        if part.is_record() {
            records.push(part.read::<Value>()?);
        } else if !records.is_empty() || fields.insert(part.label.clone(), part.read()?).is_some() {
            // A header field after a record, or a second one of its name.
            return None;
        }
    }
    if fields
        .insert("records".to_owned(), Value::Array(records))
        .is_some()
    {
        return None;
    }
    serde_json::from_value(Value::Object(fields)).ok()
}

#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    /// Adds a part, unless the field has no value. `None` if the value has no JSON form.
    fn add<T: Serialize>(&mut self, label: &str, value: Option<&T>) -> Option<()> {
        if let Some(value) = value {
            self.0.push(Part {
                label: label.to_owned(),
                value: serde_json::to_vec(value).ok()?,
            });
        }
        Some(())
    }
}

#[derive(Serialize)]
struct Timestamp(#[serde(with = "timestamp")] OffsetDateTime);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Assurance;
    use crate::samples::any_event;
    use crate::samples::event;
    use crate::samples::record;

    fn encoded(event: &Event) -> Vec<String> {
        let parts = parts_of(event).unwrap();
        let text = |part: &Part| String::from_utf8(part.encode().unwrap()).unwrap();
        parts.iter().map(text).collect()
    }

    #[test]
    fn parts_are_the_bytes_of_the_specification() {
        let event = Event {
            records: vec![record(7)],
            ..event()
        };
        assert_eq!(
            encoded(&event),
            [
                "\u{2}at\"1970-01-01T00:00:00.000000Z\"",
                "\u{7}request\"00000000-0000-0000-0000-000000000001\"",
                "\u{c}organization\"00000000-0000-0000-0000-000000000002\"",
                "\u{6}action\"sign-in\"",
                "\u{7}outcome\"refused\"",
                "\u{7}purpose\"HOPERAT\"",
                "\u{6}record{\"id\":null,\"kind\":\"Patient\",\
                 \"patient\":\"00000000-0000-0000-0000-000000000007\",\"version\":3}",
            ]
        );
    }

    #[test]
    fn a_field_of_a_later_release_is_skipped() {
        let mut parts = parts_of(&event()).unwrap();
        parts.push(Part {
            label: "location".to_owned(),
            value: b"\"ward\"".to_vec(),
        });
        assert_eq!(event_of(&parts), Some(event()));
    }

    #[test]
    fn a_code_of_a_later_release_is_read_as_unknown_and_not_written_again() {
        let known = Event {
            assurance: Some(Assurance::Passkey),
            ..event()
        };
        for label in ["action", "outcome", "purpose", "assurance"] {
            let mut parts = parts_of(&known).unwrap();
            let part = parts.iter_mut().find(|part| part.label == label).unwrap();
            part.value = b"\"of-a-later-release\"".to_vec();
            let read = event_of(&parts).unwrap();
            assert_ne!(read, known, "{label}");
            assert_eq!(parts_of(&read), None, "{label}");
            let shown = serde_json::to_value(&read).unwrap();
            assert_eq!(shown[label], "unknown");
        }
    }

    #[test]
    fn a_doubled_field_and_a_field_after_a_record_are_refused() {
        let parts = parts_of(&event()).unwrap();
        let doubled: Vec<Part> = parts.iter().chain(&parts[..1]).cloned().collect();
        assert_eq!(event_of(&doubled), None);
        let mut late = parts_of(&Event {
            records: vec![record(1)],
            ..event()
        })
        .unwrap();
        late.rotate_left(1);
        assert_eq!(event_of(&late), None);
    }

    proptest! {
        #[test]
        fn parts_read_back_as_their_event(event in any_event()) {
            let parts = parts_of(&event).unwrap();
            for part in &parts {
                let read = Part::decode(&part.encode().unwrap());
                prop_assert_eq!(read.as_ref(), Some(part));
            }
            prop_assert_eq!(event_of(&parts), Some(event));
        }
    }
}
