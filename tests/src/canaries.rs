//! The values of patients that must not be readable in any file.
//!
//! A value is scanned for when an occurrence proves a leak. Sealed bytes are random: some hundred
//! megabytes of them contain five given bytes by chance once in a few thousand runs, and four given
//! bytes almost certainly. A server's own files are full of words. Hence:
//!
//! - names from six letters; shorter ones only together with the other part of the name, as in
//!   `display` and as a JSON member (`"family":"Rice"`);
//! - record numbers (seven digits): in a log they count only without a letter or digit beside them,
//!   since request ids are full of digits;
//! - birth dates as `YYYY-MM-DD` and `YYYYMMDD`: no log line and no file of a server that was
//!   installed today contains a date of a patient's birth by itself. The three bytes of a binary
//!   `DATE` occur by chance and are not scanned for;
//! - clinical text (diagnoses, orders, results, in `display`, `text` and `valueString`) from twelve
//!   characters.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values to scan for, each with its kind.
#[derive(Clone, Debug, Default)]
pub struct Canaries(BTreeMap<String, &'static str>);

const MIN_NAME: usize = 6;
const MIN_CLINICAL_TEXT: usize = 12;

impl Canaries {
    /// Values without a kind of their own, for tests of the scan itself.
    #[must_use]
    pub fn of_values(values: &[&str]) -> Self {
        let mut canaries = Self::default();
        for value in values {
            canaries.add("a planted value", value);
        }
        canaries
    }

    /// Adds all identifying and clinical values of a resource.
    pub fn add_resource(&mut self, resource: &Value) {
        if resource["resourceType"] == "Patient" {
            self.add_patient(resource);
        }
        self.add_clinical_text(resource);
    }

    /// The values with their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|(value, kind)| (value.as_str(), *kind))
    }

    /// The number of values of a kind.
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
            if part.len() >= MIN_NAME {
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

    /// Adds the clinical text at any depth.
    fn add_clinical_text(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.add_clinical_text(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    let is_clinical = matches!(name.as_str(), "display" | "text" | "valueString");
                    match member.as_str() {
                        Some(text) if is_clinical && text.chars().count() >= MIN_CLINICAL_TEXT => {
                            self.add("clinical text", text);
                        }
                        _ => self.add_clinical_text(member),
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
