//! The HTTP layer: router, authentication, errors, pages and APIs.

mod administration;
mod api;
mod authentication;
mod authenticator_changes;
mod body;
mod chart_access;
mod conditional;
mod csrf;
mod fhir;
mod fixed_document;
mod health;
mod kept_form;
mod logoff;
mod machine_clients;
mod negotiation;
mod oauth;
mod openapi;
mod pages;
mod problem;
mod request_context;
mod return_path;
pub(crate) mod router;
pub(crate) mod state;
mod unread;
