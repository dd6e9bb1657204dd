//! The templates as they stand in the folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::fault::Fault;
use crate::folder;
use crate::yaml;

/// All templates of a folder, parsed, by their names without `.yaml`.
#[derive(Clone, Debug, Default)]
pub struct Templates(BTreeMap<String, Value>);

impl Templates {
    /// Reads every `.yaml` file of a folder.
    ///
    /// # Errors
    /// The first file that cannot be read or is no template.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let mut templates = BTreeMap::new();
        for file in folder::files_of(folder, "yaml")? {
            let template = yaml::parse(&file.text).map_err(|error| file.fault(error))?;
            let name = file.path.file_stem().unwrap_or_default();
            templates.insert(name.to_string_lossy().into_owned(), template);
        }
        Ok(Self(templates))
    }

    /// A template by its name.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn template(&self, name: &str) -> Result<&Value, Fault> {
        let found = self.0.get(name);
        found.ok_or_else(|| Fault::new(format!("there is no template {name}")))
    }

    /// The same, to be changed.
    pub(crate) fn template_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.get_mut(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .iter()
            .map(|(name, template)| (name.as_str(), template))
    }
}
