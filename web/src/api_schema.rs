//! The app's API as its `OpenAPI` document describes it: the allow list of [`crate::screen`].

mod document;
mod operation;
mod schema;
mod tree;

use http::Method;

pub(crate) use operation::Operation;
pub(crate) use operation::ParameterMatch;
use tree::Node;

/// All routes: the app's, and the two that this tier answers itself.
#[derive(Debug)]
pub(crate) struct ApiSchema {
    routes: Node,
    cookie: &'static str,
}

/// A route: one path, or all paths of one template.
#[derive(Debug)]
pub(crate) struct Route {
    /// The template: `/patients/{id}`. It may be logged, the path may not.
    pub(crate) template: &'static str,
    /// The part of the app that it belongs to.
    pub(crate) kind: RouteKind,
    /// The supported methods, as `Allow` lists them.
    pub(crate) allow: &'static str,
    operations: Vec<Operation>,
}

/// What a request costs the app tier, so that one class cannot exclude another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestClass {
    /// Anything else.
    Ordinary,
    /// A transaction: a large body and many writes.
    Bulk,
    /// A request that hashes a password.
    SignIn,
}

/// The part of the app that a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RouteKind {
    /// The clinical API.
    Fhir,
    /// The workflow API.
    Api,
    /// Pages for people.
    Page,
    /// Files that pages load, the same for every client.
    Asset,
    /// `/healthz` and `/readyz`, which this tier answers.
    Health,
}

/// Why a document cannot serve as the allow list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiSchemaError {
    #[error("the OpenAPI document is not JSON")]
    Json(#[from] serde_json::Error),
    #[error("the OpenAPI document cannot be used at {place}: {why}")]
    Malformed { place: String, why: &'static str },
}

impl ApiSchemaError {
    fn malformed(place: &str, why: &'static str) -> Self {
        Self::Malformed {
            place: place.to_owned(),
            why,
        }
    }
}

/// The placeholder in logs and metrics for a path that no route has.
pub(crate) const UNKNOWN: &str = "*";

impl ApiSchema {
    /// Parses the app's own document, which is compiled in.
    pub(crate) fn of_app() -> Result<Self, ApiSchemaError> {
        Self::parse(include_str!("../../app/openapi.json"))
    }

    /// Parses a document.
    pub(crate) fn parse(document: &str) -> Result<Self, ApiSchemaError> {
        document::read(&serde_json::from_str(document)?)
    }

    /// The route of a path.
    pub(crate) fn route(&self, path: &str) -> Option<&Route> {
        self.routes.find(path.strip_prefix('/')?)
    }

    /// The templates of all routes: the labels of logs and metrics, besides [`UNKNOWN`].
    pub(crate) fn templates(&self) -> Vec<&'static str> {
        self.routes.templates()
    }

    /// The template of a path's route, or [`UNKNOWN`].
    pub(crate) fn template(&self, path: &str) -> &'static str {
        self.route(path).map_or(UNKNOWN, |route| route.template)
    }

    /// The name of the one cookie that the app reads.
    pub(crate) fn cookie(&self) -> &'static str {
        self.cookie
    }
}

impl Route {
    /// The operation of a method; `HEAD` is `GET` without a body.
    pub(crate) fn operation(&self, method: &Method) -> Option<&Operation> {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.operations.iter().find(|one| one.method == *method)
    }

    /// The first operation: its parameters apply where the method is not described.
    pub(crate) fn any_operation(&self) -> Option<&Operation> {
        self.operations.first()
    }
}

#[cfg(test)]
mod tests;
