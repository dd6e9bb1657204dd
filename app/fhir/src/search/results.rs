//! The parameters of a search's result: its length, order, form, and the resources that are included.

use zeroize::Zeroizing;

use super::include::Include;
use crate::Issue;
use crate::IssueCode;
use crate::ResourceType;
use crate::definitions::definitions;
use crate::limits::DEFAULT_COUNT;
use crate::limits::MAX_COUNT;
use crate::limits::MAX_CURSOR_BYTES;
use crate::limits::MAX_LISTED_NAMES;

/// `_total`: whether the number of all matches is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Total {
    /// It is not needed.
    None,
    /// An estimate is enough.
    Estimate,
    /// The exact number.
    #[default]
    Accurate,
}

/// `_summary`: the part of each resource that is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SummaryMode {
    /// `false`: the whole resource.
    #[default]
    Whole,
    /// `true`: the elements that R4 marks as a summary.
    Summary,
    /// `text`: the narrative and the required elements.
    Text,
    /// `data`: all but the narrative.
    Data,
    /// `count`: no resources, only their number.
    Count,
}

/// The parameters of a result.
pub struct ResultParameters {
    /// `_count`: the largest number of matches in a page, 0 to 200.
    pub count: usize,
    /// `_total`.
    pub total: Total,
    /// `_summary`.
    pub summary: SummaryMode,
    /// `_elements`: names of elements; all for none.
    pub elements: Vec<String>,
    /// `_include`.
    pub includes: Vec<Include>,
    /// `_revinclude`.
    pub revincludes: Vec<Include>,
    /// `_type`; all types for none.
    pub types: Vec<ResourceType>,
    /// `_cursor`: the opaque position of the page.
    pub cursor: Option<Zeroizing<String>>,
    /// `_pretty`.
    pub is_pretty: bool,
}

impl Default for ResultParameters {
    fn default() -> Self {
        Self {
            count: DEFAULT_COUNT,
            total: Total::default(),
            summary: SummaryMode::default(),
            elements: Vec::new(),
            includes: Vec::new(),
            revincludes: Vec::new(),
            types: Vec::new(),
            cursor: None,
            is_pretty: false,
        }
    }
}

/// The names of the parameters of a result, and of those that every type has.
pub const RESULT_PARAMETER_NAMES: [&str; 11] = [
    "_count",
    "_cursor",
    "_elements",
    "_format",
    "_include",
    "_pretty",
    "_revinclude",
    "_sort",
    "_summary",
    "_total",
    "_type",
];

impl ResultParameters {
    /// Adds a parameter of the result; `None` if the name is another parameter's. `_sort` is the query's.
    pub(crate) fn add(
        &mut self,
        resource_type: ResourceType,
        name: &str,
        value: &str,
    ) -> Option<Result<(), Issue>> {
        let set = match name {
            "_count" => count(value).map(|count| self.count = count),
            "_total" => total(value).map(|total| self.total = total),
            "_summary" => summary(value).map(|summary| self.summary = summary),
            "_elements" => elements(resource_type, value, &mut self.elements),
            "_type" => types(value, &mut self.types),
            "_include" => Include::parse(value, Some(resource_type))
                .and_then(|include| push(&mut self.includes, include)),
            "_revinclude" => {
                Include::parse(value, None).and_then(|include| push(&mut self.revincludes, include))
            }
            "_cursor" => cursor(value).map(|cursor| self.cursor = Some(cursor)),
            "_pretty" => match value {
                "true" | "false" => {
                    self.is_pretty = value == "true";
                    Ok(())
                }
                _ => Err("_pretty must be true or false"),
            },
            // The HTTP layer negotiates the format. `_totalMethod` is of other servers: totals are always exact.
            "_format" | "_totalMethod" => Ok(()),
            _ => return None,
        };
        Some(set.map_err(|why| Issue::new(IssueCode::Value, why).at(name)))
    }
}

fn count(value: &str) -> Result<usize, &'static str> {
    // A server may send fewer than requested (R4 3.1.1.5.3).
    let count: Option<usize> = value.parse().ok();
    let count = count.map(|count| count.min(MAX_COUNT));
    count.ok_or("_count must be a number; a page has at most 200 matches")
}

fn total(value: &str) -> Result<Total, &'static str> {
    Ok(match value {
        "none" => Total::None,
        "estimate" => Total::Estimate,
        "accurate" => Total::Accurate,
        _ => return Err("_total must be none, estimate or accurate"),
    })
}

fn summary(value: &str) -> Result<SummaryMode, &'static str> {
    Ok(match value {
        "true" => SummaryMode::Summary,
        "text" => SummaryMode::Text,
        "data" => SummaryMode::Data,
        "count" => SummaryMode::Count,
        "false" => SummaryMode::Whole,
        _ => return Err("_summary must be true, text, data, count or false"),
    })
}

fn elements(
    resource_type: ResourceType,
    value: &str,
    names: &mut Vec<String>,
) -> Result<(), &'static str> {
    for name in value.split(',') {
        let name = element_name(resource_type, name.trim());
        let why = "_elements must be names of elements of the resource, or Type.name for another type, separated by commas";
        push(names, name.ok_or(why)?.to_owned())?;
    }
    Ok(())
}

/// The name of an element of a type, such as `code`, or of another type that the result may have, such as
/// `Practitioner.name`.
pub(crate) fn element_name(resource_type: ResourceType, value: &str) -> Option<&str> {
    let (of_type, name) = match value.split_once('.') {
        Some((of_type, name)) => (of_type, name),
        None => (resource_type.name(), value),
    };
    let all = definitions().ok()?;
    let definition = all.resource(of_type)?;
    let is_known = name == "resourceType" || all.has_element(definition, name);
    is_known.then_some(name)
}

fn types(value: &str, types: &mut Vec<ResourceType>) -> Result<(), &'static str> {
    for name in value.split(',') {
        let resource_type = name.trim().parse();
        let why = "_type must be names of supported resource types, separated by commas";
        push(types, resource_type.map_err(|_unknown| why)?)?;
    }
    Ok(())
}

fn cursor(value: &str) -> Result<Zeroizing<String>, &'static str> {
    let opaque =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let valid = value.len() <= MAX_CURSOR_BYTES && value.bytes().all(opaque);
    let why = "_cursor must be the value of a next link of this server, unchanged";
    valid.then(|| Zeroizing::new(value.to_owned())).ok_or(why)
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), &'static str> {
    if list.len() >= MAX_LISTED_NAMES {
        return Err("this parameter has at most 20 values");
    }
    list.push(item);
    Ok(())
}
