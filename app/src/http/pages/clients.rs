//! The page of machine clients, and its forms, for security administrators.

use access::List;
use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Redirect;
use http::StatusCode;
use phi::PersonId;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use crate::http::administration::person_id;
use crate::http::administration::person_name;
use crate::http::authentication::CurrentCaller;
use crate::http::machine_clients::keys;
use crate::http::machine_clients::permit;
use crate::http::machine_clients::scopes;
use crate::http::machine_clients::subject;
use crate::http::openapi::Id;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::ClientChange;
use crate::services::identity::MachineClient;
use crate::services::identity::NewClient;

/// The form of a registration.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RegistrationForm {
    name: String,
    scopes: String,
    jwks: String,
}

/// The form that suspends or restores a client.
#[derive(Deserialize, ToSchema)]
pub(crate) struct StateForm {
    /// Whether it may sign in.
    active: bool,
}

/// The form that replaces the keys of a client.
#[derive(Deserialize, ToSchema)]
pub(crate) struct KeysForm {
    jwks: String,
}

/// The machine clients of the organization.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/clients",
    operation_id = "pages.clients",
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Html<ClientsPage>, Problem> {
    page(&app, &caller, None).await
}

/// Registers a client.
///
/// # Errors
///
/// 400 for invalid values; see [`Problem`].
#[utoipa::path(
    post,
    path = "/clients",
    operation_id = "pages.register_client",
    request_body(content = inline(RegistrationForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Registered"), (status = "default", response = Page))
)]
pub(crate) async fn register(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(form): Form<RegistrationForm>,
) -> Result<Result<Redirect, Html<ClientsPage>>, Problem> {
    let permitted = permit(&app, &caller, None).await?;
    let client = match new_client(&form) {
        Ok(client) => client,
        Err(problem) => return refused(&app, &caller, problem).await.map(Err),
    };
    let registered = app.identity.register_client(&permitted, client).await?;
    registered.map(drop).into_inner();
    Ok(Ok(Redirect::to("/clients")))
}

/// Suspends or restores a client.
///
/// # Errors
///
/// 404 for a client of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/clients/{id}",
    operation_id = "pages.change_client",
    params(Id),
    request_body(content = inline(StateForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Changed"), (status = "default", response = Page))
)]
pub(crate) async fn change(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Form(form): Form<StateForm>,
) -> Result<Redirect, Problem> {
    let change = ClientChange {
        active: Some(form.active),
        ..ClientChange::default()
    };
    store(&app, &caller, person_id(&id)?, change).await
}

/// Replaces the keys of a client.
///
/// # Errors
///
/// 400 for invalid keys, 404 for a client of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/clients/{id}/keys",
    operation_id = "pages.replace_client_keys",
    params(Id),
    request_body(content = inline(KeysForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Replaced"), (status = "default", response = Page))
)]
pub(crate) async fn replace_keys(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Form(form): Form<KeysForm>,
) -> Result<Result<Redirect, Html<ClientsPage>>, Problem> {
    let id = person_id(&id)?;
    let change = match keys(&form.jwks) {
        Ok(keys) => ClientChange {
            keys: Some(keys),
            ..ClientChange::default()
        },
        Err(problem) => return refused(&app, &caller, problem).await.map(Err),
    };
    store(&app, &caller, id, change).await.map(Ok)
}

/// Removes a client.
///
/// # Errors
///
/// 404 for a client of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/clients/{id}/remove",
    operation_id = "pages.remove_client",
    params(Id),
    request_body(content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Removed"), (status = "default", response = Page))
)]
pub(crate) async fn remove(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    let id = person_id(&id)?;
    let permitted = permit(&app, &caller, Some(id)).await?;
    let removed = app.identity.remove_client(&permitted, id).await?;
    removed.map(drop).into_inner();
    Ok(Redirect::to("/clients"))
}

async fn store(
    app: &AppState,
    caller: &CurrentCaller,
    id: PersonId,
    change: ClientChange,
) -> Result<Redirect, Problem> {
    let permitted = permit(app, caller, Some(id)).await?;
    let changed = app.identity.change_client(&permitted, id, change).await?;
    changed.map(drop).into_inner();
    Ok(Redirect::to("/clients"))
}

fn new_client(form: &RegistrationForm) -> Result<NewClient, Problem> {
    Ok(NewClient {
        id: PersonId::random(),
        name: person_name(&form.name)?.to_owned(),
        scopes: scopes(&form.scopes)?,
        keys: keys(&form.jwks)?,
    })
}

/// The page with the reason why values were refused.
async fn refused(
    app: &AppState,
    caller: &CurrentCaller,
    problem: Problem,
) -> Result<Html<ClientsPage>, Problem> {
    let Problem::BadRequest(why) = problem else {
        return Err(problem);
    };
    page(app, caller, Some(why)).await
}

async fn page(
    app: &AppState,
    caller: &CurrentCaller,
    notice: Option<&'static str>,
) -> Result<Html<ClientsPage>, Problem> {
    let permitted = app.gate.permit(caller, List, subject(caller)).await?;
    let clients = app.identity.clients(&permitted).await?;
    let user = CurrentUser::of(app, caller, NavSection::People).await?;
    let page = Html::disclosed(clients.map(|clients| ClientsPage {
        clients: clients.iter().map(ClientEntry::of).collect(),
        notice,
        layout: Layout {
            title: "Machine clients",
            user: Some(user.clone()),
        },
    }));
    Ok(match notice {
        Some(_) => page.with_status(StatusCode::BAD_REQUEST),
        None => page,
    })
}

/// The page of the machine clients.
#[derive(Template)]
#[template(path = "clients.html")]
pub(crate) struct ClientsPage {
    pub(crate) layout: Layout,
    pub(crate) clients: Vec<ClientEntry>,
    /// Why values were refused.
    pub(crate) notice: Option<&'static str>,
}

/// The entry of a client.
#[derive(Debug, Clone)]
pub(crate) struct ClientEntry {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    /// Whether it may sign in.
    pub(crate) active: bool,
    pub(crate) scopes: Vec<String>,
    /// Each key: its id and its algorithm.
    pub(crate) keys: Vec<(String, &'static str)>,
    /// The date of the keys.
    pub(crate) keys_at: String,
}

impl ClientEntry {
    fn of(client: &MachineClient) -> Self {
        let keys = client.keys.keys();
        Self {
            id: client.id.uuid(),
            name: client.name.expose().clone(),
            active: client.active,
            scopes: client.scopes.split(' ').map(str::to_owned).collect(),
            keys: keys
                .map(|(id, algorithm)| (id.to_owned(), algorithm.name()))
                .collect(),
            keys_at: client.keys_at.date().to_string(),
        }
    }
}
