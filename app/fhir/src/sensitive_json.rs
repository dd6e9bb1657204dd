//! JSON documents with PHI: strict parsing, and memory that is zeroized.

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
mod exponents;

pub use cost::parsed_bytes;

/// A parsed JSON document whose strings are zeroized on drop.
///
/// Numbers keep their digits as sent, and objects keep the order of their members. Not zeroized: the
/// digits of numbers and the names of members, to which `serde_json` gives no access, and the values
/// that a failed parse has read.
pub struct SensitiveJson(Value);

impl SensitiveJson {
    /// Parses a document: one JSON value within the limits, without duplicate members.
    ///
    /// # Errors
    ///
    /// The first issue, with its path or, for malformed JSON, its line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, Issue> {
        let root = ElementPath::Root("");
        let state = RefCell::new(State {
            issue: None,
            values: 0,
        });
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let seed = ValueSeed {
            path: &root,
            depth: 0,
            state: &state,
        };
        let parsed = seed.deserialize(&mut deserializer).map(Self);
        // Text after the value is refused.
        let parsed = parsed.and_then(|document| deserializer.end().map(|()| document));
        let mut document = parsed.map_err(|error| {
            let issue = state.into_inner().issue;
            issue.unwrap_or_else(|| syntax_issue(&error))
        })?;
        exponents::restore(bytes, &mut document.0);
        Ok(document)
    }

    /// Parses what [`Self::to_bytes`] has written: without limits.
    ///
    /// # Errors
    ///
    /// The text is not JSON.
    pub(crate) fn parse_stored(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut document = Self(serde_json::from_slice(bytes)?);
        exponents::restore(bytes, &mut document.0);
        Ok(document)
    }

    /// A document from a value of this program, which is not checked.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The document's value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The document's value, mutable.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// The value itself. The caller must zeroize it.
    #[must_use]
    pub fn into_value(mut self) -> Value {
        self.0.take()
    }

    /// The document as JSON, in a buffer that is allocated once and zeroized on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // A first pass counts the bytes: a buffer that grew would leave copies that are not zeroized.
        let mut length = ByteCounter(0);
        // Serializing a `Value` into memory cannot fail: its keys are strings.
        let _counted = serde_json::to_writer(&mut length, &self.0);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        let _written = serde_json::to_writer(&mut *bytes, &self.0);
        bytes
    }
}

impl Drop for SensitiveJson {
    fn drop(&mut self) {
        zeroize_strings(&mut self.0);
    }
}

impl fmt::Debug for SensitiveJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SensitiveJson([redacted])")
    }
}

/// Zeroizes all strings of a value.
pub(crate) fn zeroize_strings(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(zeroize_strings),
        Value::Object(members) => members.values_mut().for_each(zeroize_strings),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A writer that counts bytes.
struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The issue for malformed JSON.
fn syntax_issue(error: &serde_json::Error) -> Issue {
    let (line, column) = (error.line(), error.column());
    let diagnostics = match error.classify() {
        Category::Eof => format!("the JSON ends too early, at line {line} column {column}"),
        Category::Syntax | Category::Data | Category::Io => {
            format!("this is not well-formed JSON, at line {line} column {column}")
        }
    };
    Issue::new(IssueCode::Structure, diagnostics)
}

/// The state of a parse.
struct State {
    /// The issue that ended it.
    issue: Option<Issue>,
    /// The values read so far.
    values: usize,
}

/// The deserializer of the value at one path.
#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    path: &'a ElementPath<'a>,
    depth: usize,
    state: &'a RefCell<State>,
}

/// The member name by which `serde_json` passes a number with its digits. Private to that crate; the test
/// of round trips fails if it changes.
const NUMBER: &str = "$serde_json::private::Number";

impl ValueSeed<'_> {
    /// Records the issue, which the parse returns instead of serde's error.
    fn refuse<E: serde::de::Error>(&self, path: &ElementPath<'_>, code: IssueCode, why: &str) -> E {
        self.state.borrow_mut().issue = Some(Issue::new(code, why.to_owned()).at(path));
        E::custom("refused")
    }

    /// The depth inside this object or array.
    fn enter<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth >= MAX_DEPTH {
            let why = "objects and arrays are nested too deeply (at most 64 levels)";
            return Err(self.refuse(self.path, IssueCode::TooLong, why));
        }
        Ok(self.depth.saturating_add(1))
    }

    /// Counts this value.
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = {
            let mut state = self.state.borrow_mut();
            state.values = state.values.saturating_add(1);
            state.values
        };
        if values > MAX_VALUES {
            let why = "the body has too many values (at most 1,000,000): send fewer at a time";
            return Err(self.refuse(self.path, IssueCode::TooLong, why));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
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
            let path = ElementPath::Item(self.path, array.len());
            let seed = ValueSeed {
                path: &path,
                depth,
                state: self.state,
            };
            match items.next_element_seed(seed)? {
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
                // A number, or an object of a client that imitates one: its text must be a number.
                let digits: Zeroizing<String> = Zeroizing::new(members.next_value()?);
                let number: Number = digits.parse().map_err(A::Error::custom)?;
                return Ok(Value::Number(number));
            }
            // The nesting is counted at the first member only, because numbers are passed as maps too.
            let inner = match depth {
                Some(inner) => inner,
                None => *depth.insert(self.enter()?),
            };
            let path = ElementPath::Field(self.path, &name);
            if object.contains_key(&name) {
                let why = "this element occurs twice";
                return Err(self.refuse(&path, IssueCode::Structure, why));
            }
            let seed = ValueSeed {
                path: &path,
                depth: inner,
                state: self.state,
            };
            let value = members.next_value_seed(seed)?;
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
    fn a_document_is_serialized_as_it_was_parsed() {
        let json = r#"{"z":1.50,"a":[1,-7,1e+2,-0.0,12345678901234567890.10],"m":{"t":"ü\n","n":null,"b":true}}"#;
        let document = SensitiveJson::parse(json.as_bytes()).expect("valid");
        assert_eq!(
            std::str::from_utf8(&document.to_bytes()).expect("text"),
            json
        );
    }

    #[test]
    fn a_duplicate_member_is_refused_with_its_path() {
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
    fn malformed_json_is_refused_with_its_line() {
        assert!(refused("{\n  \"a\": }").diagnostics.contains("line 2"));
        let early = refused("{\"a\":1");
        assert!(early.diagnostics.contains("too early"), "{early:?}");
        assert!(refused("{} {}").diagnostics.contains("not well-formed"));
    }

    #[test]
    fn an_object_that_imitates_a_number_must_be_a_number() {
        let imitation = format!(r#"{{"{NUMBER}":"12"}}"#);
        let document = SensitiveJson::parse(imitation.as_bytes());
        assert!(document.is_ok_and(|document| document.value().is_number()));
        let text = format!(r#"{{"{NUMBER}":"text"}}"#);
        assert!(!refused(&text).diagnostics.contains("text\""));
    }

    #[test]
    fn all_strings_are_zeroized() {
        let mut value = serde_json::json!({"a": ["secret", {"b": "secret"}]});
        zeroize_strings(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["", {"b": ""}]}));
    }
}
