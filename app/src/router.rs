//! The whole surface of the app tier, as one list.
//!
//! Every route says whether it is open or for signed-in callers; there is no third way to add one.
//! What a caller may do beyond being signed in is asked of `access`, whose evidence the services
//! demand.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::authentication::{authenticate, refuse_other_sites};
use crate::edge::edge;
use crate::fhir::handlers::transaction::LARGEST_BUNDLE;
use crate::fhir::handlers::{metadata, read, search_patients, transaction};
use crate::problem::Problem;
use crate::state::App;
use crate::{api, health, pages};

/// The largest body of a form or of a workflow request, in bytes.
const SMALL: usize = 64 << 10;

/// A route, and who may come to it.
struct Route {
    path: &'static str,
    open: bool,
    methods: MethodRouter<App>,
}

/// A route for everybody.
fn open(path: &'static str, methods: MethodRouter<App>) -> Route {
    Route {
        path,
        open: true,
        methods,
    }
}

/// A route for signed-in callers.
fn signed_in(path: &'static str, methods: MethodRouter<App>) -> Route {
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
            post(transaction::transaction).layer(DefaultBodyLimit::max(LARGEST_BUNDLE)),
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
        // The workflow API, described by api/openapi.json.
        open("/api/v1/openapi.json", get(api::openapi::document)),
        open("/api/v1/tokens", post(api::tokens::issue)),
        signed_in("/api/v1/tokens/current", delete(api::tokens::end)),
        signed_in("/api/v1/session", get(api::session::show)),
        signed_in("/api/v1/people", get(api::people::list)),
        signed_in("/api/v1/audit/events", get(api::audit::events)),
    ]
}

/// The app tier as a service.
pub(crate) fn router(app: &App) -> Router {
    let authenticated = from_fn_with_state(app.clone(), authenticate);
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
        .layer(from_fn_with_state(app.clone(), refuse_other_sites))
        // a panic ends one request and no more,
        .layer(CatchPanicLayer::custom(
            |_panic: Box<dyn std::any::Any + Send>| {
                tracing::error!("a handler panicked");
                axum::response::IntoResponse::into_response(Problem::Internal)
            },
        ))
        // and whatever went wrong is told as the surface speaks.
        .layer(from_fn(edge))
        .with_state(app.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_workflow_route_is_described_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(api::openapi::DOCUMENT).unwrap();
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let routes = routes();
        let served: BTreeSet<_> = routes
            .iter()
            .map(|route| route.path)
            .filter(|path| path.starts_with("/api/"))
            .collect();
        assert_eq!(served, described);
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
