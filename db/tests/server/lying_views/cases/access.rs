//! Cases of people, credentials, sessions and bulk exports.

use super::Case;
use super::one;
use super::several;

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::of("person_by_email", &[("people", &["email_token"])], |w| {
            Box::pin(async {
                let token = w.victim().person.email_token;
                one(w, None, w.app.person_by_email(token).await).await
            })
        }),
        Case::of("person", &[("people", &["organization", "id"])], |w| {
            Box::pin(async {
                let id = w.victim().id();
                let found = w.app.person(id, w.victim().person.id).await;
                one(w, Some(id), found).await
            })
        }),
        Case::of("people", &[("people", &["organization"])], |w| {
            Box::pin(async {
                let id = w.victim().id();
                several(w, id, w.app.people(id).await).await
            })
        })
        .of_organization(),
        Case::of(
            "credential",
            &[("credentials", &["organization", "person"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = w.app.credential(id, w.victim().person.id).await;
                    one(w, Some(id), found).await
                })
            },
        ),
        Case::of("session", &[("sessions", &["token_hash"])], |w| {
            Box::pin(async {
                let found = w.app.session(w.victim().session.token_hash).await;
                one(w, None, found).await
            })
        }),
        Case::of("export", &[("exports", &["organization", "id"])], |w| {
            Box::pin(async {
                let id = w.victim().id();
                let found = w.app.export(id, w.victim().export.id).await;
                one(w, Some(id), found).await
            })
        }),
        Case::of("lock_session", &[("sessions", &["token_hash"])], |w| {
            Box::pin(async {
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction
                    .lock_session(w.victim().session.token_hash)
                    .await;
                transaction.rollback().await.unwrap();
                one(w, None, found).await
            })
        }),
    ]
}
