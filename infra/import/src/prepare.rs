//! The entry of a transaction that is made of an entry of a file: `PUT Type/id`, with references to the file resolved and
//! everything else unchanged.

use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;

use super::index::Head;
use super::index::References;
use super::index::urn;
use super::phase::Kind;
use super::source::EntryPosition;
use super::source::Item;

/// An entry that is ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) place: EntryPosition,
    pub(super) kind: &'static str,
    pub(super) json: String,
}

/// Prepares an entry of a stored type.
pub(super) fn prepare(item: &Item<'_>, head: &Head, kind: Kind, names: &References) -> Prepared {
    let urn_id = item
        .full_url
        .as_deref()
        .and_then(urn)
        .map(|uuid| uuid.to_string());
    // Without any id the URL ends in a slash, which the server refuses with a reason.
    let id = head.id.clone().or(urn_id).unwrap_or_default();
    let text = item.resource.map_or("null", RawValue::get);
    let resource = if head.id.is_none() || text.contains("urn:uuid:") {
        rewritten(
            text,
            (head.id.is_none() && !id.is_empty()).then_some(&id),
            names,
        )
    } else {
        text.to_owned()
    };
    let request = json!({"method": "PUT", "url": format!("{}/{id}", kind.name)});
    // The fullUrl is not sent: with another server's URL there, relative references would name that server's
    // resources, while every resource keeps its id here.
    let full_url = item
        .full_url
        .as_deref()
        .filter(|full_url| !full_url.starts_with("http"))
        .map_or_else(String::new, |full_url| {
            format!("\"fullUrl\":{},", Value::from(full_url))
        });
    let json = format!("{{{full_url}\"resource\":{resource},\"request\":{request}}}");
    Prepared {
        place: item.place,
        kind: kind.name,
        json,
    }
}

/// The resource with its references resolved and, where it had none, its id.
fn rewritten(text: &str, id: Option<&String>, names: &References) -> String {
    let Ok(mut resource) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    if let (Some(id), Some(fields)) = (id, resource.as_object_mut()) {
        fields.insert("id".to_owned(), Value::from(id.as_str()));
    }
    resolve(&mut resource, names);
    resource.to_string()
}

fn resolve(value: &mut Value, names: &References) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, names)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "reference") {
                    Some(reference) => {
                        if let Some(resolved) = names.resolve(reference) {
                            *value = Value::from(resolved);
                        }
                    }
                    None => resolve(value, names),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a001";
    const B: &str = "6b4f4a3e-3a6a-4d8e-9a57-0a2a63d1a002";

    fn prepared(resource: &str, names: &References) -> Value {
        let raw: Box<RawValue> = serde_json::from_str(resource).unwrap();
        let item = Item {
            place: EntryPosition { entry: 0, byte: 0 },
            full_url: Some(format!("urn:uuid:{B}").into()),
            resource: Some(&raw),
        };
        let head = Head::of(&item);
        let kind = head.kind().unwrap();
        serde_json::from_str(&prepare(&item, &head, kind, names).json).unwrap()
    }

    #[test]
    fn references_to_what_the_file_brings_are_resolved_and_others_left() {
        let names = References::with(A.parse().unwrap(), Kind::of("Patient").unwrap(), None);
        let entry = prepared(
            &format!(
                r#"{{"resourceType":"Condition","id":"{B}","subject":{{"reference":"urn:uuid:{A}"}},
                "asserter":{{"reference":"urn:uuid:{B}"}},"note":[{{"text":"urn:uuid:{A}"}}]}}"#
            ),
            &names,
        );
        assert_eq!(
            entry.pointer("/resource/subject/reference").unwrap(),
            &format!("Patient/{A}")
        );
        assert_eq!(
            entry.pointer("/resource/asserter/reference").unwrap(),
            &format!("urn:uuid:{B}")
        );
        assert_eq!(
            entry.pointer("/resource/note/0/text").unwrap(),
            &format!("urn:uuid:{A}")
        );
        assert_eq!(
            entry.pointer("/request/url").unwrap(),
            &format!("Condition/{B}")
        );
    }

    #[test]
    fn a_resource_without_an_id_gets_the_one_it_is_named_by() {
        let entry = prepared(
            r#"{"resourceType":"Patient","x":1.10}"#,
            &References::default(),
        );
        assert_eq!(entry.pointer("/resource/id").unwrap(), B);
        assert_eq!(entry.pointer("/resource/x").unwrap().to_string(), "1.10");
    }
}
