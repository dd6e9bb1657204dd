//! An operation: the parameters and bodies that one method of a route accepts.

use http::HeaderMap;
use http::Method;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::RequestClass;
use super::schema::Schema;
use crate::header_grammar;
use crate::problem::Problem;
use crate::problem::Reason;

/// A method of a route, with the requests that it accepts.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(super) method: Method,
    /// Whether the operation needs no credentials.
    pub(crate) open: bool,
    pub(crate) class: RequestClass,
    pub(super) parameters: Vec<Parameter>,
    /// The media types of a body; empty where no body is described.
    pub(super) media_types: Vec<Box<str>>,
    /// The text of a 415, which lists them.
    pub(super) advice: &'static str,
}

/// A query parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: Box<str>,
    pub(super) schema: Schema,
    /// Whether the parameter may be repeated: its schema is an array.
    pub(super) repeatable: bool,
}

/// The match of a query parameter against the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterMatch {
    /// The parameter is described; its index in the description.
    Matches(usize),
    /// The parameter is described, and may be repeated.
    Repeatable,
    /// No parameter of this name is described.
    Unknown,
    /// The value does not match the parameter's schema.
    Invalid,
}

impl Operation {
    /// Compares a query parameter, percent-decoded, with the description.
    pub(crate) fn match_parameter(&self, name: &str, value: &str) -> ParameterMatch {
        let mut known = self.parameters.iter().enumerate();
        match known.find(|(_, parameter)| *parameter.name == *name) {
            None => ParameterMatch::Unknown,
            Some((_, parameter)) if !parameter.schema.accepts(value) => ParameterMatch::Invalid,
            Some((_, parameter)) if parameter.repeatable => ParameterMatch::Repeatable,
            Some((index, _)) => ParameterMatch::Matches(index),
        }
    }

    /// Whether a body is described.
    pub(crate) fn has_body(&self) -> bool {
        !self.media_types.is_empty()
    }

    /// Checks that the content type of a body is described.
    ///
    /// # Errors
    /// 415, with the described types.
    pub(crate) fn media_type(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let accepted = match (values.next(), values.next()) {
            (Some(value), None) => self.accepts(value.as_bytes()),
            _ => false,
        };
        if accepted {
            return Ok(());
        }
        Err(
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, self.advice)
                .with_reason(Reason::MediaType),
        )
    }

    fn accepts(&self, content_type: &[u8]) -> bool {
        let mut parts = header_grammar::split(content_type, b';');
        let essence = parts.next().unwrap_or_default();
        let mut known = self.media_types.iter();
        known.any(|known| known.as_bytes().eq_ignore_ascii_case(essence))
            && parts.all(|part| part.is_empty() || is_harmless(part))
    }
}

/// Whether a media type's parameter has no effect: the app always reads UTF-8, and FHIR clients add
/// R4's version.
fn is_harmless(part: &[u8]) -> bool {
    let Some(parameter) = header_grammar::parameter(part) else {
        return false;
    };
    let (name, value) = (parameter.name, &*parameter.value);
    (name.eq_ignore_ascii_case(b"charset") && value.eq_ignore_ascii_case(b"utf-8"))
        || (name.eq_ignore_ascii_case(b"fhirVersion") && matches!(value, b"4.0" | b"4.0.1"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_body_must_have_a_described_content_type() {
        let operation = Operation {
            open: false,
            class: RequestClass::Ordinary,
            method: Method::POST,
            parameters: Vec::new(),
            media_types: vec!["application/fhir+json".into(), "application/json".into()],
            advice: "",
        };
        let accepted = |values: &[&'static str]| {
            let values = values
                .iter()
                .map(|value| (CONTENT_TYPE, HeaderValue::from_static(value)));
            let mut headers = HeaderMap::new();
            for (name, value) in values {
                headers.append(name, value);
            }
            operation.media_type(&headers).is_ok()
        };
        for good in [
            "application/fhir+json",
            "Application/FHIR+JSON; charset=UTF-8",
            "application/fhir+json;charset=\"utf-8\"",
            "application/fhir+json; charset=utf-8; fhirVersion=4.0",
            "application/json;",
            "application/json ; CHARSET = \"UTF-8\" ;; fhirversion=\"4.0\"",
            "application/json; charset=\"ut\\f-8\"",
        ] {
            assert!(accepted(&[good]), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json, text/html",
            "application/json; charset=utf-7",
            "application/json; charset=ibm037",
            "application/json; boundary=x",
            "application/json; charset=\"utf-8",
            "application/json; charset=\"utf-8\"x",
            "application/json; x=\"; charset=utf-8\"",
            "application/json charset=utf-8",
            "multipart/form-data",
            "application/jsonp",
        ] {
            assert!(!accepted(&[bad]), "{bad}");
        }
        assert!(!accepted(&[]));
        assert!(!accepted(&["application/json", "application/json"]));
    }
}
