//! The app's API, parsed from its `OpenAPI` document: the allow list of [`crate::screen`].

mod document;
mod operation;
mod query_refusals;
mod schema;
mod tree;

use http::Method;

pub(crate) use operation::Operation;
pub(crate) use operation::ParameterMatch;
use query_refusals::QueryRefusals;
use tree::Node;

/// All routes: the app's, and the two health checks of this tier.
#[derive(Debug)]
pub(crate) struct ApiSchema {
    routes: Node,
    query_refusals: QueryRefusals,
    cookie: &'static str,
}

/// A route: all paths of one template.
#[derive(Debug)]
pub(crate) struct Route {
    /// The template: `/patients/{id}`. Unlike the path, it may be logged.
    pub(crate) template: &'static str,
    /// The part of the app that the route belongs to.
    pub(crate) kind: RouteKind,
    /// The supported methods, as `Allow` lists them.
    pub(crate) allow: &'static str,
    operations: Vec<Operation>,
}

/// The cost class of a request: each class has its own limit, so that one cannot exclude another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestClass {
    /// Any other request.
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
    /// `/healthz` and `/readyz`, which this tier serves.
    Health,
}

/// An `OpenAPI` document that cannot be used as the allow list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiSchemaError {
    #[error("the OpenAPI document is not JSON")]
    Json(#[from] serde_json::Error),
    #[error("the OpenAPI document cannot be used at {pointer}: {why}")]
    Malformed { pointer: String, why: &'static str },
}

impl ApiSchemaError {
    fn malformed(pointer: &str, why: &'static str) -> Self {
        Self::Malformed {
            pointer: pointer.to_owned(),
            why,
        }
    }
}

/// The placeholder in logs and metrics for a path without a route, and for an unknown method.
pub(crate) const UNKNOWN: &str = "*";

impl ApiSchema {
    /// Parses the app's document, which is compiled in.
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

    /// The text of the refusal of a query parameter at a path. It shows how to search the type in the path.
    pub(crate) fn query_refusal(&self, kind: RouteKind, path: &str) -> &'static str {
        self.query_refusals.text(kind, path)
    }

    /// The templates of all routes: the labels of logs and metrics, besides [`UNKNOWN`].
    pub(crate) fn templates(&self) -> Vec<&'static str> {
        self.routes.templates()
    }

    /// The template of a path's route, or [`UNKNOWN`].
    pub(crate) fn template(&self, path: &str) -> &'static str {
        self.route(path).map_or(UNKNOWN, |route| route.template)
    }

    /// The name of the app's session cookie.
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

/// A text of the document, which lives as long as the process.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

#[cfg(test)]
mod tests;
