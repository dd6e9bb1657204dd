//! A JSON document that is read strictly and leaves nothing behind.

use std::cell::RefCell;
use std::fmt;

use serde::de::DeserializeSeed;
use serde::de::Deserializer;
use serde::de::Error as _;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;
use serde_json::error::Category;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use super::ElementPath;
use super::Issue;
use super::IssueCode;
use super::limits::MAX_DEPTH;
use super::limits::MAX_VALUES;

mod cost;

pub use cost::parsed_bytes;

/// A parsed JSON document whose strings are wiped when it is dropped.
///
/// Numbers keep the digits that were sent, objects keep their order. What it cannot wipe: digits
/// of numbers and names of elements (`serde_json` gives no access to them), and what a parse that
/// fails has read until then.
pub struct SensitiveJson(Value);

impl SensitiveJson {
    /// Reads a document: one JSON value, no key twice in an object, within the limits.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place or, if it is no JSON, its line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, Issue> {
        let root = ElementPath::Root("");
        let state = RefCell::new(State {
            fault: None,
            values: 0,
        });
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let node = Node {
            place: &root,
            depth: 0,
            state: &state,
        };
        let parsed = node.deserialize(&mut deserializer).map(Self);
        let parsed = parsed.and_then(|document| deserializer.end().map(|()| document));
        parsed.map_err(|error| state.into_inner().fault.unwrap_or_else(|| syntax(&error)))
    }

    /// Takes a value that was made by this program.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The document's value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The document's value, to be changed.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// Takes the value out; the taker must wipe it.
    #[must_use]
    pub fn take(mut self) -> Value {
        self.0.take()
    }

    /// The document as JSON, in a buffer that is allocated once and wiped when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut length = Length(0);
        // Writing a `Value` into memory cannot fail: its keys are strings.
        let _counted = serde_json::to_writer(&mut length, &self.0);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        let _written = serde_json::to_writer(&mut *bytes, &self.0);
        bytes
    }
}

impl Drop for SensitiveJson {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for SensitiveJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SensitiveJson([redacted])")
    }
}

/// Overwrites every string of the value.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn syntax(error: &serde_json::Error) -> Issue {
    let (line, column) = (error.line(), error.column());
    let reason = match error.classify() {
        Category::Eof => format!("the JSON ends too early, at line {line} column {column}"),
        Category::Syntax | Category::Data | Category::Io => {
            format!("this is not well-formed JSON, at line {line} column {column}")
        }
    };
    Issue::new(IssueCode::Structure, reason)
}

struct State {
    fault: Option<Issue>,
    values: usize,
}

/// Reads the value at one place.
#[derive(Clone, Copy)]
struct Node<'a> {
    place: &'a ElementPath<'a>,
    depth: usize,
    state: &'a RefCell<State>,
}

/// The name under which `serde_json` hands over a number that keeps its digits.
const NUMBER: &str = "$serde_json::private::Number";

impl Node<'_> {
    fn refuse<E: serde::de::Error>(
        &self,
        place: &ElementPath<'_>,
        code: IssueCode,
        why: &str,
    ) -> E {
        self.state.borrow_mut().fault = Some(Issue::new(code, why.to_owned()).at(place));
        E::custom("refused")
    }

    fn enter<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth >= MAX_DEPTH {
            let why = "objects and arrays stand too deep inside each other (at most 64)";
            return Err(self.refuse(self.place, IssueCode::TooLong, why));
        }
        Ok(self.depth.saturating_add(1))
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = {
            let mut state = self.state.borrow_mut();
            state.values = state.values.saturating_add(1);
            state.values
        };
        if values > MAX_VALUES {
            let why =
                "there are too many values in one body (at most 1,000,000); send less at a time";
            return Err(self.refuse(self.place, IssueCode::TooLong, why));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let mut array = Vec::new();
        loop {
            let place = ElementPath::Item(self.place, array.len());
            let node = Node {
                place: &place,
                depth,
                state: self.state,
            };
            match items.next_element_seed(node)? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut depth = None;
        while let Some(name) = members.next_key::<String>()? {
            if name == NUMBER {
                // A number, or an object that imitates one: either way its text must be a number.
                let digits: Zeroizing<String> = Zeroizing::new(members.next_value()?);
                let number: Number = digits.parse().map_err(A::Error::custom)?;
                return Ok(Value::Number(number));
            }
            let inner = match depth {
                Some(inner) => inner,
                None => *depth.insert(self.enter()?),
            };
            let place = ElementPath::Field(self.place, &name);
            if object.contains_key(&name) {
                let why = "the same element stands here twice";
                return Err(self.refuse(&place, IssueCode::Structure, why));
            }
            let node = Node {
                place: &place,
                depth: inner,
                state: self.state,
            };
            let value = members.next_value_seed(node)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> Issue {
        SensitiveJson::parse(json.as_bytes()).expect_err("refused")
    }

    #[test]
    fn what_comes_in_goes_out_whole() {
        let json = r#"{"z":1.50,"a":[1,-7,1e+2,-0.0,12345678901234567890.10],"m":{"t":"ü\n","n":null,"b":true}}"#;
        let document = SensitiveJson::parse(json.as_bytes()).expect("sound");
        assert_eq!(
            std::str::from_utf8(&document.to_bytes()).expect("text"),
            json
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_with_its_place() {
        let issue = refused(r#"{"name":[{"family":"A"},{"family":"B","family":"C"}]}"#);
        assert_eq!(issue.expression.as_deref(), Some("name[1].family"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(SensitiveJson::parse(deep.as_bytes()).is_ok());
        let deeper = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(refused(&deeper).code, IssueCode::TooLong);
        let abyss = "[".repeat(1_000_000);
        assert_eq!(refused(&abyss).code, IssueCode::TooLong);
    }

    #[test]
    fn many_values_are_refused() {
        let many = format!("[{}1]", "1,".repeat(MAX_VALUES));
        let issue = refused(&many);
        assert_eq!(issue.code, IssueCode::TooLong, "{issue:?}");
    }

    #[test]
    fn broken_json_is_refused_with_its_line() {
        assert!(refused("{\n  \"a\": }").diagnostics.contains("line 2"));
        let early = refused("{\"a\":1");
        assert!(early.diagnostics.contains("too early"), "{early:?}");
        assert!(refused("{} {}").diagnostics.contains("not well-formed"));
    }

    #[test]
    fn an_object_that_imitates_a_number_cannot_be_anything_else() {
        let imitation = format!(r#"{{"{NUMBER}":"12"}}"#);
        let document = SensitiveJson::parse(imitation.as_bytes());
        assert!(document.is_ok_and(|document| document.value().is_number()));
        let text = format!(r#"{{"{NUMBER}":"text"}}"#);
        assert!(!refused(&text).diagnostics.contains("text\""));
    }

    #[test]
    fn wiping_reaches_every_string() {
        let mut value = serde_json::json!({"a": ["secret", {"b": "secret"}]});
        wipe(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["", {"b": ""}]}));
    }
}
