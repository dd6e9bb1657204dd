//! Tests of values that the templates must contain twice.

use std::path::Path;

use serde_json::Value;

use crate::architecture::Architecture;
use crate::architecture::Reference;
use crate::assembly::assemble;
use crate::environment::Environment;
use crate::templates::Templates;

fn architecture(environment: &str) -> Architecture {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let templates = Templates::read(&folder.join("templates")).unwrap();
    let environment = Environment::read(&folder.join("parameters"), environment).unwrap();
    assemble(&templates, &environment).unwrap()
}

/// A value with every reference written as in `Fn::Sub`.
fn as_text(value: &Value) -> Value {
    match (Reference::of(value), value) {
        (Some(Reference::Ref(id)), _) => Value::String(format!("${{{id}}}")),
        (Some(Reference::GetAtt(id, name)), _) => Value::String(format!("${{{id}.{name}}}")),
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
fn the_next_root_key_has_the_policy_of_the_first() {
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
