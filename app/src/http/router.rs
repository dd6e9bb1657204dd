//! The routes of the app tier, as one list. Each handler describes its path and method; `openapi.json` is
//! generated from the list.
//!
//! Each route is declared open or for authenticated callers; there is no other way to add one.
//! Authorization is not the router's: handlers obtain permits from `access`, which the services that
//! disclose or write records require.

use axum::Extension;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::RefOr;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Paths;
use utoipa::openapi::schema::Schema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::http::api;
use crate::http::authentication::authenticate;
use crate::http::csrf::refuse_other_origins;
use crate::http::fhir::bundle;
use crate::http::fhir::compartment;
use crate::http::fhir::create;
use crate::http::fhir::delete;
use crate::http::fhir::everything;
use crate::http::fhir::export;
use crate::http::fhir::history;
use crate::http::fhir::metadata;
use crate::http::fhir::patch;
use crate::http::fhir::read;
use crate::http::fhir::search;
use crate::http::fhir::update;
use crate::http::fhir::validate;
use crate::http::health;
use crate::http::kept_form::Keepable;
use crate::http::oauth;
use crate::http::openapi;
use crate::http::pages;
use crate::http::problem::Problem;
use crate::http::request_context::request_context;
use crate::http::return_path::NEXT;
use crate::http::return_path::ReturnPaths;
use crate::http::state::AppState;
use crate::limits::MAX_FORM_BYTES;

/// A path with its handlers, their description, and whether callers must be authenticated.
struct Route {
    path: String,
    open: bool,
    /// Whether the route's form is kept if its session has ended.
    is_kept: bool,
    methods: MethodRouter<AppState>,
    description: Option<Description>,
}

/// The `OpenAPI` description of a route.
struct Description {
    paths: Paths,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// A route without authentication.
fn open(handlers: UtoipaMethodRouter<AppState>) -> Route {
    described(handlers, true)
}

/// A route for authenticated callers.
fn signed_in(handlers: UtoipaMethodRouter<AppState>) -> Route {
    described(handlers, false)
}

/// An open route without a description: the web tier handles its path itself.
fn probe(path: &str, methods: MethodRouter<AppState>) -> Route {
    Route {
        path: path.to_owned(),
        open: true,
        is_kept: false,
        methods,
        description: None,
    }
}

fn described(handlers: UtoipaMethodRouter<AppState>, open: bool) -> Route {
    let (schemas, mut paths, methods) = handlers;
    let path = paths.paths.keys().next().cloned().unwrap_or_default();
    let items = paths.paths.values_mut();
    for operation in items.flat_map(openapi::operations).filter(|_| open) {
        operation.security = Some(Vec::new());
    }
    Route {
        path,
        open,
        is_kept: false,
        methods,
        description: Some(Description { paths, schemas }),
    }
}

impl Route {
    /// The route with bodies of up to [`MAX_BUNDLE_BYTES`](crate::limits::MAX_BUNDLE_BYTES), which its
    /// handler reads. The web tier has separate limits for such routes.
    fn bulk(self) -> Self {
        self.extend_bodies("x-bulk", &true.into())
    }

    /// The route with passwords in its bodies. Both tiers limit these requests separately, because
    /// hashing a password is expensive.
    fn sign_in(self) -> Self {
        self.extend_bodies("x-class", &"sign-in".into())
    }

    /// The route whose form is kept if its session has ended. Its fields are not secrets.
    fn kept(self) -> Self {
        Self {
            is_kept: true,
            ..self
        }
    }

    /// Adds an extension to the description of each request body.
    fn extend_bodies(mut self, name: &str, value: &serde_json::Value) -> Self {
        let paths = self.description.iter_mut().map(|it| &mut it.paths.paths);
        let operations = paths.flat_map(|paths| paths.values_mut().flat_map(openapi::operations));
        for operation in operations {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                body.extensions = Some(Extensions::from_iter([(name, value.clone())]));
            }
        }
        self
    }
}

fn routes() -> Vec<Route> {
    let probes = vec![
        probe("/healthz", get(health::alive)),
        probe("/readyz", get(health::ready)),
    ];
    let groups = [
        probes,
        page_routes(),
        fhir_routes(),
        workflow_routes(),
        oauth_routes(),
    ];
    groups.into_iter().flatten().collect()
}

/// The pages.
fn page_routes() -> Vec<Route> {
    vec![
        signed_in(routes!(pages::home::redirect)),
        open(routes!(pages::sign_in::show, pages::sign_in::submit)).sign_in(),
        open(routes!(pages::sign_in::passkey::options)),
        open(routes!(pages::sign_in::passkey::submit)),
        signed_in(routes!(pages::sign_out::submit)),
        open(routes!(pages::signed_out::show)),
        signed_in(routes!(pages::session::stay)),
        signed_in(routes!(
            pages::second_factor::show,
            pages::second_factor::begin
        )),
        signed_in(routes!(pages::second_factor::confirm)),
        signed_in(routes!(pages::second_factor::passkey::options)),
        signed_in(routes!(pages::second_factor::passkey::submit)),
        open(routes!(pages::set_up::show, pages::set_up::submit)).sign_in(),
        signed_in(routes!(pages::security::show)),
        signed_in(routes!(pages::security::change_password)).sign_in(),
        signed_in(routes!(pages::security::end)),
        signed_in(routes!(pages::security::remove_device)),
        signed_in(routes!(pages::security::renew_recovery_codes)),
        signed_in(routes!(pages::patients::show)),
        signed_in(routes!(pages::search::submit)).kept(),
        signed_in(routes!(pages::chart::show)),
        signed_in(routes!(pages::people::show, pages::administration::invite)).kept(),
        signed_in(routes!(pages::clients::show, pages::clients::register)),
        signed_in(routes!(pages::clients::change)),
        signed_in(routes!(pages::clients::replace_keys)),
        signed_in(routes!(pages::clients::remove)),
        signed_in(routes!(pages::administration::change)),
        signed_in(routes!(pages::administration::reset)),
        signed_in(routes!(pages::organization::change)),
        signed_in(routes!(pages::step_up::show, pages::step_up::submit)),
        signed_in(routes!(pages::step_up::passkey::options)),
        signed_in(routes!(pages::step_up::passkey::submit)),
        signed_in(routes!(pages::care_team::show, pages::care_team::add)),
        signed_in(routes!(pages::care_team::remove)),
        signed_in(routes!(
            pages::emergency_access::show,
            pages::emergency_access::begin
        )),
        signed_in(routes!(pages::reviews::show)),
        signed_in(routes!(pages::reviews::submit)),
        signed_in(routes!(pages::audit::show)),
        open(routes!(pages::assets::get)),
        open(routes!(pages::developers::show)),
    ]
}

/// The FHIR API.
fn fhir_routes() -> Vec<Route> {
    vec![
        signed_in(routes!(bundle::bundle)).bulk(),
        signed_in(routes!(bundle::bundle_with_slash)).bulk(),
        open(routes!(metadata::metadata)),
        open(routes!(oauth::discovery::smart_configuration)),
        signed_in(routes!(search::by_url, create::create)).bulk(),
        signed_in(routes!(search::by_form)),
        signed_in(routes!(history::of_type)),
        signed_in(routes!(
            read::read,
            update::update,
            patch::patch,
            delete::delete
        ))
        .bulk(),
        signed_in(routes!(history::of_resource)),
        signed_in(routes!(read::read_version)),
        signed_in(routes!(everything::everything)),
        signed_in(routes!(
            export::organization::by_url,
            export::organization::by_body
        )),
        signed_in(routes!(export::patients::by_url, export::patients::by_body)),
        signed_in(routes!(export::group::by_url, export::group::by_body)),
        signed_in(routes!(export::status::status, export::remove::remove)),
        signed_in(routes!(export::file::file)),
        signed_in(routes!(compartment::by_url)),
        signed_in(routes!(validate::any_type)).bulk(),
        signed_in(routes!(validate::of_type)).bulk(),
        signed_in(routes!(validate::of_resource)).bulk(),
    ]
}

/// The authorization server of machine clients.
fn oauth_routes() -> Vec<Route> {
    vec![
        open(routes!(oauth::token::token)),
        open(routes!(oauth::discovery::metadata)),
    ]
}

/// The workflow API.
fn workflow_routes() -> Vec<Route> {
    vec![
        open(routes!(api::tokens::issue)).sign_in(),
        signed_in(routes!(api::tokens::end)),
        signed_in(routes!(api::session::show)),
        signed_in(routes!(api::account::authenticators::begin)),
        signed_in(routes!(api::account::confirmation::confirm)),
        signed_in(routes!(api::account::recovery_codes::renew)),
        signed_in(routes!(api::account::password::change)).sign_in(),
        signed_in(routes!(api::account::sessions::list)),
        signed_in(routes!(api::account::sessions::end)),
        signed_in(routes!(api::people::list, api::people::invite::invite)),
        signed_in(routes!(api::people::change::change)),
        signed_in(routes!(api::people::reset::reset)),
        signed_in(routes!(api::organization::show, api::organization::change)),
        signed_in(routes!(api::care_team::list, api::care_team::add)),
        signed_in(routes!(api::care_team::remove)),
        signed_in(routes!(api::emergency_access::begin)),
        signed_in(routes!(api::emergency_accesses::list)),
        signed_in(routes!(api::emergency_accesses::review)),
        signed_in(routes!(
            api::clients::list,
            api::clients::register::register
        )),
        signed_in(routes!(
            api::clients::change::change,
            api::clients::remove::remove
        )),
        signed_in(routes!(api::audit::events)),
        open(routes!(api::openapi::document)),
    ]
}

/// The pages to which a person can return after signing in.
fn return_paths() -> ReturnPaths {
    let is_page = |route: &Route| {
        let description = route.description.iter();
        let mut items = description.flat_map(|it| it.paths.paths.values());
        !route.open && items.any(|item| item.get.is_some())
    };
    let pages = page_routes().into_iter().filter(is_page);
    ReturnPaths::new(pages.map(|route| route.path))
}

/// The `OpenAPI` document of all routes: the content of `openapi.json`.
///
/// # Errors
///
/// None in practice: all parts of the document can be serialized.
pub(crate) fn description() -> anyhow::Result<String> {
    let mut document = openapi::head();
    let next = return_paths().schema();
    for mut description in routes().into_iter().filter_map(|route| route.description) {
        let items = description.paths.paths.values_mut();
        for parameter in items
            .flat_map(openapi::operations)
            .flat_map(openapi::parameters)
        {
            if parameter.name == NEXT {
                parameter.schema = Some(next.clone().into());
            }
        }
        document.paths.paths.extend(description.paths.paths);
        let components = document.components.get_or_insert_default();
        components.schemas.extend(description.schemas);
    }
    let document = openapi::close(document)?;
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// The router with its middleware.
pub(crate) fn router(state: &AppState) -> Router {
    let authenticated = from_fn_with_state(state.clone(), authenticate);
    let router = routes().into_iter().fold(Router::new(), |router, route| {
        let methods = if route.open {
            route.methods
        } else {
            route.methods.route_layer(authenticated.clone())
        };
        let methods = if route.is_kept {
            methods.route_layer(Extension(Keepable))
        } else {
            methods
        };
        router.route(&route.path, methods)
    });
    router
        .fallback(async || Problem::NotFound)
        // Layers from the inside out. The default limit of bodies:
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        // Cross-site request forgery:
        .layer(from_fn_with_state(state.clone(), refuse_other_origins))
        // A panic of a handler fails its request only:
        .layer(CatchPanicLayer::custom(
            |_panic: Box<dyn std::any::Any + Send>| {
                tracing::error!("a handler panicked");
                axum::response::IntoResponse::into_response(Problem::Internal)
            },
        ))
        // Origin, span, deadline and the format of errors:
        .layer(from_fn_with_state(return_paths(), request_context))
        .with_state(state.clone())
}

#[cfg(test)]
mod tests;
