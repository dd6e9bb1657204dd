//! What stands twice in the templates because it has to, compared.

use std::path::Path;

use serde_json::Value;

use crate::Architecture;
use crate::Environment;
use crate::Reference;
use crate::Templates;
use crate::assemble;

fn architecture(environment: &str) -> Architecture {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let templates = Templates::read(&folder.join("templates")).unwrap();
    let environment = Environment::read(&folder.join("parameters"), environment).unwrap();
    assemble(&templates, &environment).unwrap()
}

/// The same with every reference written as in a text.
fn as_text(value: &Value) -> Value {
    match (Reference::of(value), value) {
        (Some(Reference::To(id)), _) => Value::String(format!("${{{id}}}")),
        (Some(Reference::Attribute(id, name)), _) => Value::String(format!("${{{id}.{name}}}")),
        (None, Value::Object(object)) => {
            let members = object
                .iter()
                .map(|(name, item)| (name.clone(), as_text(item)));
            let text = object.get("Fn::Sub").cloned();
            text.unwrap_or_else(|| Value::Object(members.collect()))
        }
        (None, Value::Array(items)) => items.iter().map(as_text).collect(),
        (None, other) => other.clone(),
    }
}

#[test]
fn the_next_root_key_gets_the_policy_of_the_first_one() {
    for environment in ["dev", "prod"] {
        let architecture = architecture(environment);
        let first = architecture.resource("KeysPhiKey").unwrap();
        let document = architecture.resource("KeysNextPhiKeyDocument").unwrap();
        let text = document
            .property("Content/variables/Policy/default")
            .unwrap();
        let next: Value = serde_json::from_str(as_text(text).as_str().unwrap()).unwrap();
        assert_eq!(next, as_text(first.property("KeyPolicy").unwrap()));
    }
}
