//! The pages on which a person sets up a passkey or an authenticator app.

pub(crate) mod passkey;

use access::AssuranceLevel;
use access::Caller;
use access::CredentialKind;
use access::NotPhi;
use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::StatusCode;
use phi::RecoveryCode;
use qrcode::QrCode;
use qrcode::render::svg;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::html::Html;
use super::layout::Layout;
use super::layout::PRODUCT;
use super::sign_in::with_new_session;
use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::authenticator_changes::problem;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPath;
use crate::http::return_path::ReturnPaths;
use crate::http::return_path::ReturnQuery;
use crate::http::state::AppState;
use crate::services::identity::AuthenticatorChangeError;
use crate::services::identity::DeviceKind;
use crate::services::identity::NewAuthenticator;

/// The smallest width of a QR code, in pixels: cameras read it from a screen at arm's length.
const QR_PIXELS: u32 = 220;

/// The form that confirms an authenticator app.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ConfirmForm {
    authenticator: Uuid,
    #[schema(value_type = String)]
    code: SecretString,
    /// The path of the page to return to.
    next: Option<String>,
}

/// The form that begins to set up an authenticator app.
#[derive(Deserialize, ToSchema)]
pub(crate) struct BeginForm {
    /// The path of the page to return to.
    next: Option<String>,
}

/// The page that explains passkeys and authenticator apps, and begins to set one up.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/second-factor",
    operation_id = "pages.second_factor",
    params(ReturnQuery),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
    pages: ReturnPaths,
    Query(ReturnQuery { next }): Query<ReturnQuery>,
) -> Result<Html<SecondFactorPage>, Problem> {
    let _permitted = permit(&app, &caller).await?;
    // A form that is refused loses its fields; this page is redirected, and returned to.
    if caller.assurance_level() == AssuranceLevel::MultiFactor {
        return Err(Problem::StepUpRequired);
    }
    let next = next.and_then(|next| pages.parse(&next));
    let page = SecondFactorPage::start(false).returning_to(next);
    let page = NotPhi::assert(page, "a fixed text, and the path of a page");
    Ok(Html::not_phi(StatusCode::OK, page))
}

/// Makes a new key for an authenticator app, and shows it.
///
/// # Errors
///
/// 400 if the person has as many devices as are allowed; see [`Problem`].
#[utoipa::path(
    post,
    path = "/second-factor",
    operation_id = "pages.begin_second_factor",
    request_body(content = inline(BeginForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = "default", response = Page))
)]
pub(crate) async fn begin(
    State(app): State<AppState>,
    caller: CurrentCaller,
    pages: ReturnPaths,
    Form(BeginForm { next }): Form<BeginForm>,
) -> Result<Html<SecondFactorPage>, Problem> {
    let next = next.and_then(|next| pages.parse(&next));
    let permitted = permit(&app, &caller).await?;
    let begun = app.identity.begin_app(&permitted).await;
    let begun = begun.map_err(problem)?;
    Ok(Html::disclosed(begun.map(|new| {
        SecondFactorPage::scan(&new, false).returning_to(next)
    })))
}

/// Confirms an authenticator app by a code, and shows the recovery codes that were made with the first one.
///
/// # Errors
///
/// 404 for an authenticator that is not the caller's; see [`Problem`].
#[utoipa::path(
    post,
    path = "/second-factor/confirm",
    operation_id = "pages.confirm_second_factor",
    request_body(
        content = inline(ConfirmForm),
        content_type = "application/x-www-form-urlencoded"
    ),
    responses((status = "default", response = Page))
)]
pub(crate) async fn confirm(
    State(app): State<AppState>,
    caller: CurrentCaller,
    pages: ReturnPaths,
    Form(form): Form<ConfirmForm>,
) -> Result<Response, Problem> {
    let next = form.next.and_then(|next| pages.parse(&next));
    let permitted = permit(&app, &caller).await?;
    ensure_session(&caller, "Programs use /api/v1/account.")?;
    let id = form.authenticator;
    let (renewal, codes) = match app.identity.confirm(&permitted, id, &form.code).await {
        Ok(confirmed) => confirmed,
        Err(AuthenticatorChangeError::WrongCode) => {
            let new = app.identity.unconfirmed(&permitted, id).await;
            let page = SecondFactorPage::scan(&new.map_err(problem)?, true).returning_to(next);
            let page = NotPhi::assert(page, "a key of the caller's own, not yet in use");
            return Ok(Html::not_phi(StatusCode::BAD_REQUEST, page).into_response());
        }
        Err(error) => return Err(problem(error)),
    };
    let page =
        codes.map(|codes| SecondFactorPage::done(DeviceKind::App, &codes).returning_to(next));
    with_new_session(&app, &caller, &renewal, Html::disclosed(page)).await
}

/// Refuses a token: the page replaces the session, which a token does not have.
fn ensure_session(caller: &Caller, what_to_do: &'static str) -> Result<(), Problem> {
    if caller.credential().kind == CredentialKind::Session {
        Ok(())
    } else {
        Err(Problem::BadRequest(what_to_do))
    }
}

/// The page of a step of the set-up.
#[derive(Template)]
#[template(path = "second_factor.html")]
pub(crate) struct SecondFactorPage {
    layout: Layout,
    step: Step,
    next: Option<ReturnPath>,
}

/// A step of the set-up.
enum Step {
    /// The explanation.
    Start {
        /// Whether a passkey was not accepted.
        is_refused: bool,
    },
    /// The key is shown, and a code of it is expected.
    Scan(Scan),
    /// A device is confirmed.
    Done(Done),
}

/// A device that is confirmed.
struct Done {
    device: DeviceKind,
    /// The recovery codes that were made, in groups.
    codes: Vec<Zeroizing<String>>,
}

/// A key that is shown.
struct Scan {
    authenticator: Uuid,
    /// The QR code, as an `svg` element.
    qr: Zeroizing<String>,
    /// The key in base32, in groups of four.
    key: Zeroizing<String>,
    /// Whether a wrong code was sent.
    is_refused: bool,
}

impl SecondFactorPage {
    /// The explanation, also after a passkey that was not accepted.
    pub(crate) fn start(is_refused: bool) -> Self {
        Self::of(Step::Start { is_refused })
    }

    /// The page with a key.
    pub(crate) fn scan(new: &NewAuthenticator, is_refused: bool) -> Self {
        let uri = new.key.uri(PRODUCT, new.email.expose());
        Self::of(Step::Scan(Scan {
            authenticator: new.id,
            qr: uri.map(|uri| qr_code(&uri)).unwrap_or_default(),
            key: in_groups(&new.key.to_base32()),
            is_refused,
        }))
    }

    /// The page after the confirmation.
    pub(crate) fn done(device: DeviceKind, codes: &[RecoveryCode]) -> Self {
        Self::of(Step::Done(Done {
            device,
            codes: codes.iter().map(RecoveryCode::to_groups).collect(),
        }))
    }

    fn of(step: Step) -> Self {
        let title = match &step {
            Step::Start { .. } => "Set up a passkey or an app",
            Step::Scan(_) => "Set up an authenticator app",
            Step::Done(_) => "You are set up",
        };
        Self {
            layout: Layout { title, user: None },
            step,
            next: None,
        }
    }

    /// The page, from which the person goes on to `next`.
    fn returning_to(self, next: Option<ReturnPath>) -> Self {
        Self { next, ..self }
    }

    /// The path of the page on which the person goes on.
    fn continued(&self) -> &str {
        ReturnPath::or_start(self.next.as_ref())
    }
}

/// A QR code as an `svg` element; empty for a text that does not fit one.
fn qr_code(text: &str) -> Zeroizing<String> {
    let Ok(code) = QrCode::new(text.as_bytes()) else {
        return Zeroizing::default();
    };
    let image = code
        .render::<svg::Color<'_>>()
        .min_dimensions(QR_PIXELS, QR_PIXELS)
        .build();
    // Without the XML declaration, which HTML does not have.
    let image = Zeroizing::new(image);
    let element = image.find("<svg").and_then(|start| image.get(start..));
    let element = element.unwrap_or_default();
    let label = "<svg role=\"img\" aria-label=\"QR code with the key\" ";
    Zeroizing::new(element.replacen("<svg ", label, 1))
}

/// A key in groups of four letters.
fn in_groups(key: &str) -> Zeroizing<String> {
    let mut groups = Zeroizing::new(String::with_capacity(2 * key.len()));
    for (index, letter) in key.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            groups.push(' ');
        }
        groups.push(letter);
    }
    groups
}
