//! The whole surface of the app tier, as one list; `openapi.json` describes it, one for one.
//!
//! Every route says whether it is open or for signed-in callers; there is no third way to add one.
//! What a caller may do beyond being signed in is asked of `access`, whose evidence the services
//! demand.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::http::authentication::{authenticate, refuse_other_sites};
use crate::http::fhir::bundle::LARGEST_BUNDLE;
use crate::http::fhir::{bundle, metadata, read, search_patients};
use crate::http::problem::Problem;
use crate::http::request_context::request_context;
use crate::http::state::AppState;
use crate::http::{api, health, pages};

/// The largest body of a form or of a workflow request, in bytes.
const SMALL: usize = 64 << 10;

/// A route, and who may come to it.
struct Route {
    path: &'static str,
    open: bool,
    methods: MethodRouter<AppState>,
}

/// A route for everybody.
fn open(path: &'static str, methods: MethodRouter<AppState>) -> Route {
    Route {
        path,
        open: true,
        methods,
    }
}

/// A route for signed-in callers.
fn signed_in(path: &'static str, methods: MethodRouter<AppState>) -> Route {
    Route {
        path,
        open: false,
        methods,
    }
}

fn routes() -> Vec<Route> {
    vec![
        open("/healthz", get(health::alive)),
        open("/readyz", get(health::ready)),
        // The clinical API.
        open("/fhir/metadata", get(metadata::metadata)),
        signed_in(
            "/fhir",
            post(bundle::bundle).layer(DefaultBodyLimit::max(LARGEST_BUNDLE)),
        ),
        signed_in(
            "/fhir/Patient/_search",
            post(search_patients::search_patients),
        ),
        signed_in("/fhir/{type}", get(search_patients::refuse_search_by_url)),
        signed_in("/fhir/{type}/{id}", get(read::read)),
        // Pages for people.
        open("/assets/{file}", get(pages::assets::get)),
        open(
            "/sign-in",
            get(pages::sign_in::show).post(pages::sign_in::submit),
        ),
        signed_in("/sign-out", post(pages::sign_out::submit)),
        signed_in("/", get(pages::home::go)),
        signed_in("/patients", get(pages::patients::show)),
        signed_in("/patients/search", post(pages::search::submit)),
        signed_in("/patients/{id}", get(pages::chart::show)),
        signed_in("/people", get(pages::people::show)),
        signed_in("/audit", get(pages::audit::show)),
        // The workflow API.
        open("/api/v1/openapi.json", get(api::openapi::document)),
        open("/api/v1/tokens", post(api::tokens::issue)),
        signed_in("/api/v1/tokens/current", delete(api::tokens::end)),
        signed_in("/api/v1/session", get(api::session::show)),
        signed_in("/api/v1/people", get(api::people::list)),
        signed_in("/api/v1/audit/events", get(api::audit::events)),
    ]
}

/// The app tier as a service.
pub(crate) fn router(state: &AppState) -> Router {
    let authenticated = from_fn_with_state(state.clone(), authenticate);
    let router = routes().into_iter().fold(Router::new(), |router, route| {
        let methods = if route.open {
            route.methods
        } else {
            route.methods.route_layer(authenticated.clone())
        };
        router.route(route.path, methods)
    });
    router
        .fallback(async || Problem::NotFound)
        // From the inside out: a body is bounded before a handler reads it,
        .layer(DefaultBodyLimit::max(SMALL))
        // a form comes from our own pages,
        .layer(from_fn_with_state(state.clone(), refuse_other_sites))
        // a panic ends one request and no more,
        .layer(CatchPanicLayer::custom(
            |_panic: Box<dyn std::any::Any + Send>| {
                tracing::error!("a handler panicked");
                axum::response::IntoResponse::into_response(Problem::Internal)
            },
        ))
        // and whatever went wrong is told as the surface speaks.
        .layer(from_fn(request_context))
        .with_state(state.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use fhir::ResourceType;

    const METHODS: [&str; 8] = [
        "get", "head", "post", "put", "patch", "delete", "options", "trace",
    ];

    fn described() -> serde_json::Value {
        serde_json::from_str(api::openapi::DOCUMENT).unwrap()
    }

    /// The methods that a route answers. Axum tells them nowhere but in its `Debug`.
    fn served(route: &Route) -> BTreeSet<&'static str> {
        let told = format!("{:?}", route.methods);
        let answers = |method: &&str| !told.contains(&format!(" {method}: None"));
        METHODS.into_iter().filter(answers).collect()
    }

    #[test]
    fn every_route_and_method_is_described_and_nothing_else() {
        let document = described();
        let described: BTreeMap<_, BTreeSet<_>> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, item)| {
                let methods = METHODS
                    .into_iter()
                    .filter(|method| item.get(method).is_some());
                (path.as_str(), methods.collect())
            })
            .collect();
        let routes = routes();
        let served: BTreeMap<_, _> = routes
            .iter()
            // The web tier answers these two itself, and hands neither on.
            .filter(|route| !matches!(route.path, "/healthz" | "/readyz"))
            .map(|route| (route.path, served(route)))
            .collect();
        assert_eq!(served, described);
    }

    #[test]
    fn an_operation_without_security_is_open_and_no_other() {
        let document = described();
        for route in routes() {
            for method in served(&route) {
                let Some(operation) = document["paths"][route.path].get(method) else {
                    continue;
                };
                let open = operation.get("security").is_some_and(|it| it == &json!([]));
                assert_eq!(open, route.open, "{method} {}", route.path);
            }
        }
    }

    #[test]
    fn the_kinds_and_the_files_that_are_described_are_those_that_there_are() {
        let document = described();
        let parameters = &document["components"]["parameters"];
        assert_eq!(
            parameters["type"]["schema"]["enum"],
            json!(ResourceType::ALL.map(ResourceType::name))
        );
        let chart = &document["paths"]["/patients/{id}"]["get"]["parameters"][0];
        assert_eq!(
            chart["schema"]["enum"],
            json!(
                ResourceType::in_charts()
                    .map(ResourceType::name)
                    .collect::<Vec<_>>()
            )
        );
        let file = &document["paths"]["/assets/{file}"]["parameters"][0]["schema"]["pattern"];
        let pattern = regex_lite::Regex::new(file.as_str().unwrap()).unwrap();
        for asset in [pages::assets::stylesheet(), pages::assets::favicon()] {
            assert!(
                pattern.is_match(asset.strip_prefix("/assets/").unwrap()),
                "{asset}"
            );
        }
    }

    #[test]
    fn only_what_must_be_is_open() {
        let open: Vec<_> = routes()
            .iter()
            .filter(|route| route.open)
            .map(|r| r.path)
            .collect();
        assert_eq!(
            open,
            [
                "/healthz",
                "/readyz",
                "/fhir/metadata",
                "/assets/{file}",
                "/sign-in",
                "/api/v1/openapi.json",
                "/api/v1/tokens",
            ]
        );
    }
}
