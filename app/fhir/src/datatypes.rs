//! R4 data types as display text.

use serde_json::Value;

/// The items of an array element; none if it is absent.
pub(crate) fn items<'v>(object: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    object
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// A string element.
pub(crate) fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// A code with its hyphens replaced by spaces: `not-done` is "not done".
pub(crate) fn code(object: &Value, name: &str) -> Option<String> {
    text(object, name).map(|code| code.replace('-', " "))
}

/// A `CodeableConcept`: its text, or its first coding that has one.
pub(crate) fn concept(concept: &Value) -> Option<String> {
    text(concept, "text").or_else(|| items(concept, "coding").find_map(coding))
}

/// The display text of an element of any type: a string, a `CodeableConcept`, a `Coding`, a
/// `Reference` with a display, or the first item of an array that has one.
pub(crate) fn display_text(element: &Value) -> Option<String> {
    match element {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(display_text),
        Value::Object(_) => concept(element).or_else(|| coding(element)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A `Coding`: its display, or its code.
pub(crate) fn coding(coding: &Value) -> Option<String> {
    let display = text(coding, "display").as_deref().map(without_hierarchy);
    display.or_else(|| text(coding, "code"))
}

/// A SNOMED CT name without its semantic tag, `… (procedure)`: the headings of a chart repeat it.
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
    let number = rounded(quantity.get("value")?.to_string());
    let comparator = text(quantity, "comparator").unwrap_or_default();
    let unit = text(quantity, "unit").or_else(|| text(quantity, "code"));
    // UCUM's units of dimensionless numbers, which are not displayed.
    let unit = unit.filter(|unit| unit != "1" && unit != "{score}");
    Some(unit.map_or_else(
        || format!("{comparator}{number}"),
        |unit| format!("{comparator}{number} {unit}"),
    ))
}

/// A number as sent; with more than four decimals, which exceed the precision of instruments, rounded
/// to three. The stored resource keeps all digits.
fn rounded(number: String) -> String {
    let decimals = number
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let plain = !number.contains(['e', 'E']);
    match number.parse::<f64>() {
        Ok(value) if plain && decimals > 4 => format!("{value:.3}"),
        _ => number,
    }
}

/// The `value[x]` of an Observation or of one of its components.
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

/// The first name that is neither old nor a maiden name: `Dr. Jane Davis`.
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

/// Texts joined by commas; `None` without any.
pub(crate) fn join_commas(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The present parts joined by semicolons.
pub(crate) fn join_semicolons(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
