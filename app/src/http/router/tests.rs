//! The list of routes, and the description made of it.

use std::collections::BTreeSet;

use super::*;

const METHODS: [&str; 8] = [
    "get", "head", "post", "put", "patch", "delete", "options", "trace",
];

fn written() -> serde_json::Value {
    serde_json::from_str(api::openapi::DOCUMENT).unwrap()
}

#[test]
fn the_file_is_what_the_handlers_say() {
    assert!(
        api::openapi::DOCUMENT == description().unwrap(),
        "app/openapi.json is not what the handlers say: run `cargo run --bin app -- openapi --out \
         app/openapi.json` and look at the difference"
    );
}

#[test]
fn every_reference_within_the_description_leads_somewhere() {
    fn references<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
        match value {
            serde_json::Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(|it| it.as_str()));
                fields.values().for_each(|it| references(it, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
    let document = written();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// The methods that a route serves, which axum shows only in `Debug`.
fn served(route: &Route) -> BTreeSet<&'static str> {
    let shown = format!("{:?}", route.methods);
    let serves = |method: &&str| !shown.contains(&format!(" {method}: None"));
    METHODS.into_iter().filter(serves).collect()
}

#[test]
fn every_route_but_a_probe_is_described_with_the_methods_and_the_openness_it_has() {
    let document = written();
    let described = document["paths"].as_object().unwrap();
    let (probes, routes): (Vec<_>, Vec<_>) = routes()
        .into_iter()
        .partition(|route| matches!(route.path.as_str(), "/healthz" | "/readyz"));
    assert_eq!((probes.len(), described.len()), (2, routes.len()));
    for route in routes {
        let item = &described[&route.path];
        let methods = METHODS.into_iter().filter(|it| item.get(it).is_some());
        assert_eq!(served(&route), methods.collect(), "{}", route.path);
        for method in served(&route) {
            let security = item[method].get("security");
            let open = security.is_some_and(|it| it == &serde_json::json!([]));
            assert_eq!(open, route.open, "{method} {}", route.path);
        }
    }
}

#[test]
fn a_large_body_is_described_where_it_is_read_and_nowhere_else() {
    let document = written();
    let items = document["paths"].as_object().unwrap();
    let bulk: Vec<_> = items
        .iter()
        .filter(|(_, item)| item.to_string().contains("x-bulk"))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(bulk, ["/fhir"]);
}

#[test]
fn bodies_with_passwords_are_of_the_class_of_sign_in_and_no_others() {
    let document = written();
    let mut classes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let body = &item[method]["requestBody"];
            let has_password = body["content"].to_string().contains("\"password\"");
            assert_eq!(
                body["x-class"] == "sign-in",
                has_password,
                "{method} {path}"
            );
            if has_password {
                classes.push(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(classes, ["post /sign-in", "post /api/v1/tokens"]);
}

#[test]
fn the_names_of_assets_are_those_of_the_description() {
    let document = written();
    let file = &document["paths"]["/assets/{file}"]["parameters"][0]["schema"]["pattern"];
    let pattern = regex_lite::Regex::new(file.as_str().unwrap()).unwrap();
    for asset in [pages::assets::stylesheet(), pages::assets::favicon()] {
        let name = asset.strip_prefix("/assets/").unwrap();
        assert!(pattern.is_match(name), "{asset}");
    }
}

#[test]
fn only_what_must_be_is_open() {
    let routes = routes();
    let open: Vec<_> = routes
        .iter()
        .filter(|route| route.open)
        .map(|route| route.path.as_str())
        .collect();
    assert_eq!(
        open,
        [
            "/healthz",
            "/readyz",
            "/sign-in",
            "/assets/{file}",
            "/fhir/metadata",
            "/api/v1/tokens",
            "/api/v1/openapi.json",
        ]
    );
}
