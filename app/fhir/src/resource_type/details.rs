//! The detail, and some titles, of the one-line summaries of resources, by resource type.

use serde_json::Value;

use crate::datatypes::code;
use crate::datatypes::coding;
use crate::datatypes::concept;
use crate::datatypes::items;
use crate::datatypes::join_commas;
use crate::datatypes::join_semicolons;
use crate::datatypes::quantity;
use crate::datatypes::text;
use crate::datatypes::value;

pub(super) fn patient(json: &Value) -> String {
    code(json, "gender").unwrap_or_default()
}

/// The detail of types without specific elements: the `type`.
pub(super) fn of_type(json: &Value) -> String {
    join_semicolons([concepts(json, "type")])
}

/// The detail of most types: the `status`; a Goal has a `lifecycleStatus`.
pub(super) fn status(json: &Value) -> String {
    join_semicolons([code(json, "status").or_else(|| code(json, "lifecycleStatus"))])
}

/// A `CodeableConcept` element.
fn field(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(concept)
}

/// An array of `CodeableConcept`.
fn concepts(json: &Value, name: &str) -> Option<String> {
    join_commas(items(json, name).filter_map(concept))
}

pub(super) fn encounter(json: &Value) -> String {
    let class = json.get("class").and_then(coding);
    join_semicolons([class, concepts(json, "reasonCode"), code(json, "status")])
}

pub(super) fn observation(json: &Value) -> String {
    let found = |of: &Value| value(of).or_else(|| field(of, "dataAbsentReason"));
    let part = |part: &Value| Some(format!("{} {}", field(part, "code")?, found(part)?));
    let parts = join_commas(items(json, "component").filter_map(part));
    let status = unless(code(json, "status"), "final");
    join_semicolons([found(json), parts, concepts(json, "interpretation"), status])
}

pub(super) fn condition(json: &Value) -> String {
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

pub(super) fn allergy(json: &Value) -> String {
    let manifestations = items(json, "reaction").flat_map(|it| items(it, "manifestation"));
    let criticality = code(json, "criticality").map(|it| format!("criticality {it}"));
    let manifestations = join_commas(manifestations.filter_map(concept));
    join_semicolons([manifestations, criticality, field(json, "clinicalStatus")])
}

pub(super) fn medication_request(json: &Value) -> String {
    let dosage = items(json, "dosageInstruction").find_map(dosage);
    join_semicolons([dosage, code(json, "status")])
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

pub(super) fn immunization(json: &Value) -> String {
    let lot = text(json, "lotNumber").map(|lot| format!("lot {lot}"));
    join_semicolons([code(json, "status"), field(json, "statusReason"), lot])
}

pub(super) fn procedure(json: &Value) -> String {
    join_semicolons([
        field(json, "outcome"),
        concepts(json, "reasonCode"),
        code(json, "status"),
    ])
}

pub(super) fn report(json: &Value) -> String {
    let results = match items(json, "result").count() {
        0 => None,
        1 => Some("1 result".to_owned()),
        several => Some(format!("{several} results")),
    };
    join_semicolons([text(json, "conclusion"), results, code(json, "status")])
}

pub(super) fn care_plan_title(json: &Value) -> Option<String> {
    // US Core's first category has no display: it only marks the resource as a plan.
    let categories = items(json, "category").filter_map(|it| {
        let display = |it: &Value| it.get("display").and_then(|_| coding(it));
        text(it, "text").or_else(|| items(it, "coding").find_map(display))
    });
    text(json, "title").or_else(|| join_commas(categories))
}

pub(super) fn care_plan(json: &Value) -> String {
    let activities = items(json, "activity").filter_map(|it| field(it.get("detail")?, "code"));
    join_semicolons([join_commas(activities), code(json, "status")])
}

pub(super) fn practitioner(json: &Value) -> String {
    join_semicolons([join_commas(
        items(json, "qualification").filter_map(|it| field(it, "code")),
    )])
}

/// The text, unless it is the usual one, which a summary omits.
fn unless(text: Option<String>, usual: &str) -> Option<String> {
    text.filter(|text| !text.eq_ignore_ascii_case(usual))
}
