//! The HTTP layer: router, authentication, errors, pages and APIs.

mod api;
mod authentication;
mod body;
mod conditional;
mod csrf;
mod fhir;
mod fixed_document;
mod health;
mod negotiation;
mod openapi;
mod pages;
mod problem;
mod request_context;
pub(crate) mod router;
pub(crate) mod state;
mod unread;
