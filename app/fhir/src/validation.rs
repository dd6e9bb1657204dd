//! The operation `$validate`: the checks of a write, without the write (R4,
//! <https://hl7.org/fhir/R4/resource-operation-validate.html>).

use serde_json::Map;
use serde_json::Value;
use uuid::Uuid;

use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::SensitiveJson;
use crate::Severity;
use crate::bundle::WriteMode;
use crate::bundle::single;
use crate::limits::MAX_PARAMETERS;
use crate::parse_id;
use crate::refused_reason;
use crate::validate;

mod request;

use request::ValidationRequest;

/// The base of the canonical URLs of R4's own types.
const CORE_PROFILES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// `mode`: the interaction for which a resource is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValidationMode {
    Create,
    Update,
    Delete,
}

/// The address to which a resource is sent for validation.
#[derive(Clone, Copy, Debug, Default)]
pub struct ValidationTarget {
    /// The type in the URL.
    pub resource_type: Option<ResourceType>,
    /// The id in the URL.
    pub id: Option<Uuid>,
}

/// The check of a valid resource by rules that this crate does not know, such as those of an access policy: the issue of a
/// resource that a write would be refused for. The text is the path of the resource.
pub type ResourcePolicy<'p> = &'p dyn Fn(&Resource, &str) -> Option<Issue>;

/// Validates a body, which is a resource of any type of R4, or `Parameters` with one. `query` is the query string,
/// `server` the server's own base (`https://host/fhir`), and `policy` a check of a resource that is valid.
///
/// The result is the `OperationOutcome` with what a write would be refused for; nothing that is stored is compared.
///
/// # Errors
///
/// 400 for a request that names no resource, or a profile or mode that is not supported.
pub fn validate(
    body: &[u8],
    target: ValidationTarget,
    query: &str,
    server: &str,
    policy: ResourcePolicy<'_>,
) -> Result<Value, OperationOutcome> {
    let document = match SensitiveJson::parse(body) {
        Ok(document) => document,
        Err(issues) => return Ok(outcome(issues.into())),
    };
    let request = ValidationRequest::read(document, query)?;
    let Some(document) = request.resource else {
        return match request.mode {
            Some(ValidationMode::Delete) => Ok(outcome(Issues::default())),
            Some(ValidationMode::Create | ValidationMode::Update) | None => {
                let why = "send a resource, or Parameters with a parameter named resource";
                let issue = Issue::new(IssueCode::Required, why);
                Err(OperationOutcome::bad_request(issue))
            }
        };
    };
    let checks = Checks {
        target,
        mode: request.mode,
        server,
        policy,
    };
    for profile in &request.profiles {
        require_known_profile(profile, document.value())?;
    }
    Ok(outcome(checks.issues(document)))
}

/// The outcome of a validation.
fn outcome(issues: Issues) -> Value {
    if issues.is_empty() {
        return OperationOutcome::information(
            "valid: structure, data types, required codes, references and owner; nothing was stored",
        );
    }
    OperationOutcome::bad_request(issues).to_json()
}

/// Refuses all profiles but R4's own definition of the type.
fn require_known_profile(profile: &str, resource: &Value) -> Result<(), OperationOutcome> {
    let of_core = profile.strip_prefix(CORE_PROFILES);
    let name = of_core.map(|name| name.trim_end_matches("|4.0.1"));
    if name.is_some() && name == resource.get("resourceType").and_then(Value::as_str) {
        return Ok(());
    }
    let why = "no profiles are installed: resources are validated against R4's own definition of their type only";
    let issue = Issue::new(IssueCode::NotSupported, why).at("profile");
    Err(OperationOutcome::bad_request(issue))
}

/// The checks of one resource.
struct Checks<'c> {
    target: ValidationTarget,
    mode: Option<ValidationMode>,
    server: &'c str,
    policy: ResourcePolicy<'c>,
}

impl Checks<'_> {
    /// What a write of the document would be refused for.
    fn issues(&self, document: SensitiveJson) -> Issues {
        let Some(object) = document.value().as_object() else {
            return Issue::new(IssueCode::Structure, "a resource must be a JSON object").into();
        };
        let name = object.get("resourceType").and_then(Value::as_str);
        let known: Option<ResourceType> = name.and_then(|name| name.parse().ok());
        let refused = name.and_then(|name| Some((name, refused_reason(name)?)));
        let root = known.map(ResourceType::name);
        let root = root.or(refused.and_then(|(name, _)| canonical(name)));
        let root = root.unwrap_or("Resource");
        let mut issues = validate::any_resource(object, &ElementPath::Root(root));
        if let Some(expected) = self.target.resource_type
            && known != Some(expected)
        {
            let why = "the URL must name the resource's own type";
            let path = format!("{root}.resourceType");
            issues.add(|| Issue::new(IssueCode::Invariant, why).at(&path));
        }
        if let Some((_, reason)) = refused {
            issues.add(|| self.advisory(IssueCode::NotSupported, reason));
        }
        let id = self.id(object, root, &mut issues);
        if let (Some(resource_type), true) = (known, issues.is_empty()) {
            let target = Reference { resource_type, id };
            issues.append(self.storage_issues(document, target));
        }
        issues
    }

    /// The issues of a valid resource that is stored with this id.
    fn storage_issues(&self, document: SensitiveJson, target: Reference) -> Issues {
        let resource = match Resource::validate(document, None) {
            Ok(resource) => resource,
            Err(issues) => return issues,
        };
        let policy = (self.policy)(&resource, target.resource_type.name());
        let mode = match self.mode {
            Some(ValidationMode::Update) => WriteMode::Update,
            Some(ValidationMode::Create | ValidationMode::Delete) | None => {
                WriteMode::CreateWithNewId
            }
        };
        match single::check(resource, target, mode, self.server) {
            Ok(_valid) => policy.map(Issues::from).unwrap_or_default(),
            Err(mut issues) => {
                issues.append(policy.map(Issues::from).unwrap_or_default());
                issues
            }
        }
    }

    /// The id with which the resource would be stored: that in the body for an update. A create ignores it.
    fn id(&self, object: &Map<String, Value>, root: &str, issues: &mut Issues) -> Uuid {
        let path = format!("{root}.id");
        let sent = object.get("id").and_then(Value::as_str);
        let is_update = match self.mode {
            Some(ValidationMode::Create | ValidationMode::Delete) => false,
            Some(ValidationMode::Update) => true,
            None => self.target.id.is_some(),
        };
        match (sent.map(parse_id), self.target.id) {
            (Some(Ok(id)), expected) if is_update && expected.is_some_and(|it| it != id) => {
                let why = "the resource's id must be the one in the URL";
                issues.add(|| Issue::new(IssueCode::Invariant, why).at(&path));
                id
            }
            (Some(Ok(id)), _) => id,
            (Some(Err(issue)), _) if is_update => {
                issues.add(|| issue.at(&path));
                Uuid::nil()
            }
            (Some(Err(issue)), _) if self.mode.is_none() => {
                let severity = Severity::Warning;
                issues.add(|| Issue { severity, ..issue }.at(&path));
                Uuid::nil()
            }
            (None, _) if is_update => {
                let why = "the resource must have the id with which it is stored";
                issues.add(|| Issue::new(IssueCode::Required, why).at(&path));
                Uuid::nil()
            }
            (Some(Err(_)) | None, _) => Uuid::nil(),
        }
    }

    /// An issue that is an error for a write, and otherwise a warning.
    fn advisory(&self, code: IssueCode, why: &'static str) -> Issue {
        let severity = match self.mode {
            Some(_) => Severity::Error,
            None => Severity::Warning,
        };
        Issue {
            severity,
            ..Issue::new(code, why)
        }
    }
}

/// The name of a type that is not stored, as a text of this program.
fn canonical(name: &str) -> Option<&'static str> {
    let mut all = crate::resource_type::refused_names();
    all.find(|known| *known == name)
}

#[cfg(test)]
mod tests;
