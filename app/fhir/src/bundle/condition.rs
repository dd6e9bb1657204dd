//! Conditions: the searches of `ifNoneExist`, of a conditional update or delete, and of conditional references.
//!
//! The record service searches for each condition once, before any entry is executed. A condition is therefore never
//! resolved against another entry of the same Bundle: only a `fullUrl` refers to another entry.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;

use url::form_urlencoded;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Compartment;
use crate::IssueCode;
use crate::ResourceType;
use crate::limits::MAX_CONDITIONS;
use crate::limits::MAX_PARAMETER_BYTES;
use crate::parse_id;

/// A search that decides what an entry does, or what a reference refers to.
pub struct ConditionalQuery {
    /// The type.
    pub resource_type: ResourceType,
    /// The identifier that the resource has.
    pub identifier: ConditionalIdentifier,
    /// The records that are searched.
    pub scope: ConditionScope,
}

/// An identifier in a condition: `system|value`, `|value` or `value`. PHI: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct ConditionalIdentifier {
    /// The system.
    pub system: ConditionalSystem,
    /// The value, not empty.
    pub value: Zeroizing<String>,
}

/// The system of an identifier in a condition.
#[derive(Clone, PartialEq, Eq)]
pub enum ConditionalSystem {
    /// `value`: any system or none.
    Any,
    /// `|value`: no system.
    None,
    /// `system|value`.
    Is(Zeroizing<String>),
}

/// The records that a condition searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionScope {
    /// All of the organization: its patients, or a type of its directory.
    Organization,
    /// The chart of this patient.
    Patient(Uuid),
    /// The chart of the one patient that the condition with this smaller index matches; if it does not match one patient,
    /// this condition matches nothing.
    MatchOf(usize),
}

/// The result of a condition's search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionMatch {
    /// No resource matches.
    None,
    /// One resource matches.
    One(Uuid),
    /// Several resources match.
    Many,
    /// Not known: the conditions before it used up what one request may search.
    TooCostly,
}

/// A condition as sent.
pub(super) struct Condition {
    pub(super) resource_type: ResourceType,
    pub(super) identifier: ConditionalIdentifier,
    /// The `patient` or `subject` parameter.
    pub(super) patient: Option<Uuid>,
}

/// A refusal of a condition: the issue code, and diagnostics without values from the request.
#[derive(Debug)]
pub(super) struct Unsupported(pub(super) IssueCode, pub(super) &'static str);

impl Condition {
    /// Parses the parameters of a condition; `server` is the server's own base.
    pub(super) fn parse(
        resource_type: ResourceType,
        query: &str,
        server: Option<&str>,
    ) -> Result<Self, Unsupported> {
        let (mut identifier, mut patient) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(3) {
            let value = Zeroizing::new(value.into_owned());
            let is_new = match &*name {
                "identifier" => identifier.replace(identifier_of(&value)?).is_none(),
                "patient" | "subject" if in_a_chart(resource_type) => {
                    patient.replace(patient_of(&value, server)?).is_none()
                }
                _ => {
                    let why = "a condition has the search parameter identifier, and for a type of a patient's chart \
                               also patient or subject; no other";
                    return Err(Unsupported(IssueCode::NotSupported, why));
                }
            };
            if !is_new {
                let why = "a condition has each search parameter once";
                return Err(Unsupported(IssueCode::NotSupported, why));
            }
        }
        let Some(identifier) = identifier else {
            let why = "a condition needs the search parameter identifier, as system|value";
            return Err(Unsupported(IssueCode::Required, why));
        };
        Ok(Self {
            resource_type,
            identifier,
            patient,
        })
    }

    /// Parses a conditional reference such as `Organization?identifier=system|value`.
    pub(super) fn of_reference(text: &str) -> Result<Self, Unsupported> {
        let supported = |resource_type: &ResourceType| {
            *resource_type == ResourceType::Patient
                || resource_type.compartment() == Some(Compartment::Directory)
        };
        let parts = text
            .split_once('?')
            .and_then(|(name, query)| Some((name.parse().ok().filter(supported)?, query)));
        let Some((resource_type, query)) = parts else {
            let why = "a conditional reference names a Patient or a type of the organization's directory, such as \
                       Organization?identifier=system|value: refer to other resources by type and id, or by the \
                       fullUrl of an entry";
            return Err(Unsupported(IssueCode::NotSupported, why));
        };
        let (query, _fragment) = query.split_once('#').unwrap_or((query, ""));
        Self::parse(resource_type, query, None)
    }
}

/// Whether resources of a type may belong to a patient's chart.
pub(super) fn in_a_chart(resource_type: ResourceType) -> bool {
    !resource_type.owner_paths().is_empty()
}

/// Parses `system|value`, `|value` or `value` with the escapes of R4 3.1.1.4.4.
fn identifier_of(token: &str) -> Result<ConditionalIdentifier, Unsupported> {
    let malformed = Unsupported(
        IssueCode::Value,
        "the identifier of a condition must be one value: system|value, |value or value",
    );
    if token.len() > MAX_PARAMETER_BYTES {
        return Err(malformed);
    }
    let mut parts = vec![Zeroizing::new(String::with_capacity(token.len()))];
    let mut letters = token.chars();
    while let Some(letter) = letters.next() {
        let plain = match letter {
            '\\' => match letters.next() {
                Some(escaped @ ('\\' | ',' | '|' | '$')) => escaped,
                Some(_) | None => return Err(malformed),
            },
            // An alternative would make the meaning of "one match" unclear.
            ',' => return Err(malformed),
            '|' => {
                parts.push(Zeroizing::new(String::with_capacity(token.len())));
                continue;
            }
            other => other,
        };
        if let Some(part) = parts.last_mut() {
            part.push(plain);
        }
    }
    let trimmed = |text: &Zeroizing<String>| Zeroizing::new(text.trim().to_owned());
    let (system, value) = match parts.as_slice() {
        [value] => (ConditionalSystem::Any, value),
        [system, value] if system.trim().is_empty() => (ConditionalSystem::None, value),
        [system, value] => (ConditionalSystem::Is(trimmed(system)), value),
        _ => return Err(malformed),
    };
    let value = trimmed(value);
    if value.is_empty() {
        return Err(malformed);
    }
    Ok(ConditionalIdentifier { system, value })
}

/// Parses `Patient/uuid`, an absolute reference to the server's own Patient, or a UUID.
fn patient_of(text: &str, server: Option<&str>) -> Result<Uuid, Unsupported> {
    let own = server.and_then(|base| text.strip_prefix(base)?.strip_prefix('/'));
    let text = own.unwrap_or(text);
    let id = text.strip_prefix("Patient/").unwrap_or(text);
    parse_id(id).map_err(|_issue| {
        let why = "the patient of a condition must be Patient/ with a UUID";
        Unsupported(IssueCode::Value, why)
    })
}

/// The distinct conditions of a Bundle.
#[derive(Default)]
pub(super) struct Conditions {
    queries: Vec<ConditionalQuery>,
    indices: HashMap<Key, usize>,
    /// The conditions of conditional references, by the text as sent.
    references: HashMap<Text, usize>,
}

impl Conditions {
    /// The conditions, in the order in which they are resolved.
    pub(super) fn queries(&self) -> &[ConditionalQuery] {
        &self.queries
    }

    /// The index of a condition, which is added if it is new.
    pub(super) fn add(
        &mut self,
        condition: Condition,
        scope: ConditionScope,
    ) -> Result<usize, Unsupported> {
        let key = Key {
            resource_type: condition.resource_type,
            scope,
            identifier: condition.identifier.clone(),
        };
        if let Some(index) = self.indices.get(&key) {
            return Ok(*index);
        }
        let index = self.queries.len();
        if index >= MAX_CONDITIONS {
            let why = "the Bundle has too many different conditions (at most 2,000): send several Bundles";
            return Err(Unsupported(IssueCode::TooCostly, why));
        }
        self.indices.insert(key, index);
        self.queries.push(ConditionalQuery {
            resource_type: condition.resource_type,
            identifier: condition.identifier,
            scope,
        });
        Ok(index)
    }

    /// Adds the condition of a conditional reference.
    pub(super) fn add_reference(&mut self, text: &str) -> Result<usize, Unsupported> {
        if let Some(index) = self.reference(text) {
            return Ok(index);
        }
        let index = self.add(Condition::of_reference(text)?, ConditionScope::Organization)?;
        self.references.insert(Text::new(text), index);
        Ok(index)
    }

    /// The index of a conditional reference's condition.
    pub(super) fn reference(&self, text: &str) -> Option<usize> {
        self.references.get(&Text::new(text)).copied()
    }
}

/// The identity of a condition.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    resource_type: ResourceType,
    scope: ConditionScope,
    identifier: ConditionalIdentifier,
}

/// A text that is zeroized on drop.
#[derive(PartialEq, Eq)]
struct Text(Zeroizing<String>);

impl Text {
    fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl Hash for ConditionalIdentifier {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.system {
            ConditionalSystem::Any => 0_u8.hash(state),
            ConditionalSystem::None => 1_u8.hash(state),
            ConditionalSystem::Is(system) => system.as_str().hash(state),
        }
        self.value.as_str().hash(state);
    }
}

impl fmt::Debug for ConditionalIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConditionalIdentifier([redacted])")
    }
}

impl fmt::Debug for ConditionalQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resource_type, scope) = (self.resource_type, self.scope);
        write!(
            f,
            "ConditionalQuery({resource_type}, {scope:?}, [redacted])"
        )
    }
}
