//! Cursors in requests and responses: the parameters of a page.

use access::Caller;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use zeroize::Zeroizing;

use super::FhirError;
use crate::http::state::AppState;
use crate::services::cursors::NextPage;
use crate::services::error::ServiceError;

/// The parameters of a page of a result.
pub(super) struct Page {
    /// The parameters of the first request, form-encoded.
    pub(super) query: Zeroizing<Vec<u8>>,
    /// The position after which the page begins; none for the first page.
    pub(super) position: Option<Zeroizing<Vec<u8>>>,
}

/// The page that form-encoded parameters name: by a cursor, or else the first one.
///
/// Beside a cursor, all other parameters are ignored: clients add `_count` to the links that they follow.
///
/// # Errors
///
/// 400 for a cursor that is not valid for this caller and interaction.
pub(super) async fn open(
    app: &AppState,
    caller: &Caller,
    interaction: &str,
    parameters: Zeroizing<Vec<u8>>,
) -> Result<Page, FhirError> {
    let mut all = url::form_urlencoded::parse(&parameters);
    let cursor = all.find(|(name, _)| name == "_cursor");
    let Some((_, cursor)) = cursor else {
        return Ok(Page {
            query: parameters,
            position: None,
        });
    };
    let next = app.cursors.open(caller, interaction, &cursor).await?;
    let next = next.ok_or_else(|| {
        let why = "the cursor is not one that was sent to you for this interaction in the last hour: search again";
        let issue = Issue::new(IssueCode::Value, why).at("_cursor");
        OperationOutcome::bad_request(issue)
    })?;
    Ok(Page {
        query: next.query,
        position: Some(next.position),
    })
}

/// The cursor of the next page; none for parameters that are too long for one.
///
/// # Errors
///
/// The organization's key is unavailable.
pub(super) async fn seal(
    app: &AppState,
    caller: &Caller,
    interaction: String,
    query: Zeroizing<Vec<u8>>,
    position: Zeroizing<Vec<u8>>,
) -> Result<Option<String>, ServiceError> {
    let next = NextPage {
        interaction,
        query,
        position,
    };
    app.cursors.seal(caller, &next).await
}
