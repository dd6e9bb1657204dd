//! What an environment deploys, where, and with which parameters.

use std::fs;
use std::path::Path;

use serde_json::Map;
use serde_json::Value;

use crate::fault::Fault;

/// The templates that are deployed on their own, and what the ids of their resources begin with in
/// the assembled document.
const DEPLOYMENTS: [(&str, &str); 4] = [
    ("main", ""),
    ("image", "Image"),
    ("archive", "Archive"),
    ("recovery", "Recovery"),
];

/// One of `parameters/*.toml`.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `dev` or `prod`.
    pub name: String,
    /// In the order in which they stand above.
    pub deployments: Vec<Deployment>,
}

/// A template that is deployed on its own.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The template's name.
    pub template: &'static str,
    /// What the ids of its resources begin with.
    pub prefix: &'static str,
    /// Where.
    pub region: String,
    /// In whose account.
    pub account: String,
    /// Its parameters, `Environment` included.
    pub parameters: Map<String, Value>,
}

impl Environment {
    /// Reads `<folder>/<name>.toml`.
    ///
    /// # Errors
    /// When the file cannot be read, or says too little or too much.
    pub fn read(folder: &Path, name: &str) -> Result<Self, Fault> {
        let path = folder.join(format!("{name}.toml"));
        let text = fs::read_to_string(&path).map_err(|error| Fault::new(error.to_string()));
        text.and_then(|text| Self::parse(name, &text))
            .map_err(|fault| fault.within(&path.display().to_string()))
    }

    fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let mut file: Map<String, Value> =
            toml::from_str(text).map_err(|error| Fault::new(error.to_string()))?;
        let region = place(&mut file, "region")?;
        let account = place(&mut file, "account")?;
        let region = region.ok_or_else(|| Fault::new("say which `region`"))?;
        let account = account.ok_or_else(|| Fault::new("say whose `account`"))?;
        let mut deployments = Vec::new();
        for (template, prefix) in DEPLOYMENTS {
            let Some(Value::Object(mut parameters)) = file.remove(template) else {
                continue;
            };
            let own_region = place(&mut parameters, "region")?;
            let own_account = place(&mut parameters, "account")?;
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
            Some(unknown) => Err(Fault::new(format!("`{unknown}` is not known"))),
            None => Ok(Self {
                name: name.to_owned(),
                deployments,
            }),
        }
    }
}

/// Takes out a word that says where something goes. Parameters begin with a capital letter.
fn place(table: &mut Map<String, Value>, word: &str) -> Result<Option<String>, Fault> {
    match table.remove(word) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Fault::new(format!("`{word}` has to be text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_goes_where_the_environment_does_unless_it_says_otherwise() {
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
