//! Links that are not references.

use super::references::ONE;
use super::references::entry;
use super::references::observation_at;
use super::*;

const ORGANIZATION: &str = "urn:uuid:0a1f2f5e-77a1-4c51-9d3c-0d7a35a5c002";

fn organization(full_url: &str) -> Value {
    let organization = json!({"resourceType": "Organization", "name": "O"});
    entry(Some(full_url), &organization)
}

/// The extension with this value as it is stored beside an Organization with this `fullUrl`, and the Organization's id.
fn stored(full_url: &str, own_url: Option<&str>, name: &str, value: &Value) -> (Value, Uuid) {
    let mut finding = observation_at(own_url, &format!("{SERVER}/Patient/{PATIENT}"));
    finding["resource"]["extension"] = json!([{"url": "http://x.example", name: value}]);
    let entries = [organization(full_url), finding];
    let writes = writes(&bundle("transaction", &entries));
    let stored = resource(&writes[1]).value()["extension"][0][name].clone();
    (stored, writes[0].id)
}

#[test]
fn links_to_an_entry_are_rewritten_by_the_type_of_their_element() {
    let (uri, id) = stored(ORGANIZATION, None, "valueUri", &json!(ORGANIZATION));
    assert_eq!(uri, format!("Organization/{id}"));
    let (url, id) = stored(
        ORGANIZATION,
        None,
        "valueUrl",
        &json!(format!("{ORGANIZATION}#a")),
    );
    assert_eq!(url, format!("Organization/{id}#a"));
    // The value of a uuid element stays a UUID.
    let (uuid, id) = stored(ORGANIZATION, None, "valueUuid", &json!(ORGANIZATION));
    assert_eq!(uuid, format!("urn:uuid:{id}"));
    let attachment = json!({"url": ORGANIZATION});
    let (attachment, id) = stored(ORGANIZATION, None, "valueAttachment", &attachment);
    assert_eq!(attachment["url"], format!("Organization/{id}"));
    for (name, value) in [
        ("valueCanonical", ORGANIZATION),
        ("valueString", ORGANIZATION),
        ("valueMarkdown", ORGANIZATION),
        ("valueUri", "urn:uuid:0a1f2f5e-77a1-4c51-9d3c-0d7a35a5c009"),
    ] {
        let (kept, _) = stored(ORGANIZATION, None, name, &json!(value));
        assert_eq!(kept, value, "{name}");
    }
    let (oid, id) = stored("urn:oid:1.2.3", None, "valueUri", &json!("urn:oid:1.2.3"));
    assert_eq!(oid, format!("Organization/{id}"));
    let (oid, _) = stored("urn:oid:1.2.3", None, "valueOid", &json!("urn:oid:1.2.3"));
    assert_eq!(oid, "urn:oid:1.2.3");
}

#[test]
fn links_follow_the_bases_and_the_versions_of_full_urls() {
    let full_url = format!("{ONE}/Organization/1");
    let own_url = format!("{ONE}/Observation/2");
    let value = |text: &str, own_url| stored(&full_url, own_url, "valueUri", &json!(text));
    let (absolute, id) = value(&full_url, None);
    assert_eq!(absolute, format!("Organization/{id}"));
    // The subject of this Observation is absolute, so its own base changes nothing but the link.
    let (relative, id) = value("Organization/1", Some(&own_url));
    assert_eq!(relative, format!("Organization/{id}"));
    for kept in [
        // The entry has no such version; the base has no such entry.
        format!("{full_url}/_history/2"),
        format!("{ONE}/Organization/2"),
        "Organization/1".to_owned(),
        "Organization?identifier=x|1".to_owned(),
    ] {
        assert_eq!(value(&kept, None).0, kept);
    }
}

#[test]
fn addresses_below_the_server_s_own_base_become_relative_and_names_do_not() {
    let own = format!("{SERVER}/Organization/{PATIENT}");
    let relative = format!("Organization/{PATIENT}");
    let value = |name: &str, value: Value| stored(ORGANIZATION, None, name, &value).0;
    assert_eq!(value("valueUri", json!(own)), relative);
    let versioned = format!("{own}/_history/2#a");
    assert_eq!(
        value("valueUrl", json!(versioned)),
        format!("{relative}/_history/2#a")
    );
    assert_eq!(value("valueCoding", json!({"system": own}))["system"], own);
    for kept in [
        format!("{SERVER}/StructureDefinitions/{PATIENT}"),
        format!("{SERVER}/Organization/name"),
        format!("{SERVER}/Organization?identifier=x|1"),
        SERVER.to_owned(),
    ] {
        assert_eq!(value("valueUri", json!(kept)), kept);
    }
}

#[test]
fn an_ambiguous_link_is_kept() {
    let mut finding = observation_at(None, &format!("Patient/{PATIENT}"));
    finding["resource"]["extension"] = json!([{"url": "x", "valueUri": ORGANIZATION}]);
    let entries = [
        organization(ORGANIZATION),
        organization(ORGANIZATION),
        finding,
    ];
    let items = items(&bundle("batch", &entries));
    let Ok(BatchItem::Write(write)) = &items[2] else {
        panic!("a write")
    };
    assert_eq!(
        resource(write).value()["extension"][0]["valueUri"],
        ORGANIZATION
    );
}

#[test]
fn the_links_of_a_narrative_are_rewritten() {
    let mut finding = observation_at(None, &format!("Patient/{PATIENT}"));
    let own = format!("{SERVER}/Patient/{PATIENT}");
    finding["resource"]["text"] = json!({
        "status": "generated",
        "div": format!("<div><a href=\"{ORGANIZATION}\">{ORGANIZATION}</a><img src = '{own}#a'/></div>")
    });
    let entries = [organization(ORGANIZATION), finding];
    let writes = writes(&bundle("transaction", &entries));
    let id = writes[0].id;
    let expected = format!(
        "<div><a href=\"Organization/{id}\">{ORGANIZATION}</a><img src = 'Patient/{PATIENT}#a'/></div>"
    );
    assert_eq!(resource(&writes[1]).value()["text"]["div"], expected);
}
