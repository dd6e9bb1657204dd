//! The title and the detail of each resource type of resource.

use serde_json::Value;

use super::datatypes::{
    code, coding, concept, human_name, items, join_commas, join_semicolons, quantity, text, value,
};
use crate::ResourceType;

/// The title, if the resource has words for one, and the detail.
pub(super) fn per_type(resource_type: ResourceType, json: &Value) -> (Option<String>, String) {
    match resource_type {
        ResourceType::Patient => (human_name(json), code(json, "gender").unwrap_or_default()),
        ResourceType::Encounter => encounter(json),
        ResourceType::Observation => (field(json, "code"), observation(json)),
        ResourceType::Condition => (field(json, "code"), condition(json)),
        ResourceType::AllergyIntolerance => (field(json, "code"), allergy(json)),
        ResourceType::MedicationRequest => medication_request(json),
        ResourceType::Immunization => (field(json, "vaccineCode"), immunization(json)),
        ResourceType::Procedure => (field(json, "code"), procedure(json)),
        ResourceType::DiagnosticReport => (field(json, "code"), report(json)),
        ResourceType::CarePlan => care_plan(json),
        ResourceType::Practitioner => (human_name(json), practitioner(json)),
        ResourceType::Organization | ResourceType::Location => (
            text(json, "name"),
            join_semicolons([concepts(json, "type")]),
        ),
    }
}

/// A `CodeableConcept` element.
fn field(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(concept)
}

/// A list of `CodeableConcept`.
fn concepts(json: &Value, name: &str) -> Option<String> {
    join_commas(items(json, name).filter_map(concept))
}

fn encounter(json: &Value) -> (Option<String>, String) {
    let class = json.get("class").and_then(coding);
    let resource_type = items(json, "type").find_map(concept);
    let reasons = concepts(json, "reasonCode");
    let detail = join_semicolons([class.clone(), reasons, code(json, "status")]);
    (resource_type.or(class), detail)
}

fn observation(json: &Value) -> String {
    let found = |of: &Value| value(of).or_else(|| field(of, "dataAbsentReason"));
    let part = |part: &Value| Some(format!("{} {}", field(part, "code")?, found(part)?));
    let parts = join_commas(items(json, "component").filter_map(part));
    let status = unless(code(json, "status"), "final");
    join_semicolons([found(json), parts, concepts(json, "interpretation"), status])
}

fn condition(json: &Value) -> String {
    let verified = unless(field(json, "verificationStatus"), "confirmed");
    let (onset, abatement) = (text(json, "onsetString"), text(json, "abatementString"));
    join_semicolons([
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
    let manifestations = join_commas(manifestations.filter_map(concept));
    join_semicolons([manifestations, criticality, field(json, "clinicalStatus")])
}

fn medication_request(json: &Value) -> (Option<String>, String) {
    let referred = || {
        json.get("medicationReference")
            .and_then(|it| text(it, "display"))
    };
    let title = field(json, "medicationCodeableConcept").or_else(referred);
    let dosage = items(json, "dosageInstruction").find_map(dosage);
    (title, join_semicolons([dosage, code(json, "status")]))
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
        Some(join_semicolons(parts)).filter(|line| !line.is_empty())
    };
    text(dosage, "text").or_else(built)
}

fn immunization(json: &Value) -> String {
    let lot = text(json, "lotNumber").map(|lot| format!("lot {lot}"));
    join_semicolons([code(json, "status"), field(json, "statusReason"), lot])
}

fn procedure(json: &Value) -> String {
    join_semicolons([
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
    join_semicolons([text(json, "conclusion"), results, code(json, "status")])
}

fn care_plan(json: &Value) -> (Option<String>, String) {
    // US Core's first category says only that it is a plan: it has no words.
    let categories = items(json, "category").filter_map(|it| {
        let display = |it: &Value| it.get("display").and_then(|_| coding(it));
        text(it, "text").or_else(|| items(it, "coding").find_map(display))
    });
    let activities = items(json, "activity").filter_map(|it| field(it.get("detail")?, "code"));
    let detail = join_semicolons([join_commas(activities), code(json, "status")]);
    (
        text(json, "title").or_else(|| join_commas(categories)),
        detail,
    )
}

fn practitioner(json: &Value) -> String {
    join_semicolons([join_commas(
        items(json, "qualification").filter_map(|it| field(it, "code")),
    )])
}

fn unless(word: Option<String>, usual: &str) -> Option<String> {
    word.filter(|word| !word.eq_ignore_ascii_case(usual))
}
