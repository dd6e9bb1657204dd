//! The assembled document: all resources that an environment deploys.

use serde_json::Map;
use serde_json::Value;

/// All resources of an environment's templates, with every parameter, condition and reference between stacks resolved:
/// what the accounts contain after a deployment.
#[derive(Clone, Debug, Default)]
pub struct Architecture {
    resources: Map<String, Value>,
}

/// A resource of an architecture.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// Its id in the assembled document: the nested stack's id, then its own (`DatabaseInstance`).
    pub id: &'a str,
    /// Its type, such as `AWS::RDS::DBInstance`.
    pub resource_type: &'a str,
    /// The definition: `Type`, `Properties`, `DeletionPolicy`, …
    pub definition: &'a Value,
}

/// A reference to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// `{"Ref": id}`.
    Ref(&'a str),
    /// `{"Fn::GetAtt": [id, attribute]}`.
    GetAtt(&'a str, &'a str),
}

impl Architecture {
    /// Creates an architecture from resources by their ids.
    #[must_use]
    pub fn new(resources: Map<String, Value>) -> Self {
        Self { resources }
    }

    /// The document that rules read.
    #[must_use]
    pub fn document(&self) -> Value {
        Value::Object(Map::from_iter([(
            "Resources".to_owned(),
            Value::Object(self.resources.clone()),
        )]))
    }

    /// All resources, in the order of the templates.
    pub fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        self.resources
            .iter()
            .map(|(id, definition)| Resource::new(id, definition))
    }

    /// The resources of a type.
    pub fn of_type<'a>(&'a self, resource_type: &'a str) -> impl Iterator<Item = Resource<'a>> {
        self.resources()
            .filter(move |found| found.resource_type == resource_type)
    }

    /// The resource with an id.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<Resource<'_>> {
        let (id, definition) = self.resources.get_key_value(id)?;
        Some(Resource::new(id, definition))
    }
}

impl<'a> Resource<'a> {
    fn new(id: &'a str, definition: &'a Value) -> Self {
        let resource_type = definition.get("Type").and_then(Value::as_str).unwrap_or("");
        Self {
            id,
            resource_type,
            definition,
        }
    }

    /// A property, by the names that lead to it separated by slashes: `VpcConfig/SubnetIds`.
    #[must_use]
    pub fn property(&self, path: &str) -> Option<&'a Value> {
        path.split('/')
            .try_fold(self.definition.get("Properties")?, |at, name| at.get(name))
    }

    /// A property that is text without references.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.property(path)?.as_str()
    }

    /// The name of the template that declares it.
    #[must_use]
    pub fn stack(&self) -> &'a str {
        self.metadata("Stack")
    }

    /// The region that it is deployed to.
    #[must_use]
    pub fn region(&self) -> &'a str {
        self.metadata("Region")
    }

    /// The account that it is deployed to.
    #[must_use]
    pub fn account(&self) -> &'a str {
        self.metadata("Account")
    }

    fn metadata(&self, name: &str) -> &'a str {
        let value = self
            .definition
            .get("Metadata")
            .and_then(|found| found.get(name));
        value.and_then(Value::as_str).unwrap_or("")
    }
}

impl<'a> Reference<'a> {
    /// Parses a value that consists of one reference.
    #[must_use]
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        let object = value.as_object().filter(|object| object.len() == 1)?;
        if let Some(id) = object.get("Ref") {
            return Some(Self::Ref(id.as_str()?));
        }
        let parts = object.get("Fn::GetAtt")?.as_array()?;
        Some(Self::GetAtt(
            parts.first()?.as_str()?,
            parts.get(1)?.as_str()?,
        ))
    }

    /// The id of the resource.
    #[must_use]
    pub(crate) fn id(&self) -> &'a str {
        match self {
            Self::Ref(id) | Self::GetAtt(id, _) => id,
        }
    }
}
