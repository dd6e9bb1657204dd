//! The templates as they stand in the folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::fault::Fault;
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
        let unreadable = |error: std::io::Error| Fault::new(error.to_string());
        let at = |fault: Fault, path: &Path| fault.within(&path.display().to_string());
        let mut templates = BTreeMap::new();
        let entries = fs::read_dir(folder).map_err(|error| at(unreadable(error), folder))?;
        for entry in entries {
            let path = entry.map_err(|error| at(unreadable(error), folder))?.path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(|error| at(unreadable(error), &path))?;
            let template = yaml::parse(&text).map_err(|error| at(Fault::new(error), &path))?;
            let name = path.file_stem().unwrap_or_default();
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
