//! What is known of a patient, as values of searches.

use serde_json::Value;

use super::chart::is_a;
use super::chart::text;
use super::histories::Histories;

/// A patient whose resources are searched for.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) patient: String,
    pub(super) family: String,
    pub(super) birth_date: String,
    pub(super) identifier: String,
    pub(super) gender: String,
    pub(super) condition: String,
    pub(super) encounter_day: String,
    pub(super) order_status: String,
    pub(super) practitioner: String,
}

impl Facts {
    /// Those of the patient of a number.
    pub(super) fn of(histories: &Histories, number: u32) -> Self {
        let history = histories.history(number);
        let first = |kind: &str, pointer: &str| {
            let resource = history.iter().find(|it| is_a(it, kind));
            let found = resource.and_then(|it| text(it, pointer));
            found.unwrap_or_default().to_owned()
        };
        let token = |kind: &str, pointer: &str, value: &str| {
            let resource = history.iter().find(|it| is_a(it, kind));
            let pair = resource.and_then(|it| it.pointer(pointer));
            let field = |name: &str| pair.and_then(|it| it.get(name)).and_then(Value::as_str);
            let (system, value) = (field("system"), field(value));
            format!(
                "{}|{}",
                system.unwrap_or_default(),
                value.unwrap_or_default()
            )
        };
        let day: String = first("Encounter", "/period/start")
            .chars()
            .take(10)
            .collect();
        let practitioner = histories.shared("Practitioner");
        let practitioner = practitioner.and_then(|it| text(it, "/name/0/family"));
        Self {
            patient: first("Patient", "/id"),
            family: first("Patient", "/name/0/family"),
            birth_date: first("Patient", "/birthDate"),
            identifier: token("Patient", "/identifier/1", "value"),
            gender: first("Patient", "/gender"),
            condition: token("Condition", "/code/coding/0", "code"),
            encounter_day: day,
            order_status: first("MedicationRequest", "/status"),
            practitioner: practitioner.unwrap_or_default().to_owned(),
        }
    }

    /// Whether every kind of search finds something.
    pub(super) fn is_complete(&self) -> bool {
        !self.order_status.is_empty() && self.condition.len() > 1 && !self.encounter_day.is_empty()
    }
}
