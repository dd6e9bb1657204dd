//! The operation `Patient/$everything`: its parameters, and the references that it follows (R4,
//! <https://hl7.org/fhir/R4/patient-operation-everything.html>).

use time::OffsetDateTime;

use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::ResponseForm;
use crate::limits::MAX_COUNT;
use crate::limits::MAX_PARAMETERS;
use crate::primitive::instant;
use crate::reference::each_reference;
use crate::resource_type::Owner;
use crate::search::ResultParameters;
use crate::search::element_name;

/// The parameters of `$everything`.
#[derive(Debug)]
pub struct EverythingQuery {
    /// `_type`; all types for none.
    pub types: Vec<ResourceType>,
    /// `_since`: resources of the chart that were last updated before this time are left out.
    pub since: Option<OffsetDateTime>,
    /// `_count`: the largest number of resources of the chart in a page.
    pub count: usize,
    /// The form of the resources.
    pub form: ResponseForm,
}

impl EverythingQuery {
    /// Parses form-encoded parameters.
    ///
    /// # Errors
    ///
    /// 400 for a parameter that is not supported, or an invalid value, neither of which is repeated.
    pub fn parse(query: &[u8]) -> Result<Self, OperationOutcome> {
        let mut results = ResultParameters::default();
        let mut parsed = Self {
            types: Vec::new(),
            since: None,
            count: MAX_COUNT,
            form: ResponseForm::default(),
        };
        for (index, (name, value)) in url::form_urlencoded::parse(query).enumerate() {
            if index >= MAX_PARAMETERS {
                let why = format!("at most {MAX_PARAMETERS} parameters");
                let issue = Issue::new(IssueCode::TooCostly, why);
                return Err(OperationOutcome::bad_request(issue));
            }
            let set = parsed.add(&mut results, &name, &value);
            set.map_err(OperationOutcome::bad_request)?;
        }
        parsed.types = results.types;
        if parsed.form.is_count() {
            let why = "_summary=count is for searches";
            let issue = Issue::new(IssueCode::Value, why).at("_summary");
            return Err(OperationOutcome::bad_request(issue));
        }
        Ok(parsed)
    }

    fn add(
        &mut self,
        results: &mut ResultParameters,
        name: &str,
        value: &str,
    ) -> Result<(), Issue> {
        match name {
            "_count" => {
                let count: Option<usize> = value.parse().ok().filter(|count| *count > 0);
                let why =
                    "_count must be a number from 1; a page has at most 200 resources of the chart";
                let count = count.ok_or_else(|| Issue::new(IssueCode::Value, why).at("_count"))?;
                self.count = count.min(MAX_COUNT);
                Ok(())
            }
            "_since" => {
                let why = "_since must be an instant: YYYY-MM-DDThh:mm:ss with a time zone";
                let since = instant(value);
                self.since =
                    Some(since.ok_or_else(|| Issue::new(IssueCode::Value, why).at("_since"))?);
                Ok(())
            }
            "_type" => {
                let added = results.add(ResourceType::Patient, name, value);
                added.unwrap_or(Ok(()))
            }
            "_format" => Ok(()),
            // A chart has resources of many types.
            "_elements" => value.split(',').try_for_each(|element| {
                let mut types = ResourceType::ALL.into_iter();
                let of_type = types.find(|it| element_name(*it, element.trim()).is_some());
                let of_type = of_type.unwrap_or(ResourceType::Patient);
                self.form.add(of_type, name, element)
            }),
            "_summary" | "_pretty" => self.form.add(ResourceType::Patient, name, value),
            _ => {
                let why = format!(
                    "$everything has the parameters {} only; start and end are not supported, because the dates of \
                     care differ by type",
                    PARAMETERS.join(", ")
                );
                Err(Issue::new(IssueCode::NotSupported, why))
            }
        }
    }

    /// Whether resources of a type belong to the result.
    #[must_use]
    pub fn has_type(&self, resource_type: ResourceType) -> bool {
        self.types.is_empty() || self.types.contains(&resource_type)
    }
}

/// The supported parameters.
const PARAMETERS: [&str; 8] = [
    "_count",
    "_type",
    "_since",
    "_cursor",
    "_format",
    "_pretty",
    "_summary",
    "_elements",
];

impl Resource {
    /// The references to resources that may be the organization's own, such as practitioners, locations and
    /// medications, in the order of the document.
    #[must_use]
    pub fn directory_references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        let root = ElementPath::Root("");
        each_reference(self.value(), &root, &mut |text, _| {
            let reference = Reference::parse(text);
            found.extend(reference.filter(|it| it.resource_type.may_be_of_organization()));
        });
        found
    }
}

impl ResourceType {
    /// Whether the organization owns resources of this type, or may own them.
    #[must_use]
    pub const fn may_be_of_organization(self) -> bool {
        match self.owner() {
            Owner::Organization | Owner::PatientOrOrganization(_) => true,
            Owner::Itself | Owner::Patient(_) => false,
        }
    }

    /// Whether a patient's chart may have resources of this type besides the Patient.
    #[must_use]
    pub const fn may_be_in_chart(self) -> bool {
        match self.owner() {
            Owner::Patient(_) | Owner::PatientOrOrganization(_) => true,
            Owner::Itself | Owner::Organization => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

    #[test]
    fn the_parameters_are_read() {
        let query = "_count=500&_type=Observation,Condition&_type=Practitioner&_since=2026-11-23T15:00:00Z&_pretty=true";
        let query = EverythingQuery::parse(query.as_bytes()).expect("valid");
        assert_eq!(query.count, MAX_COUNT);
        assert_eq!(query.types.len(), 3);
        assert!(query.has_type(ResourceType::Condition));
        assert!(!query.has_type(ResourceType::Patient));
        assert_eq!(query.since, Some(datetime!(2026-11-23 15:00 UTC)));
        assert!(EverythingQuery::parse(b"_elements=birthDate,code,value").is_ok());
        let all = EverythingQuery::parse(b"").expect("valid");
        assert!(all.has_type(ResourceType::Patient));
    }

    #[test]
    fn other_parameters_are_refused_without_their_values() {
        for query in [
            "start=SECRET",
            "SECRET=1",
            "_count=SECRET",
            "_count=0",
            "_since=2026",
            "_type=SECRET",
            "_summary=count",
            "_elements=SECRET",
            "_elements=code,SECRET",
        ] {
            let refused = EverythingQuery::parse(query.as_bytes()).expect_err(query);
            assert_eq!(refused.status().code(), 400);
            assert!(!refused.to_json().to_string().contains("SECRET"));
        }
        assert!(EverythingQuery::parse("_count=1&".repeat(100).as_bytes()).is_err());
    }

    #[test]
    fn references_to_the_directory_are_found_wherever_they_are() {
        let encounter = json!({
            "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
            "subject": {"reference": format!("Patient/{ID}")},
            "participant": [{"individual": {"reference": format!("Practitioner/{ID}")}}],
            "serviceProvider": {"reference": format!("Organization/{ID}/_history/3")},
            "extension": [{"url": "urn:x", "valueReference": {"reference": format!("Device/{ID}")}}],
            "diagnosis": [{"condition": {"reference": format!("Condition/{ID}")}}],
            "partOf": {"reference": "Encounter?identifier=a|b"},
        });
        let encounter = Resource::parse(encounter.to_string().as_bytes()).expect("valid");
        let found = encounter.directory_references();
        let names: Vec<_> = found.iter().map(|it| it.resource_type.name()).collect();
        assert_eq!(names, ["Practitioner", "Organization", "Device"]);
    }
}
