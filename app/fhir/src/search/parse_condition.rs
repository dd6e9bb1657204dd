//! Parsing of one condition: R4's modifiers and the forms of values (3.1.1.4.5 to 3.1.1.4.13).

use zeroize::Zeroizing;

use super::condition::Alternative;
use super::condition::Condition;
use super::condition::Test;
use super::condition::TextQuery;
use super::condition::TokenQuery;
use super::condition::Unit;
use super::condition::UriQuery;
use super::condition::folded;
use super::decimal::SearchedNumber;
use super::digest::Digest;
use super::grammar;
use super::grammar::split;
use super::grammar::unescape;
use super::parameters::ParameterKind;
use super::parameters::SearchParameter;
use super::parameters::TypeName;
use super::prefix::Prefix;
use super::time_span::TimeSpan;
use super::values::System;
use super::values::UnitDigest;
use super::values::local;
use crate::Issue;
use crate::IssueCode;
use crate::parse_id;

/// A supported modifier.
#[derive(Clone, Copy)]
enum Modifier {
    None,
    Missing,
    Not,
    Exact,
    Contains,
    Below,
    Above,
    Identifier,
    Type(TypeName),
}

/// Parses a condition. `base` is the base URL of this server's API, without a slash at its end.
pub(super) fn condition(
    parameter: &'static SearchParameter,
    modifier: Option<&str>,
    value: &str,
    base: &str,
) -> Result<Condition, Issue> {
    let modifier = self::modifier(parameter, modifier)?;
    if let Modifier::Missing = modifier {
        let missing = match value {
            "true" => true,
            "false" => false,
            _ => return Err(refused(parameter, ":missing must be true or false")),
        };
        return Ok(Condition {
            parameter,
            test: Test::Missing(missing),
        });
    }
    let malformed = || refused(parameter, form(parameter.kind(), modifier));
    let parts = grammar::alternatives(value).map_err(|_malformed| malformed())?;
    let alternatives = parts
        .into_iter()
        .map(|part| alternative(parameter.kind(), modifier, part, base));
    let alternatives: Option<Vec<_>> = alternatives.collect();
    let alternatives = alternatives.ok_or_else(malformed)?;
    let test = match modifier {
        Modifier::Not => Test::NoneOf(alternatives),
        Modifier::None
        | Modifier::Missing
        | Modifier::Exact
        | Modifier::Contains
        | Modifier::Below
        | Modifier::Above
        | Modifier::Identifier
        | Modifier::Type(_) => Test::AnyOf(alternatives),
    };
    Ok(Condition { parameter, test })
}

fn refused(parameter: &SearchParameter, why: &'static str) -> Issue {
    Issue::new(IssueCode::Value, why).at(parameter.name())
}

/// The modifier, if the kind of the parameter supports it.
fn modifier(parameter: &SearchParameter, name: Option<&str>) -> Result<Modifier, Issue> {
    let Some(name) = name else {
        return Ok(Modifier::None);
    };
    let known = match (parameter.kind(), name) {
        (_, "missing") => Some(Modifier::Missing),
        (ParameterKind::Token | ParameterKind::Contact, "not") => Some(Modifier::Not),
        (ParameterKind::String, "exact") => Some(Modifier::Exact),
        (ParameterKind::String, "contains") => Some(Modifier::Contains),
        (ParameterKind::Uri, "below") => Some(Modifier::Below),
        (ParameterKind::Uri, "above") => Some(Modifier::Above),
        (ParameterKind::Reference, "identifier") => Some(Modifier::Identifier),
        (ParameterKind::Reference, _) => TypeName::named(name).map(Modifier::Type),
        _ => None,
    };
    let name = parameter.name();
    known.ok_or_else(|| {
        let supported = match parameter.kind() {
            ParameterKind::Token | ParameterKind::Contact => ":not and :missing",
            ParameterKind::String => ":exact, :contains and :missing",
            ParameterKind::Uri => ":below, :above and :missing",
            ParameterKind::Reference => ":identifier, :missing and the name of a resource type",
            ParameterKind::Date | ParameterKind::Quantity | ParameterKind::Number => ":missing",
        };
        let why =
            format!("the parameter {name} does not support this modifier; it supports {supported}");
        Issue::new(IssueCode::NotSupported, why)
    })
}

/// The form of the values, for refusals.
const fn form(kind: ParameterKind, modifier: Modifier) -> &'static str {
    match (kind, modifier) {
        (ParameterKind::Token, _) | (_, Modifier::Identifier) => {
            "the value must be code, system|code, |code or system|, or several separated by commas; , | $ and \\ are \
             escaped with \\"
        }
        (ParameterKind::Contact, _) => {
            "the value must be a telephone number or an address, or several separated by commas; , | $ and \\ are \
             escaped with \\"
        }
        (ParameterKind::Date, _) => {
            "the value must be YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss] with a time zone, optionally after eq, \
             ne, gt, lt, ge, le, sa or eb, or several separated by commas"
        }
        (ParameterKind::Reference, _) => {
            "the value must be Type/id, an id or a URL, or several separated by commas; a modifier must be the same type"
        }
        (ParameterKind::Quantity, _) => {
            "the value must be number, number|system|code or number||unit, optionally after eq, ne, gt, lt, ge, le, sa, \
             eb or ap, or several separated by commas"
        }
        (ParameterKind::Number, _) => {
            "the value must be a number, optionally after eq, ne, gt, lt, ge, le, sa, eb or ap, or several separated by \
             commas"
        }
        (ParameterKind::String | ParameterKind::Uri, _) => {
            "the value must be one or more texts separated by commas, with letters or digits; , | $ and \\ are escaped \
             with \\"
        }
    }
}

/// Parses one value, which still has its escapes.
fn alternative(
    kind: ParameterKind,
    modifier: Modifier,
    part: &str,
    base: &str,
) -> Option<Alternative> {
    if let Modifier::Identifier = modifier {
        return token(part, Digest::of_code).map(Alternative::ReferenceIdentifier);
    }
    match kind {
        ParameterKind::Token => token(part, Digest::of_code).map(Alternative::Token),
        ParameterKind::Contact => token(part, Digest::of_contact).map(Alternative::Token),
        ParameterKind::Date => {
            let (prefix, span) = date(part)?;
            Some(Alternative::Time(prefix, span))
        }
        ParameterKind::Reference => {
            let text = unescape(part);
            let name = match modifier {
                Modifier::Type(name) => Some(name),
                Modifier::None
                | Modifier::Missing
                | Modifier::Not
                | Modifier::Exact
                | Modifier::Contains
                | Modifier::Below
                | Modifier::Above
                | Modifier::Identifier => None,
            };
            reference(text.trim(), name, base)
        }
        ParameterKind::Quantity => quantity(part),
        ParameterKind::Number => {
            let (prefix, number) = Prefix::split(part.trim());
            let number = SearchedNumber::parse(number)?;
            Some(Alternative::Number(prefix, number))
        }
        ParameterKind::String => text(modifier, unescape(part)).map(Alternative::Text),
        ParameterKind::Uri => Some(Alternative::Uri(uri(modifier, unescape(part)))),
    }
}

/// The system and code of a token.
fn token(part: &str, digest: fn(&str) -> Digest) -> Option<TokenQuery> {
    let filled = |part: &str| {
        let plain = Zeroizing::new(unescape(part).trim().to_owned());
        Some(plain).filter(|text| !text.is_empty())
    };
    let code = |part: &str| filled(part).map(|code| digest(&code));
    Some(match split(part, '|').ok()?.as_slice() {
        [value] => TokenQuery {
            system: None,
            code: Some(code(value)?),
        },
        ["", value] => TokenQuery {
            system: Some(System::None),
            code: Some(code(value)?),
        },
        [system, value] => TokenQuery {
            system: Some(System::Is(Digest::of(&filled(system)?))),
            code: code(value),
        },
        _ => return None,
    })
}

/// The prefix and span of a date. `ap` is refused, because it depends on the time of the search.
pub(super) fn date(part: &str) -> Option<(Prefix, TimeSpan)> {
    let (prefix, date) = Prefix::split(part.trim());
    let span = TimeSpan::searched(date)?;
    (prefix != Prefix::About).then_some((prefix, span))
}

/// The reference of a text; `name` is the type of the modifier.
fn reference(text: &str, name: Option<TypeName>, base: &str) -> Option<Alternative> {
    let own = text
        .strip_prefix(base)
        .and_then(|rest| rest.strip_prefix('/'));
    let text = own.filter(|_| !base.is_empty()).unwrap_or(text);
    if let Some((of_text, id)) = local(text) {
        let same = name.is_none_or(|name| name == of_text);
        return same.then_some(Alternative::Local(Some(of_text), id));
    }
    if let Ok(id) = parse_id(text) {
        return Some(Alternative::Local(name, id));
    }
    let is_text = !text.is_empty() && name.is_none();
    is_text.then(|| match text.split_once('|') {
        Some(_) => Alternative::ThisVersion(Digest::of(text)),
        None => Alternative::AnyVersion(Digest::of(text)),
    })
}

fn quantity(part: &str) -> Option<Alternative> {
    let unescaped = |part: &str| {
        let plain = Zeroizing::new(unescape(part).trim().to_owned());
        Some(plain).filter(|text| !text.is_empty())
    };
    let parts = split(part, '|').ok()?;
    let (number, system, code) = match parts.as_slice() {
        [number] => (*number, None, None),
        [number, system, code] => (*number, unescaped(system), unescaped(code)),
        _ => return None,
    };
    let (prefix, number) = Prefix::split(number.trim());
    let unit = Unit {
        system: system.map(|system| Digest::of(&system)),
        code: code.map(|code| UnitDigest::of(&code)),
    };
    Some(Alternative::Quantity(
        prefix,
        SearchedNumber::parse(number)?,
        unit,
    ))
}

fn text(modifier: Modifier, text: Zeroizing<String>) -> Option<TextQuery> {
    Some(match modifier {
        Modifier::Exact => TextQuery::Exact(text),
        Modifier::Contains => TextQuery::Contains(folded(&text)?),
        Modifier::None
        | Modifier::Missing
        | Modifier::Not
        | Modifier::Below
        | Modifier::Above
        | Modifier::Identifier
        | Modifier::Type(_) => TextQuery::Begins(folded(&text)?),
    })
}

fn uri(modifier: Modifier, text: Zeroizing<String>) -> UriQuery {
    match modifier {
        Modifier::Below => UriQuery::Below(text),
        Modifier::Above => UriQuery::Above(text),
        Modifier::None
        | Modifier::Missing
        | Modifier::Not
        | Modifier::Exact
        | Modifier::Contains
        | Modifier::Identifier
        | Modifier::Type(_) => {
            let digest = Digest::of(&text);
            UriQuery::Is(text, digest)
        }
    }
}
