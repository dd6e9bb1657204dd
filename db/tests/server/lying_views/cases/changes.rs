//! Cases of the change feed.

use super::Case;
use super::one;
use super::several;

pub(super) fn all() -> Vec<Case> {
    const END: &[(&str, &[&str])] = &[("change_counters", &["organization"])];
    vec![
        Case::of("change_counters", END, |w| {
            Box::pin(async {
                let id = w.victim().id();
                several(w, id, w.app.change_counters(&[id]).await).await
            })
        })
        .of_organization(),
        Case::of("change_counter", END, |w| {
            Box::pin(async {
                let id = w.victim().id();
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.change_counter(id).await;
                transaction.rollback().await.unwrap();
                one(w, Some(id), found).await
            })
        })
        .of_organization(),
        Case::of("lock_change_counter", END, |w| {
            Box::pin(async {
                let id = w.victim().id();
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.lock_change_counter(id).await;
                transaction.rollback().await.unwrap();
                one(w, Some(id), found).await
            })
        })
        .of_organization()
        .on_tables(),
        Case::of(
            "changes_after",
            &[("changes", &["organization", "incarnation", "sequence"])],
            |w| {
                Box::pin(async {
                    let change = &w.victim().change;
                    let (id, before) = (change.organization, change.sequence - 1);
                    let found = w.app.changes_after(id, change.incarnation, before, 1).await;
                    several(w, id, found).await
                })
            },
        )
        .of_organization(),
    ]
}
