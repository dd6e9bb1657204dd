//! The owner of a resource, determined from its references.

use serde_json::Value;
use uuid::Uuid;

use super::Resource;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Reference;
use crate::ResourceClass;
use crate::ResourceType;
use crate::reference::restful;
use crate::resource_type::Owner;

impl Resource {
    /// The patient that owns the resource; `None` if the organization does. `root` is the path of the
    /// resource, for issues.
    ///
    /// # Errors
    ///
    /// The resource is a Patient without an id; it refers to no patient, to more than one, or in a form
    /// other than `Patient/uuid`; or the organization would own it, and it refers to a patient.
    pub fn owner(&self, root: &str) -> Result<Option<Uuid>, Issue> {
        match self.resource_type.owner() {
            Owner::Itself => {
                let missing = || Issue::new(IssueCode::Required, "a Patient must have an id");
                self.id().map(Some).ok_or_else(|| missing().at(root))
            }
            Owner::Patient(paths) => self.owner_at(paths, root).map(Some),
            Owner::PatientOrOrganization(paths) => {
                if self.is_about_patient(paths, root)? {
                    return self.owner_at(paths, root).map(Some);
                }
                self.ensure_no_patient(root).map(|()| None)
            }
            Owner::Organization => match self.resource_type.class() {
                ResourceClass::Directory => self.ensure_no_patient(root).map(|()| None),
                ResourceClass::Demographics | ResourceClass::Clinical | ResourceClass::Billing => {
                    Ok(None)
                }
            },
        }
    }

    /// The patient that the elements at these paths refer to.
    fn owner_at(&self, paths: &[&str], root: &str) -> Result<Uuid, Issue> {
        let found = self.elements_at(paths, root);
        let mut references = found.iter().filter_map(|(at, element)| {
            let text = element.get("reference").and_then(Value::as_str)?;
            Some((at, text))
        });
        let Some((first, first_text)) = references.next() else {
            let why = "a resource of this type must refer to the patient that it is about";
            let path = paths.first().map(|path| path.replace("[]", ""));
            let at = format!("{root}.{}.reference", path.unwrap_or_default());
            return Err(Issue::new(IssueCode::Required, why).at(&at));
        };
        let patient = |text: &str| {
            Reference::parse(text)
                .filter(|it| it.resource_type == ResourceType::Patient)
                .map(|it| it.id)
        };
        let of_others = || references.find_map(|(_, text)| patient(text));
        let Some(owner) = patient(first_text).or_else(of_others) else {
            let why = "this reference must name one patient, as Patient/ with a UUID, or a Patient entry \
                       of the same Bundle";
            let at = format!("{first}.reference");
            return Err(Issue::new(IssueCode::BusinessRule, why).at(&at));
        };
        match self.element_that(|value| refers_to_other(value, owner)) {
            None => Ok(owner),
            Some(other) => {
                let why = "a resource must refer to one patient only: the one that it is about";
                let path = ElementPath::Root(root);
                let path = ElementPath::Field(&path, other);
                Err(Issue::new(IssueCode::BusinessRule, why).at(&path))
            }
        }
    }

    /// Whether one of the elements at these paths refers to a patient.
    ///
    /// # Errors
    ///
    /// An element does not say to what type of resource it refers: the resource would be filed in the
    /// organization, although it may be a patient's.
    fn is_about_patient(&self, paths: &[&str], root: &str) -> Result<bool, Issue> {
        let mut is_about_patient = false;
        for (at, element) in self.elements_at(paths, root) {
            match self.target_type(element) {
                Some("Patient") => is_about_patient = true,
                Some(_) => {}
                None => {
                    let why = "this reference must name a resource, as its type and its id: the type \
                               decides whether the resource is a patient's or the organization's";
                    return Err(Issue::new(IssueCode::BusinessRule, why).at(&at));
                }
            }
        }
        Ok(is_about_patient)
    }

    /// The type of the resource that a `Reference` names.
    fn target_type<'v>(&'v self, element: &'v Value) -> Option<&'v str> {
        let text = |name: &str| element.get(name).and_then(Value::as_str);
        let name = match text("reference") {
            None => text("type")?.rsplit('/').next()?,
            // Which contained resource it is does not matter, unless a patient is among them.
            Some(reference) if reference.starts_with('#') => {
                let types = self.contained().map(|it| it.get("resourceType")?.as_str());
                types.reduce(|one, other| if one == Some("Patient") { one } else { other })??
            }
            Some(reference) => restful(reference.split('#').next()?)?.resource_type,
        };
        name.parse().ok().map(ResourceType::name)
    }

    /// Checks that a resource of the organization tells nothing of a patient.
    fn ensure_no_patient(&self, root: &str) -> Result<(), Issue> {
        let path = ElementPath::Root(root);
        let refuse = |element: &str| {
            let why = "a resource of the organization must not refer to a patient, nor contain a \
                       resource that is about one";
            let path = ElementPath::Field(&path, element);
            Err(Issue::new(IssueCode::BusinessRule, why).at(&path))
        };
        // A contained resource may be about the patient of its container without a reference.
        let is_of_patient = |contained: &Value| {
            let name = contained.get("resourceType").and_then(Value::as_str);
            match name
                .and_then(|name| name.parse().ok())
                .map(ResourceType::owner)
            {
                Some(Owner::Organization | Owner::PatientOrOrganization(_)) => false,
                // Bundles and Parameters have resources in them.
                Some(Owner::Itself | Owner::Patient(_)) | None => true,
            }
        };
        if self.contained().any(is_of_patient) {
            return refuse("contained");
        }
        self.element_that(names_patient).map_or(Ok(()), refuse)
    }

    /// The contained resources.
    fn contained(&self) -> impl Iterator<Item = &Value> {
        let contained = self.document.value().get("contained");
        contained.and_then(Value::as_array).into_iter().flatten()
    }

    /// The first element with a value for which the predicate holds. All elements are searched, extensions
    /// and contained resources included: a resource with references to two patients would disclose one
    /// patient in the chart of the other.
    fn element_that(&self, predicate: impl Fn(&Value) -> bool) -> Option<&str> {
        let object = self.document.value().as_object()?;
        let found = object.iter().find(|(_, value)| predicate(value));
        found.map(|(name, _)| name.as_str())
    }

    /// The elements at the paths, each with its expression.
    fn elements_at(&self, paths: &[&str], root: &str) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        for path in paths {
            elements_at(self.document.value(), path, root, &mut found);
        }
        found
    }
}

/// Collects the elements at a path such as `participant[].actor`, each with its expression.
fn elements_at<'v>(
    value: &'v Value,
    path: &str,
    expression: &str,
    found: &mut Vec<(String, &'v Value)>,
) {
    let (segment, rest) = path.split_once('.').unwrap_or((path, ""));
    if segment.is_empty() {
        found.push((expression.to_owned(), value));
        return;
    }
    let name = segment.trim_end_matches("[]");
    let expression = format!("{expression}.{name}");
    match value.get(name) {
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                elements_at(item, rest, &format!("{expression}[{index}]"), found);
            }
        }
        Some(member) => elements_at(member, rest, &expression, found),
        None => {}
    }
}

/// Whether a value contains a reference to a patient other than `owner`.
fn refers_to_other(value: &Value, owner: Uuid) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| refers_to_other(item, owner)),
        Value::Object(members) => members.iter().any(|(name, member)| {
            match (name.as_str(), member.as_str().and_then(Reference::parse)) {
                (
                    "reference",
                    Some(Reference {
                        resource_type: ResourceType::Patient,
                        id,
                    }),
                ) => id != owner,
                _ => refers_to_other(member, owner),
            }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a value contains a reference to any patient, on this server or elsewhere, by id or by
/// identifier.
fn names_patient(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(names_patient),
        Value::Object(members) => {
            // `type` alone is not enough: that of a StructureDefinition may be Patient, too.
            let logical = members.get("identifier").is_some_and(Value::is_object)
                && members.get("type").and_then(Value::as_str) == Some("Patient");
            let literal = members.get("reference").and_then(Value::as_str);
            logical || literal.is_some_and(is_patient_url) || members.values().any(names_patient)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a URL is that of a patient: `Patient/1`, `Patient?…`, `https://host/fhir/Patient/1`.
fn is_patient_url(url: &str) -> bool {
    let (path, is_search) = match url.split_once('?') {
        Some((path, _)) => (path, true),
        None => (url, false),
    };
    let mut segments = path.split(['/', '#']).peekable();
    while let Some(segment) = segments.next() {
        if segment == "Patient" && (is_search || segments.peek().is_some()) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
