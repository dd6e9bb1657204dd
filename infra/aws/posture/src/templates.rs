//! The templates of a folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::InputError;
use crate::source_file;
use crate::yaml;

/// All templates of a folder, parsed, by their names without `.yaml`.
#[derive(Clone, Debug, Default)]
pub struct Templates(BTreeMap<String, Value>);

impl Templates {
    /// Reads every `.yaml` file of a folder.
    ///
    /// # Errors
    /// When a file cannot be read or parsed.
    pub fn read(folder: &Path) -> Result<Self, InputError> {
        let mut templates = BTreeMap::new();
        for file in source_file::read_with_extension(folder, "yaml")? {
            let template = yaml::parse(&file.text).map_err(|error| file.error(error))?;
            let name = file.path.file_stem().unwrap_or_default();
            templates.insert(name.to_string_lossy().into_owned(), template);
        }
        Ok(Self(templates))
    }

    /// A template by its name.
    ///
    /// # Errors
    /// When there is no template with this name.
    pub fn template(&self, name: &str) -> Result<&Value, InputError> {
        let found = self.0.get(name);
        found.ok_or_else(|| InputError::new(format!("there is no template {name}")))
    }

    /// A template by its name, mutable.
    pub(crate) fn template_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.get_mut(name)
    }

    /// All templates with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .iter()
            .map(|(name, template)| (name.as_str(), template))
    }
}
