//! Registration of the conditions of a Bundle.

use serde_json::Value;
use uuid::Uuid;

use super::condition::Condition;
use super::condition::ConditionScope;
use super::condition::Conditions;
use super::condition::Unsupported;
use super::condition::in_a_chart;
use super::entry::EntryRequest;
use super::entry::ParsedContent;
use super::entry::ParsedEntry;
use super::entry::ParsedTarget;
use super::entry::ParsedWrite;
use super::entry_path;
use super::full_url::FullUrlIndex;
use super::full_url::Located;
use super::refusal::Refusal;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::Reference;
use crate::ResourceType;
use crate::reference::each_reference;

/// The patient to whose chart a resource belongs, before conditions are resolved.
enum Chart {
    /// The patient with this id.
    Patient(Uuid),
    /// The patient that the condition with this index matches.
    MatchOf(usize),
    /// A patient that the Bundle creates in any case: its chart is empty.
    New,
}

/// Registers all conditions. Refuses an entry whose condition is not supported.
pub(super) fn conditions(
    entries: &mut [Result<ParsedEntry, Refusal>],
    urls: &FullUrlIndex,
) -> Conditions {
    let mut conditions = Conditions::default();
    // First the conditions that concern no chart: the chart of another one may be that of a patient that they match.
    for slot in entries.iter_mut() {
        if let Some(condition) = take_condition(slot, |other| !in_a_chart(other)) {
            let index = conditions.add(condition, ConditionScope::Organization);
            set_target(slot, index.map(ParsedTarget::MatchOf));
        }
    }
    for slot in entries.iter_mut() {
        if let Ok(entry) = slot
            && let Err(issues) = references(entry, urls, &mut conditions)
        {
            *slot = Err(Refusal::resource(issues));
        }
    }
    for index in 0..entries.len() {
        let condition = entries
            .get_mut(index)
            .and_then(|slot| take_condition(slot, in_a_chart));
        if let Some(condition) = condition {
            let target = in_chart(condition, index, entries, urls, &mut conditions);
            if let Some(slot) = entries.get_mut(index) {
                set_target(slot, target);
            }
        }
    }
    conditions
}

/// The condition of an entry, if its type is one of these.
fn take_condition(
    slot: &mut Result<ParsedEntry, Refusal>,
    is_wanted: fn(ResourceType) -> bool,
) -> Option<Condition> {
    let write = written(slot)?;
    if !is_wanted(write.resource_type) {
        return None;
    }
    match std::mem::replace(&mut write.target, ParsedTarget::Unmatched) {
        ParsedTarget::Condition(condition) => Some(condition),
        other @ (ParsedTarget::New
        | ParsedTarget::Id(_)
        | ParsedTarget::MatchOf(_)
        | ParsedTarget::Unmatched) => {
            write.target = other;
            None
        }
    }
}

fn set_target(slot: &mut Result<ParsedEntry, Refusal>, target: Result<ParsedTarget, Unsupported>) {
    match (target, &mut *slot) {
        (Ok(target), slot) => {
            if let Some(write) = written(slot) {
                write.target = target;
            }
        }
        (Err(Unsupported(code, why)), Ok(entry)) => {
            let path = condition_path(entry);
            *slot = Err(Refusal::request(Issue::new(code, why).at(&path)));
        }
        (Err(_), Err(_)) => {}
    }
}

fn written(slot: &mut Result<ParsedEntry, Refusal>) -> Option<&mut ParsedWrite> {
    match &mut slot.as_mut().ok()?.request {
        EntryRequest::Write(write) => Some(write),
        EntryRequest::Read(_) => None,
    }
}

/// The path of an entry's condition.
pub(super) fn condition_path(entry: &ParsedEntry) -> String {
    let element = match &entry.request {
        EntryRequest::Write(ParsedWrite {
            content: ParsedContent::Post(_),
            ..
        }) => "ifNoneExist",
        EntryRequest::Write(_) | EntryRequest::Read(_) => "url",
    };
    format!("{}.request.{element}", entry_path(entry.index))
}

/// Registers the conditional references of an entry's resource.
fn references(
    entry: &ParsedEntry,
    urls: &FullUrlIndex,
    conditions: &mut Conditions,
) -> Result<(), Issues> {
    let Some(resource) = entry.resource() else {
        return Ok(());
    };
    let mut issues = Issues::default();
    let path = format!("{}.resource", entry_path(entry.index));
    let full_url = entry.full_url.as_deref();
    each_reference(
        resource.value(),
        &ElementPath::Root(&path),
        &mut |text, path| {
            if let Ok(Located::Condition(text)) = urls.reference(text, full_url)
                && let Err(Unsupported(code, why)) = conditions.add_reference(text)
            {
                issues.add(|| Issue::new(code, why).at(path));
            }
        },
    );
    if issues.is_empty() {
        Ok(())
    } else {
        Err(issues)
    }
}

/// Registers the condition of an entry whose type belongs to charts.
fn in_chart(
    condition: Condition,
    index: usize,
    entries: &[Result<ParsedEntry, Refusal>],
    urls: &FullUrlIndex,
    conditions: &mut Conditions,
) -> Result<ParsedTarget, Unsupported> {
    let scope = match condition.patient {
        Some(patient) => ConditionScope::Patient(patient),
        None => match chart_of(index, entries, urls, conditions) {
            Some(Chart::Patient(patient)) => ConditionScope::Patient(patient),
            Some(Chart::MatchOf(other)) => ConditionScope::MatchOf(other),
            Some(Chart::New) => return Ok(ParsedTarget::Unmatched),
            // A resource of such a type that names no patient is the organization's.
            None if condition.resource_type.compartment().is_none() => ConditionScope::Organization,
            None => {
                let why = "a condition for a type of a patient's chart is searched in that chart: name it by \
                           patient=Patient/id, or by the resource's own reference to its patient";
                return Err(Unsupported(IssueCode::Required, why));
            }
        },
    };
    conditions.add(condition, scope).map(ParsedTarget::MatchOf)
}

/// The chart to which the resource of an entry belongs.
fn chart_of(
    index: usize,
    entries: &[Result<ParsedEntry, Refusal>],
    urls: &FullUrlIndex,
    conditions: &Conditions,
) -> Option<Chart> {
    let entry = entries.get(index)?.as_ref().ok()?;
    let resource = entry.resource()?;
    let mut texts = Vec::new();
    for path in resource.resource_type().owner_paths() {
        owner_references(resource.value(), path, &mut texts);
    }
    let chart = |text: &str| match urls.reference(text, entry.full_url.as_deref()).ok()? {
        Located::Entry(other, _) => patient_entry(entries.get(other)?.as_ref().ok()?),
        Located::Local(text) => Reference::parse(&text)
            .filter(|patient| patient.resource_type == ResourceType::Patient)
            .map(|patient| Chart::Patient(patient.id)),
        Located::Condition(text) => {
            let index = conditions.reference(text)?;
            let query = conditions.queries().get(index)?;
            (query.resource_type == ResourceType::Patient).then_some(Chart::MatchOf(index))
        }
        Located::Elsewhere => None,
    };
    texts.into_iter().find_map(chart)
}

/// The chart of the patient that an entry stores.
fn patient_entry(entry: &ParsedEntry) -> Option<Chart> {
    let EntryRequest::Write(write) = &entry.request else {
        return None;
    };
    if write.resource_type != ResourceType::Patient {
        return None;
    }
    match write.target {
        ParsedTarget::Id(id) => Some(Chart::Patient(id)),
        ParsedTarget::MatchOf(index) => Some(Chart::MatchOf(index)),
        ParsedTarget::New => Some(Chart::New),
        ParsedTarget::Condition(_) | ParsedTarget::Unmatched => None,
    }
}

/// Collects the references at a path such as `participant[].actor`.
fn owner_references<'v>(value: &'v Value, path: &str, found: &mut Vec<&'v str>) {
    let (segment, rest) = path.split_once('.').unwrap_or((path, ""));
    if segment.is_empty() {
        found.extend(value.get("reference").and_then(Value::as_str));
        return;
    }
    match value.get(segment.trim_end_matches("[]")) {
        Some(Value::Array(items)) => {
            for item in items {
                owner_references(item, rest, found);
            }
        }
        Some(member) => owner_references(member, rest, found),
        None => {}
    }
}
