//! What is looked for: every value of a patient that a thief of the files must not find.
//!
//! A value is looked for when finding it means something. Bytes that are sealed are random, and some
//! hundred megabytes of them hold any given five bytes by accident once in a few thousand runs, and any
//! given four almost surely; and a server's own files are full of words. Hence:
//!
//! - names from six letters; shorter ones only together with the other part of the name, as they stand
//!   in `display` and as a JSON member (`"family":"Rice"`);
//! - record numbers (seven digits) stand alone: in a log they count only where no letter or digit
//!   touches them, since request ids are full of digits;
//! - birth dates as `YYYY-MM-DD` and `YYYYMMDD`: no log line and no file of a server that was made today
//!   has a reason to hold one of the last century, or of these very days; the three bytes of a binary
//!   `DATE` cannot be told from chance and are not looked for;
//! - words of the record (diagnoses, orders, results, in `display`, `text` and `valueString`) from twelve
//!   characters.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values to look for, each with what it is.
#[derive(Clone, Debug, Default)]
pub struct Needles(BTreeMap<String, &'static str>);

const SHORTEST_NAME: usize = 6;
const SHORTEST_WORDS: usize = 12;

impl Needles {
    /// Values of any kind, for showing that the search finds them.
    #[must_use]
    pub fn of_values(values: &[&str]) -> Self {
        let mut needles = Self::default();
        for value in values {
            needles.add("a planted value", value);
        }
        needles
    }

    /// Adds everything that a resource tells.
    pub fn add_resource(&mut self, resource: &Value) {
        if resource["resourceType"] == "Patient" {
            self.add_patient(resource);
        }
        self.add_words(resource);
    }

    /// The values with what they are.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|(value, kind)| (value.as_str(), *kind))
    }

    /// How many values of a kind there are.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.0.values().filter(|known| **known == kind).count()
    }

    fn add(&mut self, kind: &'static str, value: &str) {
        if !value.is_empty() {
            self.0.entry(value.to_owned()).or_insert(kind);
        }
    }

    fn add_patient(&mut self, patient: &Value) {
        for name in array(&patient["name"]) {
            self.add_name(name);
        }
        for identifier in array(&patient["identifier"]) {
            let value = text(&identifier["value"]);
            match text(&identifier["type"]["coding"][0]["code"]) {
                "MR" => self.add("record number", value),
                "SS" => {
                    self.add("SSN", value);
                    self.add("SSN", &digits(value));
                }
                _ => self.add("identifier", value),
            }
        }
        for telecom in array(&patient["telecom"]) {
            let value = text(&telecom["value"]);
            self.add("phone or e-mail", value);
            if telecom["system"] == "phone" {
                self.add("phone or e-mail", &digits(value));
            }
        }
        for line in array(&patient["address"]).flat_map(|address| array(&address["line"])) {
            self.add("address line", text(line));
        }
        let birth_date = text(&patient["birthDate"]);
        self.add("birth date", birth_date);
        self.add("birth date", &digits(birth_date));
    }

    fn add_name(&mut self, name: &Value) {
        let family = text(&name["family"]);
        let given: Vec<&str> = array(&name["given"]).map(text).collect();
        for part in given.iter().copied().chain([family]) {
            if part.len() >= SHORTEST_NAME {
                self.add("name", part);
            }
        }
        if let [first, ..] = given.as_slice() {
            let all = given.join(" ");
            self.add("name", &format!("{all} {family}"));
            self.add("name", &format!("{family}, {first}"));
            self.add("name", &format!("\"given\":[\"{first}\""));
        }
        self.add("name", &format!("\"family\":\"{family}\""));
    }

    /// Words of the record, wherever they stand.
    fn add_words(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.add_words(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    let words = matches!(name.as_str(), "display" | "text" | "valueString");
                    match member.as_str() {
                        Some(said) if words && said.chars().count() >= SHORTEST_WORDS => {
                            self.add("words of the record", said);
                        }
                        _ => self.add_words(member),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn digits(value: &str) -> String {
    value.chars().filter(char::is_ascii_digit).collect()
}
