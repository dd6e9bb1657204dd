//! The title and the detail of each kind of resource.

use serde_json::Value;

use super::words::{
    all, code, coding, concept, human_name, items, quantity, sentence, text, value,
};
use crate::fhir::Kind;

/// The title, if the resource has words for one, and the detail.
pub(super) fn lines(kind: Kind, json: &Value) -> (Option<String>, String) {
    match kind {
        Kind::Patient => (human_name(json), code(json, "gender").unwrap_or_default()),
        Kind::Encounter => encounter(json),
        Kind::Observation => (field(json, "code"), observation(json)),
        Kind::Condition => (field(json, "code"), condition(json)),
        Kind::AllergyIntolerance => (field(json, "code"), allergy(json)),
        Kind::MedicationRequest => medication_request(json),
        Kind::Immunization => (field(json, "vaccineCode"), immunization(json)),
        Kind::Procedure => (field(json, "code"), procedure(json)),
        Kind::DiagnosticReport => (field(json, "code"), report(json)),
        Kind::CarePlan => care_plan(json),
        Kind::Practitioner => (human_name(json), practitioner(json)),
        Kind::Organization | Kind::Location => {
            (text(json, "name"), sentence([concepts(json, "type")]))
        }
    }
}

/// A `CodeableConcept` element.
fn field(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(concept)
}

/// A list of `CodeableConcept`.
fn concepts(json: &Value, name: &str) -> Option<String> {
    all(items(json, name).filter_map(concept))
}

fn encounter(json: &Value) -> (Option<String>, String) {
    let class = json.get("class").and_then(coding);
    let kind = items(json, "type").find_map(concept);
    let reasons = concepts(json, "reasonCode");
    let detail = sentence([class.clone(), reasons, code(json, "status")]);
    (kind.or(class), detail)
}

fn observation(json: &Value) -> String {
    let found = |of: &Value| value(of).or_else(|| field(of, "dataAbsentReason"));
    let part = |part: &Value| Some(format!("{} {}", field(part, "code")?, found(part)?));
    let parts = all(items(json, "component").filter_map(part));
    let status = unless(code(json, "status"), "final");
    sentence([found(json), parts, concepts(json, "interpretation"), status])
}

fn condition(json: &Value) -> String {
    let verified = unless(field(json, "verificationStatus"), "confirmed");
    let (onset, abatement) = (text(json, "onsetString"), text(json, "abatementString"));
    sentence([
        field(json, "clinicalStatus"),
        verified,
        field(json, "severity"),
        onset,
        abatement,
    ])
}

fn allergy(json: &Value) -> String {
    let manifestations = items(json, "reaction").flat_map(|it| items(it, "manifestation"));
    let criticality = code(json, "criticality").map(|it| format!("criticality {it}"));
    let manifestations = all(manifestations.filter_map(concept));
    sentence([manifestations, criticality, field(json, "clinicalStatus")])
}

fn medication_request(json: &Value) -> (Option<String>, String) {
    let referred = || {
        json.get("medicationReference")
            .and_then(|it| text(it, "display"))
    };
    let title = field(json, "medicationCodeableConcept").or_else(referred);
    let dosage = items(json, "dosageInstruction").find_map(dosage);
    (title, sentence([dosage, code(json, "status")]))
}

/// `Take with food`, or `dose 1; 3 × per 1 d`.
fn dosage(dosage: &Value) -> Option<String> {
    let timed = || {
        let repeat = dosage.get("timing")?.get("repeat")?;
        let (frequency, period) = (repeat.get("frequency")?, repeat.get("period")?);
        Some(format!(
            "{frequency} × per {period} {}",
            text(repeat, "periodUnit")?
        ))
    };
    let dose = || {
        let dose = items(dosage, "doseAndRate").find_map(|it| it.get("doseQuantity"));
        dose.and_then(quantity).map(|dose| format!("dose {dose}"))
    };
    let built = || {
        let as_needed = dosage.get("asNeededBoolean") == Some(&Value::Bool(true));
        let parts = [dose(), timed(), as_needed.then(|| "as needed".to_owned())];
        Some(sentence(parts)).filter(|line| !line.is_empty())
    };
    text(dosage, "text").or_else(built)
}

fn immunization(json: &Value) -> String {
    let lot = text(json, "lotNumber").map(|lot| format!("lot {lot}"));
    sentence([code(json, "status"), field(json, "statusReason"), lot])
}

fn procedure(json: &Value) -> String {
    sentence([
        field(json, "outcome"),
        concepts(json, "reasonCode"),
        code(json, "status"),
    ])
}

fn report(json: &Value) -> String {
    let results = match items(json, "result").count() {
        0 => None,
        1 => Some("1 result".to_owned()),
        several => Some(format!("{several} results")),
    };
    sentence([text(json, "conclusion"), results, code(json, "status")])
}

fn care_plan(json: &Value) -> (Option<String>, String) {
    // US Core's first category says only that it is a plan: it has no words.
    let categories = items(json, "category").filter_map(|it| {
        let display = |it: &Value| it.get("display").and_then(|_| coding(it));
        text(it, "text").or_else(|| items(it, "coding").find_map(display))
    });
    let activities = items(json, "activity").filter_map(|it| field(it.get("detail")?, "code"));
    let detail = sentence([all(activities), code(json, "status")]);
    (text(json, "title").or_else(|| all(categories)), detail)
}

fn practitioner(json: &Value) -> String {
    sentence([all(
        items(json, "qualification").filter_map(|it| field(it, "code"))
    )])
}

fn unless(word: Option<String>, usual: &str) -> Option<String> {
    word.filter(|word| !word.eq_ignore_ascii_case(usual))
}
