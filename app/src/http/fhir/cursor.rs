//! Cursors in requests and responses: the parameters of a page.

use access::Caller;
use access::Disclosed;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::limits::MAX_PARAMETERS;
use zeroize::Zeroizing;

use super::FhirError;
use crate::http::state::AppState;
use crate::services::cursors::NextPage;
use crate::services::error::ServiceError;

/// The parameters that clients add to the links that they follow: they have no effect beside a cursor.
const OF_CLIENTS: [&str; 3] = ["_count", "_format", "_pretty"];

/// The parameters of a page of a result.
pub(super) struct Page {
    /// The parameters of the first request, form-encoded.
    pub(super) query: Zeroizing<Vec<u8>>,
    /// The position after which the page begins; none for the first page.
    pub(super) position: Option<Zeroizing<Vec<u8>>>,
}

/// The link to the page after this one.
pub(super) struct NextLink {
    /// The cursor; none on the last page, and for parameters that are too long for one.
    pub(super) cursor: Option<String>,
    /// Whether there is no cursor although there is another page.
    pub(super) is_cut: bool,
}

/// The page that form-encoded parameters name: by a cursor, or else the first one.
///
/// # Errors
///
/// 400 for a cursor that is not valid for this caller and interaction, and beside a cursor for parameters that are not those
/// of its search: a condition that is ignored would find too much.
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
        refused(why)
    })?;
    if contradicts(&parameters, &cursor, &next.query) {
        let why = "the cursor holds the parameters of its search: others beside it must be the same, except _count, _format \
                   and _pretty, which have no effect";
        return Err(refused(why).into());
    }
    Ok(Page {
        query: next.query,
        position: Some(next.position),
    })
}

fn refused(why: &'static str) -> OperationOutcome {
    OperationOutcome::bad_request(Issue::new(IssueCode::Value, why).at("_cursor"))
}

/// Whether parameters beside a cursor are not those of the first request.
fn contradicts(parameters: &[u8], cursor: &str, first: &[u8]) -> bool {
    let sent = url::form_urlencoded::parse(parameters);
    let mut sent = sent.enumerate();
    sent.any(|(index, (name, value))| {
        let mut first = url::form_urlencoded::parse(first);
        let is_same = match &*name {
            "_cursor" => value == cursor,
            name if OF_CLIENTS.contains(&name) => true,
            _ => first.any(|(known, of_first)| known == name && of_first == value),
        };
        index >= MAX_PARAMETERS || !is_same
    })
}

/// A page of a result without the position of the next one, and the link that holds that position. `take` takes it.
///
/// # Errors
///
/// The organization's key is unavailable.
pub(super) async fn seal<P>(
    app: &AppState,
    caller: &Caller,
    interaction: String,
    query: Zeroizing<Vec<u8>>,
    page: Disclosed<P>,
    take: impl FnOnce(&mut P) -> Option<Zeroizing<Vec<u8>>>,
) -> Result<(Disclosed<P>, NextLink), ServiceError> {
    let mut position = None;
    let page = page.map(|mut page| {
        position = take(&mut page);
        page
    });
    let has_more = position.is_some();
    let cursor = match position {
        Some(position) => {
            let next = NextPage {
                interaction,
                query,
                position,
            };
            app.cursors.seal(caller, &next).await?
        }
        None => None,
    };
    let is_cut = has_more && cursor.is_none();
    Ok((page, NextLink { cursor, is_cut }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_cursor_are_only_the_parameters_of_its_search() {
        let first = b"patient=a&code=x%2Cy&code=z&_count=5";
        for same in [
            "_cursor=c",
            "_cursor=c&_count=9&_format=json&_pretty=true",
            "code=z&_cursor=c&patient=a",
            "_cursor=c&code=x,y",
            "_cursor=c&_cursor=c",
        ] {
            assert!(!contradicts(same.as_bytes(), "c", first), "{same}");
        }
        let many = format!("_cursor=c{}", "&patient=a".repeat(MAX_PARAMETERS));
        for other in [
            "_cursor=c&patient=b",
            "_cursor=c&subject=a",
            "_cursor=c&code=x",
            "_cursor=c&status=final",
            "_cursor=c&_cursor=d",
            &many,
        ] {
            assert!(contradicts(other.as_bytes(), "c", first), "{other}");
        }
    }
}
