//! Writes of one resource outside a Bundle, by the same rules as those of an entry.

use uuid::Uuid;

use super::condition::Conditions;
use super::full_url::FullUrlIndex;
use super::rewrite::Rewriter;
use super::write::ResourceWrite;
use super::write::WriteContent;
use super::write::WriteMode;
use super::write::WritePrecondition;
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
use crate::subset::refuse_subset;

/// The create interaction: a resource of a type, which gets the id `id`, a random one. An id in the body is ignored (R4 3.1.0.8).
///
/// `server` is the server's own base (`https://host/fhir`): references below it are local.
///
/// # Errors
///
/// 400 for a body that is not JSON or of another type; 422 for an invalid resource.
pub fn create(
    body: &[u8],
    resource_type: ResourceType,
    id: Uuid,
    server: &str,
) -> Result<ResourceWrite, OperationOutcome> {
    let target = Reference { resource_type, id };
    whole(
        validated(body, resource_type)?,
        target,
        WriteMode::CreateWithNewId,
        server,
    )
}

/// The update interaction: the resource with its id, which is in the body, too (R4 3.1.0.4).
///
/// # Errors
///
/// See [`create`]; 400 for another id.
pub fn update(
    body: &[u8],
    target: Reference,
    server: &str,
) -> Result<ResourceWrite, OperationOutcome> {
    let resource = validated(body, target.resource_type)?;
    if resource.id() != Some(target.id) {
        let why = "the resource's id must be the one in the URL";
        let issue = Issue::new(IssueCode::Invariant, why);
        let path = format!("{}.id", target.resource_type);
        return Err(OperationOutcome::bad_request(issue.at(&path)));
    }
    target
        .resource_type
        .check_id(target.id)
        .map_err(OperationOutcome::bad_request)?;
    whole(resource, target, WriteMode::Update, server)
}

/// The patch interaction: the result of a patch, which is checked as if it had been sent whole.
///
/// # Errors
///
/// 422: the result is a subset, has references that are refused, or has no owner.
pub fn patched(
    resource: Resource,
    target: Reference,
    server: &str,
) -> Result<ResourceWrite, OperationOutcome> {
    whole(resource, target, WriteMode::Update, server)
}

/// The validated resource of a body.
fn validated(body: &[u8], resource_type: ResourceType) -> Result<Resource, OperationOutcome> {
    let document = SensitiveJson::parse(body).map_err(OperationOutcome::bad_request)?;
    let invalid = |issues| OperationOutcome::new(Status::UnprocessableEntity, issues);
    let resource = Resource::validate(document, None).map_err(invalid)?;
    if resource.resource_type() == resource_type {
        return Ok(resource);
    }
    let why = "the URL must name the resource's own type";
    let issue = Issue::new(IssueCode::Invariant, why);
    let path = format!("{}.resourceType", resource.resource_type());
    Err(OperationOutcome::bad_request(issue.at(&path)))
}

/// The write of a whole resource, with its references rewritten.
fn whole(
    resource: Resource,
    target: Reference,
    mode: WriteMode,
    server: &str,
) -> Result<ResourceWrite, OperationOutcome> {
    let checked = check(resource, target, mode, server);
    checked.map_err(|issues| OperationOutcome::new(Status::UnprocessableEntity, issues))
}

/// Checks the references and the owner of a valid resource.
pub(crate) fn check(
    mut resource: Resource,
    target: Reference,
    mode: WriteMode,
    server: &str,
) -> Result<ResourceWrite, Issues> {
    let root = target.resource_type.name();
    refuse_subset(&resource, root)?;
    resource.set_id(target.id);
    let rewriter = Rewriter {
        urls: &FullUrlIndex::new(Some(server)),
        conditions: &Conditions::default(),
        matches: &[],
        targets: &[],
    };
    rewriter.rewrite(resource.value_mut(), None, &ElementPath::Root(root))?;
    let owner = resource.owner(root).map_err(Issues::from)?;
    Ok(ResourceWrite {
        entry: 0,
        resource_type: target.resource_type,
        id: target.id,
        content: WriteContent::Whole {
            resource,
            owner,
            mode,
        },
        precondition: WritePrecondition::None,
        condition: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "https://localhost:8443/fhir";
    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";
    const PATIENT: &str = "11111111-ec9a-4326-a141-556f43239520";

    fn observation(subject: &str) -> String {
        format!(
            r#"{{"resourceType":"Observation","id":"{ID}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"{subject}"}}}}"#
        )
    }

    fn target() -> Reference {
        Reference {
            resource_type: ResourceType::Observation,
            id: ID.parse().expect("a UUID"),
        }
    }

    #[test]
    fn a_reference_to_the_own_base_becomes_relative_and_names_the_owner() {
        for subject in [
            format!("Patient/{PATIENT}"),
            format!("{SERVER}/Patient/{PATIENT}"),
        ] {
            let write = update(observation(&subject).as_bytes(), target(), SERVER).expect("valid");
            let WriteContent::Whole {
                resource, owner, ..
            } = write.content
            else {
                panic!("a whole resource");
            };
            assert_eq!(owner, PATIENT.parse().ok());
            let stored = resource.value()["subject"]["reference"].clone();
            assert_eq!(stored, format!("Patient/{PATIENT}"));
        }
    }

    #[test]
    fn what_a_bundle_alone_can_resolve_is_refused() {
        for subject in [
            "Patient?identifier=a|b",
            "urn:uuid:11111111-ec9a-4326-a141-556f43239520",
            "Patient/1",
        ] {
            let refused = update(observation(subject).as_bytes(), target(), SERVER);
            let status = refused.expect_err("refused").status();
            assert_eq!(status, Status::UnprocessableEntity, "{subject}");
        }
    }

    #[test]
    fn type_and_id_are_those_of_the_url() {
        let body = observation(&format!("Patient/{PATIENT}"));
        let other = Reference {
            id: PATIENT.parse().expect("a UUID"),
            ..target()
        };
        let refused = update(body.as_bytes(), other, SERVER).expect_err("refused");
        assert_eq!(refused.status(), Status::BadRequest);
        let refused = create(body.as_bytes(), ResourceType::Condition, other.id, SERVER);
        assert_eq!(refused.expect_err("refused").status(), Status::BadRequest);
        let created = create(body.as_bytes(), ResourceType::Observation, other.id, SERVER);
        assert_eq!(created.expect("valid").id, other.id);
    }
}
