//! `GET /fhir/{type}/{id}`.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Failure, answered};
use crate::access::ReadRecord;
use crate::caller::Caller;
use crate::fhir::{Issue, IssueCode, Kind, Outcome, Target, parse_id, request};
use crate::problem::Problem;
use crate::state::App;

/// The current version of a resource, with its `ETag`.
///
/// # Errors
///
/// 404 also where the resource belongs to another organization; see [`Problem`] for the rest.
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    request::screen_query(query.as_deref())?;
    request::ask_accepts_json(&headers)?;
    let Target { kind, id } = target(&kind, &id)?;
    let permitted = caller.permit(&app, ReadRecord(kind)).await?;
    let stored = app
        .records
        .read(&caller, &permitted, id)
        .await?
        .into_inner();
    let etag = HeaderValue::try_from(stored.stamp.etag()).map_err(Problem::internal)?;
    let mut response = answered(&stored.resource.with_meta(stored.stamp).into_document());
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// What the address names. A type or an id that cannot be is not found, and the answer says why.
fn target(kind: &str, id: &str) -> Result<Target, Outcome> {
    let kind: Kind = kind.parse().map_err(|_unknown| {
        let kept = Kind::ALL.map(Kind::name).join(", ");
        let issue = Issue::new(
            IssueCode::NotSupported,
            format!("kept here are only: {kept}"),
        );
        Outcome::new(StatusCode::NOT_FOUND, issue)
    })?;
    let id = parse_id(id).map_err(|issue| Outcome::new(StatusCode::NOT_FOUND, issue))?;
    Ok(Target { kind, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_there_is_not_found_and_not_repeated() {
        for (kind, id) in [
            ("Claim", "c757873d-ec9a-4326-a141-556f43239520"),
            ("Patient", "M-123"),
        ] {
            let outcome = target(kind, id).expect_err("not found");
            assert_eq!(outcome.status(), StatusCode::NOT_FOUND);
            assert!(!outcome.to_json().to_string().contains(id));
        }
    }
}
