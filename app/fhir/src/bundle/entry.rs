//! One entry of a transaction or batch.

use serde_json::Map;
use serde_json::Value;
use uuid::Uuid;

use super::BundleType;
use super::entry_path;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::SensitiveJson;
use crate::Status;
use crate::parse_id;
use crate::validate;

/// An entry, before references to other entries are resolved.
pub(super) struct ParsedEntry {
    pub(super) index: usize,
    pub(super) full_url: Option<String>,
    /// `meta.versionId` as sent; the server replaces it.
    pub(super) version: Option<String>,
    pub(super) request: EntryRequest,
}

/// The request of an entry.
pub(super) enum EntryRequest {
    /// GET of one resource.
    Read(Reference),
    /// PUT, or POST with a new id.
    Write {
        target: Reference,
        resource: Resource,
        create: bool,
    },
}

/// The refusal of an entry: its status and issues.
pub(super) struct Refusal {
    status: Status,
    issues: Issues,
}

impl ParsedEntry {
    /// The resource that the entry writes.
    pub(super) fn written(&self) -> Option<Reference> {
        match &self.request {
            EntryRequest::Write { target, .. } => Some(*target),
            EntryRequest::Read(_) => None,
        }
    }
}

impl Refusal {
    /// 400: the entry's request is invalid.
    pub(super) fn request(issue: Issue) -> Self {
        Self {
            status: Status::BadRequest,
            issues: issue.into(),
        }
    }

    /// 422: the entry's resource is invalid.
    pub(super) fn resource(issues: impl Into<Issues>) -> Self {
        Self {
            status: Status::UnprocessableEntity,
            issues: issues.into(),
        }
    }

    /// Both refusals as one, with the higher status.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.status = self.status.max(other.status);
        self.issues.append(other.issues);
        self
    }
}

impl From<Refusal> for OperationOutcome {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.issues)
    }
}

/// Parses the entry at an index.
pub(super) fn parse(
    index: usize,
    entry: SensitiveJson,
    bundle_type: BundleType,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Result<ParsedEntry, Refusal> {
    let at = entry_path(index);
    let refuse = |code, why: &'static str, element: &str| {
        let path = if element.is_empty() {
            at.clone()
        } else {
            format!("{at}.{element}")
        };
        Refusal::request(Issue::new(code, why).at(&path))
    };
    let Value::Object(mut members) = entry.into_value() else {
        return Err(refuse(
            IssueCode::Structure,
            "an entry is a JSON object",
            "",
        ));
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
    let request = members.value().get("request").and_then(Value::as_object);
    let Some(request) = request else {
        return Err(refuse(
            IssueCode::Required,
            "request is required",
            "request",
        ));
    };
    let interaction = interaction(request, &format!("{at}.request"), bundle_type)?;
    let version = resource.as_ref().and_then(|resource| {
        let version = resource.value().get("meta")?.get("versionId")?;
        version.as_str().map(str::to_owned)
    });
    let request = entry_request(interaction, resource, &at, new_id)?;
    let full_url = members
        .value()
        .get("fullUrl")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Ok(ParsedEntry {
        index,
        full_url,
        version,
        request,
    })
}

/// The `RESTful` interaction that an entry requests.
enum Interaction {
    Get(Reference),
    Put(Reference),
    Post(ResourceType),
}

fn entry_request(
    interaction: Interaction,
    resource: Option<SensitiveJson>,
    at: &str,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Result<EntryRequest, Refusal> {
    match (interaction, resource) {
        (Interaction::Get(target), _) => Ok(EntryRequest::Read(target)),
        (Interaction::Put(_) | Interaction::Post(_), None) => {
            let issue = Issue::new(IssueCode::Required, "this method requires a resource");
            Err(Refusal::request(issue.at(&format!("{at}.resource"))))
        }
        (Interaction::Put(target), Some(resource)) => {
            let resource = validated(resource, target.resource_type, at)?;
            // R4 requires that they are equal.
            if resource.id() == Some(target.id) {
                return Ok(EntryRequest::Write {
                    target,
                    resource,
                    create: false,
                });
            }
            let why = "the resource's id must be the one in request.url";
            let issue = Issue::new(IssueCode::Invariant, why);
            Err(Refusal::request(issue.at(&format!("{at}.resource.id"))))
        }
        (Interaction::Post(resource_type), Some(resource)) => {
            let mut resource = validated(resource, resource_type, at)?;
            let target = Reference {
                resource_type,
                id: new_id(),
            };
            resource.set_id(target.id);
            Ok(EntryRequest::Write {
                target,
                resource,
                create: true,
            })
        }
    }
}

fn interaction(
    request: &Map<String, Value>,
    at: &str,
    bundle_type: BundleType,
) -> Result<Interaction, Refusal> {
    let refuse = |code, why: &'static str, element: &str| {
        Refusal::request(Issue::new(code, why).at(&format!("{at}.{element}")))
    };
    // A condition is refused rather than ignored: without it the request would do something else.
    for condition in ["ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist"] {
        if request.contains_key(condition) {
            let why = "conditional requests are not supported in a Bundle";
            return Err(refuse(IssueCode::NotSupported, why, condition));
        }
    }
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let Some(url) = text("url") else {
        return Err(refuse(
            IssueCode::Required,
            "request.url is required",
            "url",
        ));
    };
    let (name, id) = url
        .split_once('/')
        .map_or((url, None), |(name, id)| (name, Some(id)));
    let resource_type: ResourceType = name.parse().map_err(|_unknown| {
        let supported = ResourceType::names();
        let why = format!(
            "request.url must be a type, or a type, a slash and an id; supported types are: {supported}"
        );
        Refusal::request(Issue::new(IssueCode::NotSupported, why).at(&format!("{at}.url")))
    })?;
    let id = id.map(parse_id).transpose();
    let id = id.and_then(|id| match id {
        Some(id) => resource_type.check_id(id).map(|()| Some(id)),
        None => Ok(None),
    });
    let id = id.map_err(|issue| Refusal::request(issue.at(&format!("{at}.url"))))?;
    match (text("method"), id) {
        (Some("POST"), None) => Ok(Interaction::Post(resource_type)),
        (Some("PUT"), Some(id)) => Ok(Interaction::Put(Reference { resource_type, id })),
        (Some("GET"), Some(id)) if bundle_type == BundleType::Batch => {
            Ok(Interaction::Get(Reference { resource_type, id }))
        }
        (Some("GET"), _) => {
            let why = "GET is supported in a batch only, for one resource by type and id";
            Err(refuse(IssueCode::NotSupported, why, "method"))
        }
        (Some("PUT"), None) => {
            let why = "PUT requires a type and an id; without an id, use POST";
            Err(refuse(IssueCode::Required, why, "url"))
        }
        (Some("POST"), Some(_)) => {
            let why = "POST requires a type only; with an id, use PUT";
            Err(refuse(IssueCode::Invariant, why, "url"))
        }
        _ => {
            let why = "only PUT and POST are supported, and GET in a batch";
            Err(refuse(IssueCode::NotSupported, why, "method"))
        }
    }
}

/// The validated resource, which has the type that the request names.
fn validated(
    resource: SensitiveJson,
    resource_type: ResourceType,
    at: &str,
) -> Result<Resource, Refusal> {
    let path = format!("{at}.resource");
    let resource = Resource::validate(resource, Some(&path)).map_err(Refusal::resource)?;
    if resource.resource_type() == resource_type {
        return Ok(resource);
    }
    let why = "request.url must name the resource's own type";
    Err(Refusal::request(
        Issue::new(IssueCode::Invariant, why).at(&format!("{at}.request.url")),
    ))
}
