//! The list of routes, and the `OpenAPI` document generated from it.

use std::collections::BTreeSet;

use super::*;

const METHODS: [&str; 8] = [
    "get", "head", "post", "put", "patch", "delete", "options", "trace",
];

fn committed_document() -> serde_json::Value {
    serde_json::from_str(api::openapi::DOCUMENT).unwrap()
}

#[test]
fn the_file_is_the_description_of_the_handlers() {
    assert!(
        api::openapi::DOCUMENT == description().unwrap(),
        "app/openapi.json is out of date: run `cargo run --bin app -- openapi --out \
         app/openapi.json` and review the difference"
    );
}

#[test]
fn every_reference_within_the_document_resolves() {
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
    let document = committed_document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// The methods of a route, which axum exposes in `Debug` only.
fn served(route: &Route) -> BTreeSet<&'static str> {
    let shown = format!("{:?}", route.methods);
    let serves = |method: &&str| !shown.contains(&format!(" {method}: None"));
    METHODS.into_iter().filter(serves).collect()
}

#[test]
fn every_route_except_probes_is_described_with_its_methods_and_authentication() {
    let document = committed_document();
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
fn every_operation_has_an_id_of_its_own_and_a_tag() {
    let document = committed_document();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in openapi::METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let tag = openapi::Tag::of(path);
            let tags = serde_json::json!([tag.name()]);
            assert_eq!(operation["tags"], tags, "{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            let prefix = format!("{}.", tag.prefix());
            assert!(id.starts_with(&prefix), "{method} {path}: {id}");
            assert!(ids.insert(id), "{id}");
        }
    }
}

/// The interactions of the `CapabilityStatement`, with the operations that execute them.
const INTERACTIONS: [(&str, &str); 11] = [
    ("read", "fhir.read"),
    ("vread", "fhir.vread"),
    ("create", "fhir.create"),
    ("update", "fhir.update"),
    ("patch", "fhir.patch"),
    ("delete", "fhir.delete"),
    ("history-instance", "fhir.history_of_resource"),
    ("history-type", "fhir.history_of_type"),
    ("search-type", "fhir.search"),
    ("transaction", "fhir.bundle"),
    ("batch", "fhir.bundle"),
];

#[test]
fn an_interaction_is_declared_if_and_only_if_it_is_routed() {
    let at = time::OffsetDateTime::UNIX_EPOCH;
    let statement = fhir::capability::statement("https://localhost", "1", at, &[]);
    let rest = &statement["rest"][0];
    let of_types = rest["resource"].as_array().unwrap().iter();
    let holders = of_types.chain([rest]);
    let declared: BTreeSet<&str> = holders
        .flat_map(|it| it["interaction"].as_array().unwrap())
        .map(|it| it["code"].as_str().unwrap())
        .collect();
    assert_eq!(declared, INTERACTIONS.map(|(code, _)| code).into());
    let document = committed_document().to_string();
    for (code, id) in INTERACTIONS {
        assert!(document.contains(&format!("\"{id}\"")), "{code}: {id}");
    }
}

#[test]
fn only_routes_that_take_resources_have_large_bodies() {
    let document = committed_document();
    let items = document["paths"].as_object().unwrap();
    let bulk: BTreeSet<_> = items
        .iter()
        .filter(|(_, item)| item.to_string().contains("x-bulk"))
        .map(|(path, _)| path.as_str())
        .collect();
    let expected = [
        "/fhir",
        "/fhir/",
        "/fhir/$validate",
        "/fhir/{type}",
        "/fhir/{type}/$validate",
        "/fhir/{type}/{id}",
        "/fhir/{type}/{id}/$validate",
    ];
    assert_eq!(bulk, expected.into());
}

#[test]
fn only_bodies_with_passwords_are_of_the_class_sign_in() {
    let document = committed_document();
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
    assert_eq!(
        classes,
        [
            "post /sign-in",
            "post /set-up",
            "post /security/password",
            "post /api/v1/tokens",
            "post /api/v1/account/password",
        ]
    );
}

#[test]
fn a_form_with_a_secret_is_never_kept() {
    let document = committed_document();
    let kept: Vec<_> = routes().into_iter().filter(|route| route.is_kept).collect();
    let paths: Vec<_> = kept.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(paths, ["/patients/search", "/people"]);
    for path in paths {
        let form = document["paths"][path]["post"]["requestBody"]["content"].to_string();
        assert!(form.contains("form-urlencoded"), "{path}");
        for secret in ["password", "\"code\""] {
            assert!(!form.contains(secret), "{path}: {form}");
        }
    }
}

#[test]
fn the_names_of_assets_match_the_document() {
    let document = committed_document();
    let file = &document["paths"]["/assets/{file}"]["parameters"][0]["schema"]["pattern"];
    let pattern = regex_lite::Regex::new(file.as_str().unwrap()).unwrap();
    for asset in [
        pages::assets::stylesheet(),
        pages::assets::script(),
        pages::assets::favicon(),
    ] {
        let name = asset.strip_prefix("/assets/").unwrap();
        assert!(pattern.is_match(name), "{asset}");
    }
}

#[test]
fn only_the_listed_routes_are_open() {
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
            "/sign-in/passkey/options",
            "/sign-in/passkey",
            "/signed-out",
            "/set-up",
            "/assets/{file}",
            "/developers",
            "/fhir/metadata",
            "/fhir/.well-known/smart-configuration",
            "/api/v1/tokens",
            "/api/v1/openapi.json",
            "/oauth/token",
            "/.well-known/oauth-authorization-server",
        ]
    );
}
