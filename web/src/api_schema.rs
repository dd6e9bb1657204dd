//! The app's whole surface, as its `OpenAPI` document describes it. What is not described there
//! does not reach the app.

mod document;
mod operation;
mod schema;
mod tree;

use http::Method;

pub(crate) use operation::{Operation, ParameterMatch};
use tree::Node;

/// The routes of the app, and the two of this tier's own.
#[derive(Debug)]
pub(crate) struct ApiSchema {
    routes: Node,
    cookie: &'static str,
}

/// A path, or all paths of one template.
#[derive(Debug)]
pub(crate) struct Route {
    /// As it is described: `/patients/{id}`. It may be logged.
    pub(crate) template: &'static str,
    /// How it speaks.
    pub(crate) kind: RouteKind,
    /// Whether it takes large bodies, which cost the app more than all else.
    pub(crate) bulk: bool,
    /// The methods that it answers, as `Allow` lists them.
    pub(crate) allow: &'static str,
    operations: Vec<Operation>,
}

/// What a route is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RouteKind {
    /// The clinical API.
    Fhir,
    /// The workflow API.
    Api,
    /// Pages for people.
    Page,
    /// What pages are made of, the same for everybody.
    Asset,
    /// `/healthz` and `/readyz`, which this tier answers.
    Health,
}

/// The document cannot be what requests are held against.
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

/// What stands in a log instead of a path that nobody described.
pub(crate) const UNKNOWN: &str = "*";

impl ApiSchema {
    /// Reads the document that the app serves.
    pub(crate) fn of_app() -> Result<Self, ApiSchemaError> {
        Self::parse(include_str!("../../app/openapi.json"))
    }

    /// Reads a document.
    pub(crate) fn parse(document: &str) -> Result<Self, ApiSchemaError> {
        document::read(&serde_json::from_str(document)?)
    }

    /// The route that a path belongs to.
    pub(crate) fn route(&self, path: &str) -> Option<&Route> {
        self.routes.find(path.strip_prefix('/')?)
    }

    /// All that stands in logs and metrics instead of paths, but for [`UNKNOWN`].
    pub(crate) fn templates(&self) -> Vec<&'static str> {
        self.routes.templates()
    }

    /// What stands in a log instead of the path.
    pub(crate) fn template(&self, path: &str) -> &'static str {
        self.route(path).map_or(UNKNOWN, |route| route.template)
    }

    /// The name of the one cookie that the app reads.
    pub(crate) fn cookie(&self) -> &'static str {
        self.cookie
    }
}

impl Route {
    /// What the method does here; `HEAD` is `GET` without a body.
    pub(crate) fn operation(&self, method: &Method) -> Option<&Operation> {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.operations.iter().find(|one| one.method == *method)
    }

    /// Any method's description, for what comes with a method that is not described.
    pub(crate) fn any_operation(&self) -> Option<&Operation> {
        self.operations.first()
    }
}

#[cfg(test)]
mod tests;
