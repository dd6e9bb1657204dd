//! Cases of histories and of search summaries.

use db::Error;
use db::SummarizedHead;
use phi::Requested;

use super::Case;
use super::Outcome;
use super::World;
use super::accepted;
use super::outcome_of;
use super::records::resource_key;
use super::several;
use super::verifies;

pub(super) fn all() -> Vec<Case> {
    const OWNER: &[&str] = &["organization", "owner_kind", "owner", "kind"];
    const KEY: &[&str] = &["organization", "owner_kind", "owner", "kind", "id"];
    vec![
        Case::of("history", &[("resource_versions", KEY)], |w| {
            Box::pin(async {
                let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                let key = resource_key(w);
                let found = w.app.history(id, &owner, &key, None, 10).await;
                several(w, id, found).await
            })
        }),
        Case::of("history_of", &[("resource_versions", OWNER)], |w| {
            Box::pin(async {
                let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                let found = w.app.history_of(id, &owner, "Observation", None, 10).await;
                several(w, id, found).await
            })
        }),
        Case::of("summarized_heads", &[("resources", OWNER)], |w| {
            Box::pin(async { summarized(w).await })
        }),
        // On tables, since a summary has the key columns of its head, whatever a changing view returns.
        Case::of("summarized_heads", &[("search_summaries", KEY)], |w| {
            Box::pin(async { summarized(w).await })
        })
        .on_tables(),
    ]
}

async fn summarized(w: &World) -> Outcome {
    let (id, owner) = (w.victim().id(), w.victim().patients_owner());
    let heads = w.app.summarized_heads(id, &owner, "Observation", None, 10);
    summaries(w, heads.await).await
}

/// Verifies each head, and opens its summary, which carries no MAC: it names the version that it summarizes. A head
/// without a summary is verified alone, since the caller then opens the version.
async fn summaries(w: &World, found: Result<Vec<SummarizedHead>, Error>) -> Outcome {
    let Ok(found) = accepted(found) else {
        return Outcome::Refused;
    };
    let (organization, owner) = (w.victim().id(), w.victim().patients_owner());
    let count = found.len();
    let mut genuine = true;
    for SummarizedHead { head, summary } in found {
        let named = head.version_row;
        genuine &= verifies(w, organization, head).await;
        let Some(summary) = summary else { continue };
        let requested = Requested {
            organization,
            owner,
            row: summary.row_id,
        };
        let opened = w.keyring.open(requested, &summary.summary).await;
        genuine &= opened.is_ok_and(|it| it.expose()[..] == named.as_bytes()[..]);
    }
    outcome_of(count, genuine)
}
