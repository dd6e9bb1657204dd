//! R4's data types in words.

use serde_json::Value;

/// The items of a list.
pub(crate) fn items<'v>(object: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    object
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// A text.
pub(crate) fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// A code as words: `not-done` is "not done".
pub(crate) fn code(object: &Value, name: &str) -> Option<String> {
    text(object, name).map(|code| code.replace('-', " "))
}

/// A `CodeableConcept`: what it says itself, or what its first coding says.
pub(crate) fn concept(concept: &Value) -> Option<String> {
    text(concept, "text").or_else(|| items(concept, "coding").find_map(coding))
}

/// An element in words, whatever its type is: a text, a `CodeableConcept`, a `Coding`, a reference
/// with a display, or the first of a list that has words.
pub(crate) fn words(element: &Value) -> Option<String> {
    match element {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(words),
        Value::Object(_) => concept(element).or_else(|| coding(element)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A `Coding`: its words, or its code.
pub(crate) fn coding(coding: &Value) -> Option<String> {
    let words = text(coding, "display").as_deref().map(without_hierarchy);
    words.or_else(|| text(coding, "code"))
}

/// SNOMED CT ends its names in what they are, `… (procedure)`; the timeline's headings say that.
fn without_hierarchy(display: &str) -> String {
    const HIERARCHIES: [&str; 8] = [
        " (disorder)",
        " (finding)",
        " (procedure)",
        " (qualifier value)",
        " (regime/therapy)",
        " (situation)",
        " (substance)",
        " (environment)",
    ];
    let end = HIERARCHIES.iter().find_map(|tag| display.strip_suffix(tag));
    end.unwrap_or(display).to_owned()
}

/// A `Quantity`, with its unit.
pub(crate) fn quantity(quantity: &Value) -> Option<String> {
    let number = readable(quantity.get("value")?.to_string());
    let comparator = text(quantity, "comparator").unwrap_or_default();
    let unit = text(quantity, "unit").or_else(|| text(quantity, "code"));
    let unit = unit.filter(|unit| unit != "1" && unit != "{score}");
    Some(unit.map_or_else(
        || format!("{comparator}{number}"),
        |unit| format!("{comparator}{number} {unit}"),
    ))
}

/// A number as it was sent, or, where it claims more decimals than any instrument has, rounded to
/// three. The resource itself keeps them all.
fn readable(number: String) -> String {
    let decimals = number
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let plain = !number.contains(['e', 'E']);
    match number.parse::<f64>() {
        Ok(value) if plain && decimals > 4 => format!("{value:.3}"),
        _ => number,
    }
}

/// The `value[x]` of an observation or of a component of one.
pub(crate) fn value(of: &Value) -> Option<String> {
    let field = |name: &str| of.get(name);
    let span = |low: Option<String>, high: Option<String>| match (low, high) {
        (Some(low), Some(high)) => Some(format!("{low} – {high}")),
        (Some(low), None) => Some(format!("from {low}")),
        (None, Some(high)) => Some(format!("up to {high}")),
        (None, None) => None,
    };
    let number = |of: &Value, name: &str| of.get(name).and_then(quantity);
    field("valueQuantity")
        .and_then(quantity)
        .or_else(|| field("valueCodeableConcept").and_then(concept))
        .or_else(|| text(of, "valueString"))
        .or_else(|| {
            field("valueBoolean")?
                .as_bool()
                .map(|yes| if yes { "yes" } else { "no" }.into())
        })
        .or_else(|| field("valueInteger").map(Value::to_string))
        .or_else(|| field("valueRange").and_then(|it| span(number(it, "low"), number(it, "high"))))
        .or_else(|| {
            field("valueRatio").and_then(|it| {
                Some(format!(
                    "{} / {}",
                    number(it, "numerator")?,
                    number(it, "denominator")?
                ))
            })
        })
        .or_else(|| text(of, "valueTime"))
        .or_else(|| text(of, "valueDateTime"))
        .or_else(|| field("valuePeriod").and_then(|it| span(text(it, "start"), text(it, "end"))))
        .or_else(|| field("valueSampledData").map(|_| "recorded curve".to_owned()))
}

/// The first name that is not old: `Dr. Jane Davis`.
pub(crate) fn human_name(of: &Value) -> Option<String> {
    let old = |name: &Value| matches!(text(name, "use").as_deref(), Some("old" | "maiden"));
    let name = items(of, "name")
        .find(|name| !old(name))
        .or_else(|| items(of, "name").next())?;
    let several =
        |part: &'static str| items(name, part).filter_map(|it| it.as_str().map(str::to_owned));
    let parts: Vec<String> = several("prefix")
        .chain(several("given"))
        .chain(text(name, "family"))
        .collect();
    if parts.is_empty() {
        text(name, "text")
    } else {
        Some(parts.join(" "))
    }
}

/// Several of the same, with commas.
pub(crate) fn join_commas(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The parts that are there, with semicolons.
pub(crate) fn join_semicolons(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
