//! The values of one JSON element.

use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Quantity;
use super::SearchValue;
use super::SearchedText;
use super::System;
use super::Token;
use super::UnitDigest;
use crate::parse_id;
use crate::reference::restful;
use crate::search::decimal::Decimal;
use crate::search::digest::Digest;
use crate::search::parameters::ParameterKind;
use crate::search::parameters::TypeName;
use crate::search::time_span::TimeSpan;

/// Calls `found` with each value of an element.
pub(super) fn values(kind: ParameterKind, json: &Value, found: &mut dyn FnMut(SearchValue)) {
    match kind {
        ParameterKind::Token => tokens(json, found),
        ParameterKind::Contact => {
            if let Some(value) = text(json, "value") {
                let code = Some(Digest::of_contact(value));
                found(SearchValue::Token(Token {
                    system: System::Implied,
                    code,
                }));
            }
        }
        ParameterKind::Date => found_some(time(json).map(SearchValue::Time), found),
        ParameterKind::Reference => references(json, found),
        ParameterKind::Quantity => found_some(quantity(json).map(SearchValue::Quantity), found),
        ParameterKind::Number => found_some(decimal(json).map(SearchValue::Number), found),
        ParameterKind::String => {
            let value = json.as_str().map(SearchedText::new);
            found_some(value.map(SearchValue::Text), found);
        }
        ParameterKind::Uri => {
            let value = json.as_str().map(|text| Zeroizing::new(text.to_owned()));
            found_some(value.map(SearchValue::Uri), found);
        }
    }
}

fn found_some(value: Option<SearchValue>, found: &mut dyn FnMut(SearchValue)) {
    if let Some(value) = value {
        found(value);
    }
}

fn text<'v>(json: &'v Value, name: &str) -> Option<&'v str> {
    json.get(name).and_then(Value::as_str)
}

/// The tokens of a code, boolean, Coding, `CodeableConcept` or Identifier.
fn tokens(json: &Value, found: &mut dyn FnMut(SearchValue)) {
    let implied = |code: &str| Token {
        system: System::Implied,
        code: Some(Digest::of_code(code)),
    };
    match json {
        Value::String(code) => found(SearchValue::Token(implied(code))),
        Value::Bool(value) => {
            found(SearchValue::Token(implied(if *value {
                "true"
            } else {
                "false"
            })));
        }
        Value::Object(_) => {
            if let Some(codings) = json.get("coding").and_then(Value::as_array) {
                for coding in codings {
                    found_some(token(coding, "code").map(SearchValue::Token), found);
                }
                return;
            }
            let of_coding = token(json, "code").filter(|it| it.code.is_some());
            let value = of_coding.or_else(|| token(json, "value"));
            found_some(value.map(SearchValue::Token), found);
        }
        Value::Null | Value::Number(_) | Value::Array(_) => {}
    }
}

/// The token of an object with a system and a code or value; `None` if it has neither.
fn token(json: &Value, code: &str) -> Option<Token> {
    let system = text(json, "system");
    let code = text(json, code).map(Digest::of_code);
    if system.is_none() && code.is_none() {
        return None;
    }
    let system = system.map_or(System::None, |system| System::Is(Digest::of(system)));
    Some(Token { system, code })
}

/// The references of a Reference or a canonical.
fn references(json: &Value, found: &mut dyn FnMut(SearchValue)) {
    let reference = json.as_str().or_else(|| text(json, "reference"));
    if let Some(reference) = reference.filter(|text| !text.starts_with('#')) {
        found(reference_value(reference));
    }
    let identifier = json.get("identifier").and_then(|it| token(it, "value"));
    found_some(identifier.map(SearchValue::ReferenceIdentifier), found);
}

/// The value of a reference or canonical URL as written.
fn reference_value(text: &str) -> SearchValue {
    if let Some((name, id)) = local(text) {
        return SearchValue::Local(name, id);
    }
    let plain = text.split('|').next().unwrap_or(text);
    SearchValue::Other {
        full: Digest::of(text),
        plain: Digest::of(plain),
    }
}

/// The type and id of a relative reference with a UUID.
pub(in crate::search) fn local(text: &str) -> Option<(TypeName, Uuid)> {
    let url = text.split('#').next()?;
    let parts = restful(url).filter(|parts| parts.base.is_none())?;
    let id = parse_id(parts.id).ok()?;
    Some((TypeName::named(parts.resource_type)?, id))
}

/// The span of a date, a Period, or the outer limits of a Timing.
fn time(json: &Value) -> Option<TimeSpan> {
    if let Some(text) = json.as_str() {
        return TimeSpan::parse(text);
    }
    let events = json.get("event").and_then(Value::as_array);
    let events = events.into_iter().flatten();
    let events = events.filter_map(|event| TimeSpan::parse(event.as_str()?));
    let bounds = json.get("repeat").and_then(|it| it.get("boundsPeriod"));
    let all = events.chain(bounds.and_then(period)).chain(period(json));
    all.reduce(|one, other| TimeSpan {
        first: one.first.min(other.first),
        last: one.last.max(other.last),
    })
}

fn period(json: &Value) -> Option<TimeSpan> {
    let end = |name| text(json, name).map(TimeSpan::parse);
    let (start, end) = (end("start"), end("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    Some(TimeSpan {
        first: start.map_or(Some(i64::MIN), |it| it.map(|it| it.first))?,
        last: end.map_or(Some(i64::MAX), |it| it.map(|it| it.last))?,
    })
}

fn decimal(json: &Value) -> Option<Decimal> {
    match json {
        Value::Number(number) => Decimal::parse(number.as_str()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// The quantity of a Quantity, a Money or a Range.
fn quantity(json: &Value) -> Option<Quantity> {
    let value = |json: &Value| json.get("value").and_then(decimal);
    let (low, high) = (json.get("low"), json.get("high"));
    let (least, most) = if low.is_some() || high.is_some() {
        (low.and_then(value), high.and_then(value))
    } else {
        let exact = value(json);
        match text(json, "comparator") {
            Some("<" | "<=") => (None, exact),
            Some(">" | ">=") => (exact, None),
            Some(_) | None => (exact, exact),
        }
    };
    if least.is_none() && most.is_none() {
        return None;
    }
    let unit = low.or(high).unwrap_or(json);
    let of = |name| text(unit, name).map(UnitDigest::of);
    let currency = of("currency");
    let system = text(unit, "system").or(currency.map(|_| "urn:iso:std:iso:4217"));
    Some(Quantity {
        low: least,
        high: most,
        system: system.map(Digest::of),
        code: of("code").or(currency),
        unit: of("unit"),
    })
}
