//! The assembled document: everything that an environment deploys, in one place.

use serde_json::Map;
use serde_json::Value;

/// All resources of an environment's templates, with every parameter, condition and reference
/// between stacks resolved: what would stand in the accounts after a deployment.
#[derive(Clone, Debug, Default)]
pub struct Architecture {
    resources: Map<String, Value>,
}

/// One resource of it.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// Its id in the assembled document: the nested stack's, then its own (`DatabaseInstance`).
    pub id: &'a str,
    /// Its type, such as `AWS::RDS::DBInstance`.
    pub kind: &'a str,
    /// The whole of it: `Type`, `Properties`, `DeletionPolicy`, …
    pub whole: &'a Value,
}

/// What an intrinsic function that is left names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// `{"Ref": id}`.
    To(&'a str),
    /// `{"Fn::GetAtt": [id, attribute]}`.
    Attribute(&'a str, &'a str),
}

impl Architecture {
    /// Of the resources of an assembled document, by their ids.
    #[must_use]
    pub fn of(resources: Map<String, Value>) -> Self {
        Self { resources }
    }

    /// The document that rules are run on.
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
            .map(|(id, whole)| Resource::new(id, whole))
    }

    /// Those of a type.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = Resource<'a>> {
        self.resources().filter(move |found| found.kind == kind)
    }

    /// The resource of an id.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<Resource<'_>> {
        let (id, whole) = self.resources.get_key_value(id)?;
        Some(Resource::new(id, whole))
    }
}

impl<'a> Resource<'a> {
    fn new(id: &'a str, whole: &'a Value) -> Self {
        let kind = whole.get("Type").and_then(Value::as_str).unwrap_or("");
        Self { id, kind, whole }
    }

    /// A property, by the names that lead to it separated by slashes: `VpcConfig/SubnetIds`.
    #[must_use]
    pub fn property(&self, path: &str) -> Option<&'a Value> {
        path.split('/')
            .try_fold(self.whole.get("Properties")?, |at, name| at.get(name))
    }

    /// A property that is text without references.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.property(path)?.as_str()
    }

    /// The stack that it comes from: the name of its template.
    #[must_use]
    pub fn stack(&self) -> &'a str {
        self.metadata("Stack")
    }

    /// Where it is deployed.
    #[must_use]
    pub fn region(&self) -> &'a str {
        self.metadata("Region")
    }

    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> &'a str {
        self.metadata("Account")
    }

    fn metadata(&self, name: &str) -> &'a str {
        let value = self.whole.get("Metadata").and_then(|found| found.get(name));
        value.and_then(Value::as_str).unwrap_or("")
    }
}

impl<'a> Reference<'a> {
    /// What a value refers to, if it is nothing but a reference.
    #[must_use]
    pub fn of(value: &'a Value) -> Option<Self> {
        let object = value.as_object().filter(|object| object.len() == 1)?;
        if let Some(id) = object.get("Ref") {
            return Some(Self::To(id.as_str()?));
        }
        let parts = object.get("Fn::GetAtt")?.as_array()?;
        Some(Self::Attribute(
            parts.first()?.as_str()?,
            parts.get(1)?.as_str()?,
        ))
    }

    /// The id of the resource.
    #[must_use]
    pub fn id(&self) -> &'a str {
        match self {
            Self::To(id) | Self::Attribute(id, _) => id,
        }
    }
}
