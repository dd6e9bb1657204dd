//! The deployments of an environment, with their accounts, regions and parameters.

use std::fs;
use std::path::Path;

use serde_json::Map;
use serde_json::Value;

use crate::error::InputError;

/// The templates that are deployed on their own, and the prefix of their resources' ids in the assembled document.
const DEPLOYMENTS: [(&str, &str); 4] = [
    ("main", ""),
    ("image", "Image"),
    ("archive", "Archive"),
    ("recovery", "Recovery"),
];

/// An environment: a file of `parameters/`.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `dev` or `prod`.
    pub name: String,
    /// The deployments, with `main` first.
    pub deployments: Vec<Deployment>,
}

/// A template that is deployed on its own.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The template's name.
    pub template: &'static str,
    /// The prefix of its resources' ids in the assembled document.
    pub prefix: &'static str,
    /// The region.
    pub region: String,
    /// The id of the account.
    pub account: String,
    /// Its parameters, `Environment` included.
    pub parameters: Map<String, Value>,
}

impl Environment {
    /// Reads `<folder>/<name>.toml`.
    ///
    /// # Errors
    /// When the file cannot be read, lacks an entry or has an unknown one.
    pub fn read(folder: &Path, name: &str) -> Result<Self, InputError> {
        let path = folder.join(format!("{name}.toml"));
        let text = fs::read_to_string(&path).map_err(|error| InputError::new(error.to_string()));
        text.and_then(|text| Self::parse(name, &text))
            .map_err(|fault| fault.within(&path.display().to_string()))
    }

    fn parse(name: &str, text: &str) -> Result<Self, InputError> {
        let mut file: Map<String, Value> =
            toml::from_str(text).map_err(|error| InputError::new(error.to_string()))?;
        let region = take_text(&mut file, "region")?;
        let account = take_text(&mut file, "account")?;
        let region = region.ok_or_else(|| InputError::new("`region` is missing"))?;
        let account = account.ok_or_else(|| InputError::new("`account` is missing"))?;
        let mut deployments = Vec::new();
        for (template, prefix) in DEPLOYMENTS {
            let Some(Value::Object(mut parameters)) = file.remove(template) else {
                continue;
            };
            let own_region = take_text(&mut parameters, "region")?;
            let own_account = take_text(&mut parameters, "account")?;
            parameters.insert("Environment".to_owned(), Value::from(name));
            deployments.push(Deployment {
                template,
                prefix,
                region: own_region.unwrap_or_else(|| region.clone()),
                account: own_account.unwrap_or_else(|| account.clone()),
                parameters,
            });
        }
        match file.keys().next() {
            Some(unknown) => Err(InputError::new(format!("`{unknown}` is unknown"))),
            None => Ok(Self {
                name: name.to_owned(),
                deployments,
            }),
        }
    }
}

/// Removes an entry that is not a parameter and must be text. Parameters begin with a capital letter.
fn take_text(table: &mut Map<String, Value>, key: &str) -> Result<Option<String>, InputError> {
    match table.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InputError::new(format!("`{key}` must be text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_uses_the_region_of_the_environment_unless_it_has_its_own() {
        let text = "region = 'us-east-1'\naccount = '111122223333'\n[main]\nMin = 2\n[recovery]\nregion = 'us-west-2'\n";
        let environment = Environment::parse("prod", text).unwrap();
        let [main, recovery] = environment.deployments.as_slice() else {
            panic!("{environment:?}");
        };
        assert_eq!(
            (main.region.as_str(), recovery.region.as_str()),
            ("us-east-1", "us-west-2")
        );
        assert_eq!(
            main.parameters.get("Environment"),
            Some(&Value::from("prod"))
        );
        assert!(Environment::parse("prod", &format!("{text}[mian]\n")).is_err());
    }
}
