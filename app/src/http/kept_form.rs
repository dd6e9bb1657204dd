//! Forms that are kept when their session has ended, so that nothing has to be typed again.

use axum::extract::Request;
use http::HeaderMap;
use http::header;
use phi::SecretToken;
use zeroize::Zeroizing;

use crate::http::state::AppState;
use crate::limits::MAX_FORM_BYTES;
use crate::services::error::ServiceError;
use crate::services::kept_forms::KeptForm;

/// Marks the requests of a route whose form is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keepable;

/// A kept form, as the browser keeps it.
#[derive(Clone, Debug)]
pub(crate) struct SealedForm(pub(crate) String);

/// Seals the form of a request for the person of the former session that it presents. None if there was no such session, or the
/// request is no form that is kept; then its body is unread.
///
/// # Errors
///
/// The database or the keys are unavailable.
pub(crate) async fn keep(
    app: &AppState,
    token: &SecretToken,
    request: &mut Request,
) -> Result<Option<SealedForm>, ServiceError> {
    let is_kept = request.extensions().get::<Keepable>().is_some() && is_form(request.headers());
    if !is_kept {
        return Ok(None);
    }
    let Some((organization, person)) = app.callers.former_person(token).await? else {
        return Ok(None);
    };
    let body = std::mem::take(request.body_mut());
    let Ok(fields) = axum::body::to_bytes(body, MAX_FORM_BYTES).await else {
        return Ok(None);
    };
    let form = KeptForm {
        path: request.uri().path().to_owned(),
        fields: Zeroizing::new(fields.to_vec()),
    };
    let kept = app.kept_forms.seal(organization, person, &form).await?;
    Ok(kept.map(SealedForm))
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    media_type.is_some_and(|it| {
        it.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    })
}
