//! The interaction that an entry's `request` names: R4 3.1.0.11 (<https://hl7.org/fhir/R4/http.html#transaction>).

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::condition::Condition;
use super::condition::Unsupported;
use super::read::ReadInteraction;
use super::read::ReadPrecondition;
use super::refusal::Refusal;
use super::write::WritePrecondition;
use crate::EntityTags;
use crate::Issue;
use crate::IssueCode;
use crate::Reference;
use crate::ResourceType;
use crate::limits::MAX_REQUEST_URL_BYTES;
use crate::parse_id;
use crate::parse_version;

/// A `RESTful` interaction.
pub(super) enum Interaction {
    Read(ReadInteraction, ReadPrecondition),
    /// POST; with a condition, only if nothing matches it (`ifNoneExist`).
    Create(ResourceType, Option<Condition>),
    Update(WriteTarget, WritePrecondition),
    Patch(Reference, WritePrecondition),
    Delete(WriteTarget, WritePrecondition),
}

/// The resource that a PUT or DELETE names.
pub(super) enum WriteTarget {
    /// By its id.
    Id(Reference),
    /// By a search.
    Match(Condition),
}

/// `Bundle.entry.request`.
struct Request<'r> {
    members: &'r Map<String, Value>,
    /// Its path: `Bundle.entry[3].request`.
    at: &'r str,
    /// The server's own base.
    server: Option<&'r str>,
}

/// The parts of `request.url`.
struct Url<'r> {
    resource_type: ResourceType,
    /// The path after the type.
    segments: Vec<&'r str>,
    query: Option<&'r str>,
}

/// Parses a request, which is validated as `Bundle.entry.request`.
pub(super) fn interaction(
    members: &Map<String, Value>,
    at: &str,
    server: Option<&str>,
) -> Result<Interaction, Refusal> {
    let request = Request {
        members,
        at,
        server,
    };
    let url = request.url()?;
    match request.text("method") {
        Some("GET") => request.get(&url),
        Some("POST") => request.post(&url),
        Some("PUT") => request.put(&url),
        Some("PATCH") => request.patch(&url),
        Some("DELETE") => request.delete(&url),
        Some("HEAD") => {
            let why =
                "HEAD is not supported in a Bundle, because its response is that of GET: use GET";
            Err(request.refuse(IssueCode::NotSupported, why, "method"))
        }
        _ => {
            let why = "the method must be GET, POST, PUT, PATCH or DELETE";
            Err(request.refuse(IssueCode::NotSupported, why, "method"))
        }
    }
}

impl<'r> Request<'r> {
    fn text(&self, name: &str) -> Option<&'r str> {
        self.members.get(name).and_then(Value::as_str)
    }

    fn refuse(&self, code: IssueCode, why: &'static str, element: &str) -> Refusal {
        Refusal::request(Issue::new(code, why).at(&format!("{}.{element}", self.at)))
    }

    /// Refuses conditions that the method does not have: without them the request would do something else.
    fn only(&self, allowed: &[&str]) -> Result<(), Refusal> {
        for condition in ["ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist"] {
            if self.members.contains_key(condition) && !allowed.contains(&condition) {
                let why = "this condition has no meaning for the method";
                return Err(self.refuse(IssueCode::Invariant, why, condition));
            }
        }
        Ok(())
    }

    fn url(&self) -> Result<Url<'r>, Refusal> {
        let Some(url) = self.text("url") else {
            return Err(self.refuse(IssueCode::Required, "request.url is required", "url"));
        };
        if url.len() > MAX_REQUEST_URL_BYTES {
            return Err(self.refuse(IssueCode::TooLong, "request.url is too long", "url"));
        }
        // The URL is relative to the server's base; clients also send it with a slash or with the base.
        let own = self
            .server
            .and_then(|base| url.strip_prefix(base)?.strip_prefix('/'));
        let url = own.or_else(|| url.strip_prefix('/')).unwrap_or(url);
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url, None),
        };
        let mut segments = path.split('/');
        let name = segments.next().unwrap_or_default();
        let resource_type = name.parse().map_err(|_unknown| {
            let supported = ResourceType::names();
            let why = format!(
                "request.url must begin with a type, relative to the base of this server; supported types are: \
                 {supported}"
            );
            let issue = Issue::new(IssueCode::NotSupported, why);
            Refusal::request(issue.at(&format!("{}.url", self.at)))
        })?;
        Ok(Url {
            resource_type,
            // One more than the longest URL has.
            segments: segments.take(4).collect(),
            query,
        })
    }

    fn id(&self, url: &Url<'_>, id: &str) -> Result<Reference, Refusal> {
        let checked = parse_id(id).and_then(|id| url.resource_type.check_id(id).map(|()| id));
        let resource_type = url.resource_type;
        match checked {
            Ok(id) => Ok(Reference { resource_type, id }),
            Err(issue) => Err(Refusal::request(issue.at(&format!("{}.url", self.at)))),
        }
    }

    fn condition(
        &self,
        resource_type: ResourceType,
        query: &str,
        element: &str,
    ) -> Result<Condition, Refusal> {
        Condition::parse(resource_type, query, self.server)
            .map_err(|Unsupported(code, why)| self.refuse(code, why, element))
    }

    fn get(&self, url: &Url<'_>) -> Result<Interaction, Refusal> {
        let precondition = self.read_precondition()?;
        let is_conditional =
            precondition.if_none_match.is_some() || precondition.if_modified_since.is_some();
        let query = || Zeroizing::new(url.query.unwrap_or_default().to_owned());
        let read = match (url.segments.as_slice(), url.query) {
            ([id], None) => ReadInteraction::Read(self.id(url, id)?),
            ([id, "_history", version], None) => {
                let target = self.id(url, id)?;
                let why = "a version is a number from 1";
                let version = parse_version(version)
                    .ok_or_else(|| self.refuse(IssueCode::Value, why, "url"))?;
                ReadInteraction::Version(target, version)
            }
            ([id, "_history"], _) => ReadInteraction::History {
                target: self.id(url, id)?,
                query: query(),
            },
            ([], _) => ReadInteraction::Search {
                resource_type: url.resource_type,
                query: query(),
            },
            (segments, _) => {
                let is_operation = segments.iter().any(|segment| segment.starts_with('$'));
                let why = if is_operation {
                    "operations are not supported in a Bundle: send the request by itself"
                } else {
                    "GET in a Bundle is Type/id, Type/id/_history, Type/id/_history/version, or Type?parameters"
                };
                return Err(self.refuse(IssueCode::NotSupported, why, "url"));
            }
        };
        if is_conditional
            && !matches!(
                read,
                ReadInteraction::Read(_) | ReadInteraction::Version(..)
            )
        {
            let why = "ifNoneMatch and ifModifiedSince are for a GET of one resource";
            return Err(self.refuse(IssueCode::NotSupported, why, "url"));
        }
        Ok(Interaction::Read(read, precondition))
    }

    fn read_precondition(&self) -> Result<ReadPrecondition, Refusal> {
        self.only(&["ifNoneMatch", "ifModifiedSince"])?;
        let if_none_match = self.text("ifNoneMatch").map(|text| {
            let why = "ifNoneMatch must be entity tags such as W/\"1\", or *";
            EntityTags::parse(text).ok_or_else(|| self.refuse(IssueCode::Value, why, "ifNoneMatch"))
        });
        let if_modified_since = self.text("ifModifiedSince").map(|text| {
            let why = "ifModifiedSince must be an instant";
            OffsetDateTime::parse(text, &Rfc3339)
                .map_err(|_malformed| self.refuse(IssueCode::Value, why, "ifModifiedSince"))
        });
        Ok(ReadPrecondition {
            if_none_match: if_none_match.transpose()?,
            if_modified_since: if_modified_since.transpose()?,
        })
    }

    fn post(&self, url: &Url<'_>) -> Result<Interaction, Refusal> {
        self.only(&["ifNoneExist"])?;
        match (url.segments.as_slice(), url.query) {
            ([], None) => {}
            (["_search"], _) => {
                let why = "a search in a Bundle is a GET with its parameters in request.url, which is part of the body";
                return Err(self.refuse(IssueCode::NotSupported, why, "url"));
            }
            ([operation, ..] | [_, operation, ..], _) if operation.starts_with('$') => {
                let why = "operations are not supported in a Bundle: send the request by itself";
                return Err(self.refuse(IssueCode::NotSupported, why, "url"));
            }
            _ => {
                let why = "POST requires a type only; with an id, use PUT; a condition stands in ifNoneExist";
                return Err(self.refuse(IssueCode::Invariant, why, "url"));
            }
        }
        let condition = self.text("ifNoneExist").map(|query| {
            if query.len() > MAX_REQUEST_URL_BYTES {
                return Err(self.refuse(
                    IssueCode::TooLong,
                    "ifNoneExist is too long",
                    "ifNoneExist",
                ));
            }
            let query = query.strip_prefix('?').unwrap_or(query);
            self.condition(url.resource_type, query, "ifNoneExist")
        });
        Ok(Interaction::Create(
            url.resource_type,
            condition.transpose()?,
        ))
    }

    /// The resource that a PUT or DELETE names.
    fn target(&self, url: &Url<'_>, why: &'static str) -> Result<WriteTarget, Refusal> {
        match (url.segments.as_slice(), url.query) {
            ([id], None) => Ok(WriteTarget::Id(self.id(url, id)?)),
            ([], Some(query)) => {
                let condition = self.condition(url.resource_type, query, "url")?;
                Ok(WriteTarget::Match(condition))
            }
            _ => Err(self.refuse(IssueCode::Required, why, "url")),
        }
    }

    fn put(&self, url: &Url<'_>) -> Result<Interaction, Refusal> {
        self.only(&["ifMatch", "ifNoneMatch"])?;
        let why = "PUT requires Type/id, or Type?identifier=system|value; without either, use POST";
        let target = self.target(url, why)?;
        let absent = match self.text("ifNoneMatch") {
            None => false,
            Some("*") => true,
            Some(_) => {
                let why = "for PUT, ifNoneMatch must be *: the resource does not exist yet";
                return Err(self.refuse(IssueCode::NotSupported, why, "ifNoneMatch"));
            }
        };
        let precondition = match (self.if_match()?, absent) {
            (precondition, false) => precondition,
            (WritePrecondition::None, true) => WritePrecondition::Absent,
            (WritePrecondition::Version(_) | WritePrecondition::Absent, true) => {
                let why = "ifMatch and ifNoneMatch contradict each other";
                return Err(self.refuse(IssueCode::Invariant, why, "ifNoneMatch"));
            }
        };
        Ok(Interaction::Update(target, precondition))
    }

    fn patch(&self, url: &Url<'_>) -> Result<Interaction, Refusal> {
        self.only(&["ifMatch"])?;
        match (url.segments.as_slice(), url.query) {
            ([id], None) => Ok(Interaction::Patch(self.id(url, id)?, self.if_match()?)),
            ([], Some(_)) => {
                let why =
                    "conditional PATCH is not supported: search for the resource, and send its id";
                Err(self.refuse(IssueCode::NotSupported, why, "url"))
            }
            _ => {
                let why = "PATCH requires Type/id";
                Err(self.refuse(IssueCode::Required, why, "url"))
            }
        }
    }

    fn delete(&self, url: &Url<'_>) -> Result<Interaction, Refusal> {
        self.only(&["ifMatch"])?;
        let why = "DELETE requires Type/id, or Type?identifier=system|value";
        Ok(Interaction::Delete(
            self.target(url, why)?,
            self.if_match()?,
        ))
    }

    fn if_match(&self) -> Result<WritePrecondition, Refusal> {
        let Some(text) = self.text("ifMatch") else {
            return Ok(WritePrecondition::None);
        };
        // Without the quotes the meaning is still clear, and clients send it so.
        let tag = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        let why = "ifMatch must be the entity tag of one version, such as W/\"1\"";
        parse_version(tag)
            .map(WritePrecondition::Version)
            .ok_or_else(|| self.refuse(IssueCode::Value, why, "ifMatch"))
    }
}

/// The id of a resource that a conditional update carries.
pub(super) fn own_id(resource_type: ResourceType, id: Option<&str>) -> Result<Option<Uuid>, Issue> {
    let parse = |id| {
        let id = parse_id(id)?;
        resource_type.check_id(id).map(|()| id)
    };
    id.map(parse).transpose()
}
