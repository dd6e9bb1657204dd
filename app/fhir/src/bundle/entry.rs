//! One entry of a transaction or batch.

use serde_json::Value;
use uuid::Uuid;

use super::condition::Condition;
use super::entry_path;
use super::interaction::Interaction;
use super::interaction::WriteTarget;
use super::interaction::interaction;
use super::interaction::own_id;
use super::read::EntryRead;
use super::refusal::Refusal;
use super::write::WritePrecondition;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::JSON_PATCH;
use crate::JsonPatch;
use crate::Resource;
use crate::ResourceType;
use crate::SensitiveJson;
use crate::json_patch::decode_base64;
use crate::parsed_bytes;
use crate::validate;

/// An entry, before its condition and its references are resolved.
pub(super) struct ParsedEntry {
    pub(super) index: usize,
    pub(super) full_url: Option<String>,
    /// `meta.versionId` as sent; the server replaces it.
    pub(super) version: Option<String>,
    pub(super) request: EntryRequest,
}

/// The request of an entry.
pub(super) enum EntryRequest {
    Read(EntryRead),
    Write(ParsedWrite),
}

/// A write, before its condition and its references are resolved.
pub(super) struct ParsedWrite {
    pub(super) resource_type: ResourceType,
    pub(super) target: ParsedTarget,
    pub(super) content: ParsedContent,
    pub(super) precondition: WritePrecondition,
}

/// The resource that a write concerns.
pub(super) enum ParsedTarget {
    /// A new one.
    New,
    /// The one with this id.
    Id(Uuid),
    /// The one that matches a condition, as sent.
    Condition(Condition),
    /// The one that matches the condition with this index.
    MatchOf(usize),
    /// None: the condition concerns a chart that the Bundle creates, so nothing can match it.
    Unmatched,
}

/// The content of a write.
pub(super) enum ParsedContent {
    Post(Resource),
    Put(Resource),
    Patch(JsonPatch),
    Delete,
}

impl ParsedEntry {
    /// The resource in the entry that will be stored whole.
    pub(super) fn resource(&self) -> Option<&Resource> {
        match &self.request {
            EntryRequest::Write(write) => match &write.content {
                ParsedContent::Post(resource) | ParsedContent::Put(resource) => Some(resource),
                ParsedContent::Patch(_) | ParsedContent::Delete => None,
            },
            EntryRequest::Read(_) => None,
        }
    }

    /// The type of the resource that the entry leaves stored, to which its `fullUrl` refers.
    pub(super) fn stored_type(&self) -> Option<ResourceType> {
        match &self.request {
            EntryRequest::Write(write) => match write.content {
                ParsedContent::Post(_) | ParsedContent::Put(_) | ParsedContent::Patch(_) => {
                    Some(write.resource_type)
                }
                ParsedContent::Delete => None,
            },
            EntryRequest::Read(_) => None,
        }
    }
}

/// The parser of entries.
pub(super) struct EntryParser<'s> {
    /// The server's own base.
    pub(super) server: Option<&'s str>,
    /// The remaining memory of patches, as estimated before they are parsed, in bytes.
    pub(super) remaining_patch_bytes: usize,
}

impl EntryParser<'_> {
    /// Parses the entry at an index.
    pub(super) fn parse(
        &mut self,
        index: usize,
        entry: SensitiveJson,
    ) -> Result<ParsedEntry, Refusal> {
        let at = entry_path(index);
        let Value::Object(mut members) = entry.into_value() else {
            let issue = Issue::new(IssueCode::Structure, "an entry is a JSON object");
            return Err(Refusal::request(issue.at(&at)));
        };
        // The resource is validated separately, after the request has been found to be valid.
        let resource = members.shift_remove("resource").map(SensitiveJson::new);
        let members = SensitiveJson::new(Value::Object(members));
        if let Some(object) = members.value().as_object()
            && let Some(issue) =
                validate::object("Bundle.entry", object, &ElementPath::Root(&at)).into_first()
        {
            return Err(Refusal::request(issue));
        }
        let request_at = format!("{at}.request");
        let request = members.value().get("request").and_then(Value::as_object);
        let Some(request) = request else {
            let issue = Issue::new(IssueCode::Required, "request is required");
            return Err(Refusal::request(issue.at(&request_at)));
        };
        let interaction = interaction(request, &request_at, self.server)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let version = resource
            .as_ref()
            .and_then(|resource| text(resource.value().get("meta")?.get("versionId")?));
        let full_url = members.value().get("fullUrl").and_then(text);
        let request = self.request(interaction, resource, index, &at)?;
        Ok(ParsedEntry {
            index,
            full_url,
            version,
            request,
        })
    }

    fn request(
        &mut self,
        interaction: Interaction,
        resource: Option<SensitiveJson>,
        index: usize,
        at: &str,
    ) -> Result<EntryRequest, Refusal> {
        let write = match interaction {
            Interaction::Read(interaction, precondition) => {
                return Ok(EntryRequest::Read(EntryRead {
                    entry: index,
                    interaction,
                    precondition,
                }));
            }
            Interaction::Create(resource_type, condition) => ParsedWrite {
                resource_type,
                target: condition.map_or(ParsedTarget::New, ParsedTarget::Condition),
                content: ParsedContent::Post(validated(resource, resource_type, at)?),
                precondition: WritePrecondition::None,
            },
            Interaction::Update(target, precondition) => {
                update(target, precondition, resource, at)?
            }
            Interaction::Patch(target, precondition) => ParsedWrite {
                resource_type: target.resource_type,
                target: ParsedTarget::Id(target.id),
                content: ParsedContent::Patch(self.patch(resource, at)?),
                precondition,
            },
            Interaction::Delete(target, precondition) => {
                let (resource_type, target) = parsed_target(target);
                ParsedWrite {
                    resource_type,
                    target,
                    content: ParsedContent::Delete,
                    precondition,
                }
            }
        };
        Ok(EntryRequest::Write(write))
    }

    /// The JSON Patch of a PATCH entry: a Binary (R4 3.1.0.11.1).
    fn patch(&mut self, resource: Option<SensitiveJson>, at: &str) -> Result<JsonPatch, Refusal> {
        let refuse = |code, why: &'static str, element: &str| {
            let path = format!("{at}.resource{element}");
            Refusal::resource(Issue::new(code, why).at(&path))
        };
        let binary = required(resource, at)?;
        let text = |name: &str| binary.value().get(name).and_then(Value::as_str);
        match text("resourceType") {
            Some("Binary") => {}
            Some("Parameters") => {
                let why = "FHIRPath Patch is not supported: send a JSON Patch in a Binary with contentType \
                           application/json-patch+json";
                return Err(refuse(IssueCode::NotSupported, why, ""));
            }
            _ => {
                let why = "the resource of a PATCH is a Binary with contentType application/json-patch+json";
                return Err(refuse(IssueCode::Structure, why, ""));
            }
        }
        if text("contentType") != Some(JSON_PATCH) {
            let why = "the contentType of a patch must be application/json-patch+json";
            return Err(refuse(IssueCode::NotSupported, why, ".contentType"));
        }
        let decoded = text("data").and_then(decode_base64);
        let why = "the data of a patch must be base64";
        let decoded = decoded.ok_or_else(|| refuse(IssueCode::Value, why, ".data"))?;
        let remaining = self
            .remaining_patch_bytes
            .checked_sub(parsed_bytes(&decoded));
        let why = "the patches of the Bundle are too long: send fewer at a time";
        self.remaining_patch_bytes =
            remaining.ok_or_else(|| refuse(IssueCode::TooCostly, why, ".data"))?;
        JsonPatch::parse(&decoded).map_err(|outcome| {
            let outcome = outcome.at(&format!("{at}.resource.data"));
            let mut issues = Issues::default();
            for issue in outcome.issues() {
                issues.add(|| issue.clone());
            }
            Refusal::new(outcome.status(), issues)
        })
    }
}

fn update(
    target: WriteTarget,
    precondition: WritePrecondition,
    resource: Option<SensitiveJson>,
    at: &str,
) -> Result<ParsedWrite, Refusal> {
    let (resource_type, target) = parsed_target(target);
    let resource = validated(resource, resource_type, at)?;
    let at = format!("{at}.resource.id");
    match &target {
        // R4 requires that they are equal.
        ParsedTarget::Id(id) if resource.id() != Some(*id) => {
            let why = "the resource's id must be the one in request.url";
            return Err(Refusal::request(
                Issue::new(IssueCode::Invariant, why).at(&at),
            ));
        }
        ParsedTarget::Id(_) => {}
        // Without a match, the resource is created under its own id.
        ParsedTarget::Condition(_)
        | ParsedTarget::New
        | ParsedTarget::MatchOf(_)
        | ParsedTarget::Unmatched => {
            own_id(resource_type, resource.id_text())
                .map_err(|issue| Refusal::request(issue.at(&at)))?;
        }
    }
    Ok(ParsedWrite {
        resource_type,
        target,
        content: ParsedContent::Put(resource),
        precondition,
    })
}

fn parsed_target(target: WriteTarget) -> (ResourceType, ParsedTarget) {
    match target {
        WriteTarget::Id(target) => (target.resource_type, ParsedTarget::Id(target.id)),
        WriteTarget::Match(condition) => {
            (condition.resource_type, ParsedTarget::Condition(condition))
        }
    }
}

/// The resource of an entry whose method requires one.
fn required(resource: Option<SensitiveJson>, at: &str) -> Result<SensitiveJson, Refusal> {
    resource.ok_or_else(|| {
        let issue = Issue::new(IssueCode::Required, "this method requires a resource");
        Refusal::request(issue.at(&format!("{at}.resource")))
    })
}

/// The validated resource, which has the type that the request names.
fn validated(
    resource: Option<SensitiveJson>,
    resource_type: ResourceType,
    at: &str,
) -> Result<Resource, Refusal> {
    let path = format!("{at}.resource");
    let resource = required(resource, at)?;
    let resource = Resource::validate(resource, Some(&path)).map_err(Refusal::resource)?;
    if resource.resource_type() == resource_type {
        return Ok(resource);
    }
    let why = "request.url must name the resource's own type";
    Err(Refusal::request(
        Issue::new(IssueCode::Invariant, why).at(&format!("{at}.request.url")),
    ))
}
