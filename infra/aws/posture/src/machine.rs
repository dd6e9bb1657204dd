//! The systemd units of an instance.

mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::controls::Control;
use crate::controls::Mutant;
use crate::error::InputError;
use crate::source_file;

pub use rules::evaluate;
pub use rules::names;

/// The units of `machine/units`, by their file names.
#[derive(Clone, Debug, Default)]
pub struct Units(BTreeMap<String, Unit>);

/// A unit: its assignments in order, each with its section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit(Vec<Assignment>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Assignment {
    section: String,
    name: String,
    value: String,
}

impl Units {
    /// Reads the units of `<folder>/machine/units`.
    ///
    /// # Errors
    /// When a file cannot be read, or a line is not valid in a unit.
    pub fn read(folder: &Path) -> Result<Self, InputError> {
        let mut found = BTreeMap::new();
        // Folders hold drop-ins of units that packages install.
        for file in source_file::read(&folder.join("machine/units"), |_| true)? {
            let unit = Unit::parse(&file.text).map_err(|fault| file.within(fault))?;
            let name = file.path.file_name().unwrap_or_default();
            found.insert(name.to_string_lossy().into_owned(), unit);
        }
        Ok(Self(found))
    }

    /// The units with a fault.
    ///
    /// # Errors
    /// When the setting that the mutant names does not exist, or already has the value.
    pub fn mutated(&self, control: &Control, mutant: &Mutant) -> Result<Self, InputError> {
        let resource = mutant.resource.as_deref().unwrap_or(&control.resource);
        let property = mutant.property.as_deref().unwrap_or(&control.property);
        let mut mutated = self.clone();
        let name = resource.rsplit('/').next().unwrap_or_default();
        if mutant.resource_gone {
            let removed = mutated.0.remove(name);
            return removed
                .map(|_| mutated)
                .ok_or_else(|| InputError::new("there is no such unit"));
        }
        let unit = mutated.0.get_mut(name);
        let changed = unit.is_some_and(|unit| unit.change(property, mutant));
        if changed {
            Ok(mutated)
        } else {
            Err(InputError::new("the mutant changes nothing")
                .within(property)
                .within(resource))
        }
    }

    /// The units with a suffix: `.service`, `.socket`, `.timer`.
    fn with_suffix(&self, suffix: &str) -> impl Iterator<Item = (&str, &Unit)> {
        let units = self
            .0
            .iter()
            .filter(move |(name, _)| name.ends_with(suffix));
        units.map(|(name, unit)| (name.as_str(), unit))
    }
}

impl Unit {
    fn parse(text: &str) -> Result<Self, InputError> {
        let mut section = String::new();
        let mut assignments = Vec::new();
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                name.clone_into(&mut section);
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .ok_or_else(|| InputError::new(format!("`{line}` is not an assignment")))?;
            assignments.push(Assignment {
                section: section.clone(),
                name: name.trim().to_owned(),
                value: value.trim().to_owned(),
            });
        }
        Ok(Self(assignments))
    }

    /// Whether a setting is assigned.
    #[must_use]
    pub fn has(&self, section: &str, name: &str) -> bool {
        self.all(section, name).next().is_some()
    }

    /// Every value that is assigned to a setting, in order.
    fn all<'u>(&'u self, section: &str, name: &str) -> impl Iterator<Item = &'u str> {
        let is_it = move |one: &&Assignment| one.section == section && one.name == name;
        self.0.iter().filter(is_it).map(|one| one.value.as_str())
    }

    /// The value of a setting of which the last assignment counts.
    fn last(&self, section: &str, name: &str) -> Option<&str> {
        self.all(section, name).last()
    }

    /// The words of a list setting; an empty assignment clears the list.
    fn words(&self, section: &str, name: &str) -> Vec<&str> {
        let mut words = Vec::new();
        for value in self.all(section, name) {
            if value.is_empty() {
                words.clear();
            }
            words.extend(value.split_whitespace());
        }
        words
    }

    fn change(&mut self, property: &str, mutant: &Mutant) -> bool {
        let Some((section, name)) = property.split_once('/') else {
            return false;
        };
        let before = self.clone();
        if mutant.remove || mutant.set.is_some() {
            self.0
                .retain(|one| one.section != section || one.name != name);
        }
        for value in [&mutant.set, &mutant.append].into_iter().flatten() {
            self.0.push(Assignment {
                section: section.to_owned(),
                name: name.to_owned(),
                value: literal(value),
            });
        }
        *self != before
    }
}

fn literal(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
