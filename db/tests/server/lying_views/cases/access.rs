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
        Case::of(
            "authenticators",
            &[("authenticators", &["organization", "person", "ended_at"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let person = w.victim().person.id;
                    several(w, id, w.app.authenticators(id, person, 20).await).await
                })
            },
        ),
        Case::of("client", &[("clients", &["person"])], |w| {
            Box::pin(async {
                let id = w.victim().person.id;
                one(w, None, w.app.client(id).await).await
            })
        }),
        Case::of(
            "clients",
            &[("clients", &["organization", "ended_at"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    several(w, id, w.app.clients(id).await).await
                })
            },
        ),
    ]
}

pub(super) fn sessions() -> Vec<Case> {
    vec![
        Case::of("session", &[("sessions", &["token_hash"])], |w| {
            Box::pin(async {
                let found = w.app.session(w.victim().session.token_hash).await;
                one(w, None, found).await
            })
        }),
        Case::of(
            "sessions_of",
            &[(
                "sessions",
                &["organization", "person", "ended_at", "expires_at"],
            )],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let person = w.victim().person.id;
                    let now = w.victim().session.authenticated_at;
                    several(w, id, w.app.sessions_of(id, person, now, 20).await).await
                })
            },
        ),
        Case::of("export", &[("exports", &["organization", "id"])], |w| {
            Box::pin(async {
                let id = w.victim().id();
                let found = w.app.export(id, w.victim().export.id).await;
                one(w, Some(id), found).await
            })
        }),
    ]
}

pub(super) fn locked() -> Vec<Case> {
    vec![
        Case::of("lock_person", &[("people", &["organization", "id"])], |w| {
            Box::pin(async {
                let id = w.victim().id();
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.lock_person(id, w.victim().person.id).await;
                transaction.rollback().await.unwrap();
                one(w, Some(id), found).await
            })
        }),
        Case::of(
            "lock_credential",
            &[("credentials", &["organization", "person"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let person = w.victim().person.id;
                    let mut transaction = w.app.begin().await.unwrap();
                    let found = transaction.lock_credential(id, person).await;
                    transaction.rollback().await.unwrap();
                    one(w, Some(id), found).await
                })
            },
        ),
        Case::of(
            "lock_client",
            &[("clients", &["organization", "person"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let person = w.victim().person.id;
                    let mut transaction = w.app.begin().await.unwrap();
                    let found = transaction.lock_client(id, person).await;
                    transaction.rollback().await.unwrap();
                    one(w, Some(id), found).await
                })
            },
        ),
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
