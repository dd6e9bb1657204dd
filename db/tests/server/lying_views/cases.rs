//! Every query of the crate that returns rows: what it is asked by, and what a caller does with the answer.

mod changes;
mod scrub;

use std::pin::Pin;

use audit::WrittenRow;
use db::Error;
use db::EventRow;
use db::OwnedPosition;
use db::ResourceKey;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::Purpose;
use phi::Requested;
use phi::StoreError;
use phi::WrappedKey;
use phi_types::AuthenticatedRow;
use phi_types::KeyStore as _;
use phi_types::row_digest;
use phi_types::tables;

use super::world::ELSEWHERE;
use super::world::SAME;
use super::world::Subject;
use super::world::World;

/// What came of a query and of the verification of its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// No row, or none that the server could make.
    Absent,
    /// [`Error::NotRequested`] or [`Error::Corrupt`].
    Refused,
    /// Rows that do not verify.
    Unverified,
    /// Rows that verify as the requested ones.
    Genuine,
}

/// One query.
pub(super) struct Case {
    /// The function's name.
    pub(super) query: &'static str,
    /// The tables that lie, each with the columns that the query is asked by.
    pub(super) lies: &'static [(&'static str, &'static [&'static str])],
    /// The subjects whose rows take the place of the requested one. A list of an organization's rows is not refuted
    /// by another row of that organization.
    pub(super) others: &'static [usize],
    /// Columns that the query does not read.
    pub(super) unread: &'static [&'static str],
    /// Whether the query works on tables alone.
    pub(super) on_tables: bool,
    /// Runs the query for the victim and verifies the answer.
    pub(super) ask: for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>,
}

/// Queries that return a claim and no row, which nothing can bind to anything: the caller must not take the claim for
/// more than that.
pub(super) const CLAIMS: [&str; 12] = [
    "has_event",
    "latest_event_lengths",
    "version_lengths",
    "version_lengths_of",
    "count_patients",
    "heads_of",
    "count_heads",
    "now",
    "count_attempt",
    "address_proofs",
    "delete_empty_attempt_counters",
    "delete_expired_address_evidence",
];

const BOTH: &[usize] = &[SAME, ELSEWHERE];

/// The columns of `demographics` that hold what is known of the patient.
const UNREAD: &[&str] = &[
    "version",
    "family",
    "given",
    "birth_date",
    "gender",
    "mrn",
    "ssn",
    "phone",
    "email",
    "address",
    "roster_entry",
    "mac_key",
    "mac",
];

impl Case {
    const fn of(
        query: &'static str,
        lies: &'static [(&'static str, &'static [&'static str])],
        ask: for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>,
    ) -> Self {
        Self {
            query,
            lies,
            others: BOTH,
            unread: &[],
            on_tables: false,
            ask,
        }
    }

    const fn of_organization(mut self) -> Self {
        self.others = &[ELSEWHERE];
        self
    }

    /// No other genuine row of the table exists.
    const fn of_one_row(mut self) -> Self {
        self.others = &[];
        self
    }

    const fn without(mut self, unread: &'static [&'static str]) -> Self {
        self.unread = unread;
        self
    }

    const fn on_tables(mut self) -> Self {
        self.on_tables = true;
        self
    }
}

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let groups = [
        keys(),
        floor(),
        access(),
        records(),
        index(),
        trail(),
        changes::feed(),
        changes::roster(),
        scrub::all(),
    ];
    groups.into_iter().flatten().collect()
}

fn floor() -> Vec<Case> {
    const SYSTEM: Option<OrganizationId> = Some(OrganizationId::SYSTEM);
    let query = Case::of(
        "release_floor",
        &[("release_floor", &["organization"])],
        |w| Box::pin(async { one(w, SYSTEM, w.app.release_floor().await).await }),
    );
    vec![query.of_one_row()]
}

fn keys() -> Vec<Case> {
    const OWNER: &[&str] = &["organization", "owner_kind", "owner"];
    vec![
        Case::of("organization_named", &[("organizations", &["name"])], |w| {
            Box::pin(async {
                let found = w
                    .app
                    .organization_named(&w.victim().organization.name)
                    .await;
                one(w, None, found).await
            })
        })
        .of_organization(),
        Case::of(
            "organization",
            &[("organizations", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    one(w, Some(id), w.app.organization(id).await).await
                })
            },
        )
        .of_organization(),
        Case::of(
            "current",
            &[("keys", &["organization", "owner_kind", "owner", "purpose"])],
            |w| {
                Box::pin(async {
                    let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                    let found = w.app.current(id, &owner, Purpose::Seal).await;
                    key(w, found.map(Vec::from_iter)).await
                })
            },
        ),
        Case::of("by_ids", &[("keys", &["organization", "id"])], |w| {
            Box::pin(async {
                let ids = [w.victim().key.id];
                key(w, w.app.by_ids(w.victim().id(), &ids).await).await
            })
        }),
        Case::of("owner", &[("owners", OWNER)], |w| {
            Box::pin(async {
                let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                one(w, Some(id), w.app.owner(id, &owner).await).await
            })
        }),
        Case::of("lock_owner", &[("owners", OWNER)], |w| {
            Box::pin(async {
                let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.lock_owner(id, &owner).await;
                transaction.rollback().await.unwrap();
                one(w, Some(id), found).await
            })
        }),
    ]
}

fn access() -> Vec<Case> {
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

#[expect(clippy::too_many_lines, reason = "one list, an entry for each query")]
fn records() -> Vec<Case> {
    const KEY: &[&str] = &["organization", "kind", "id"];
    // The head lies alone, with its version, or the version alone: with the id of its row or with another one.
    const HEADS: [&[(&str, &[&str])]; 4] = [
        &[("resources", KEY)],
        &[("resources", KEY), ("resource_versions", KEY)],
        &[("resource_versions", VERSION)],
        &[("resource_versions", VERSION_ROW)],
    ];
    const VERSION: &[&str] = &[
        "organization",
        "owner_kind",
        "owner",
        "kind",
        "id",
        "version",
    ];
    const VERSION_ROW: &[&str] = &[
        "organization",
        "owner_kind",
        "owner",
        "kind",
        "id",
        "version",
        "row_id",
    ];
    const OWNER: &[&str] = &["organization", "owner_kind", "owner"];
    let mut cases = vec![
        Case::of("lock_resources", &[("resources", KEY)], |w| {
            Box::pin(async {
                let id = w.victim().id();
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.lock_resources(id, &[resource_key(w)]).await;
                transaction.rollback().await.unwrap();
                several(w, id, found).await
            })
        })
        .on_tables(),
        Case::of("resource", &[("resources", KEY)], |w| {
            Box::pin(async {
                let id = w.victim().id();
                one(w, Some(id), w.app.resource(id, &resource_key(w)).await).await
            })
        }),
        Case::of(
            "current_versions_of",
            &[("resources", OWNER), ("resource_versions", OWNER)],
            |w| {
                Box::pin(async {
                    let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                    let start = OwnedPosition::default();
                    let found = w.app.current_versions_of(id, &owner, &start, 10);
                    current(w, found.await).await
                })
            },
        ),
    ];
    for lies in HEADS {
        cases.push(Case::of("current_version", lies, |w| {
            Box::pin(async {
                let found = w
                    .app
                    .current_version(w.victim().id(), &resource_key(w))
                    .await;
                current(w, found.map(Vec::from_iter)).await
            })
        }));
        cases.push(Case::of("current_versions", lies, |w| {
            Box::pin(async {
                let keys = [resource_key(w)];
                current(w, w.app.current_versions(w.victim().id(), &keys).await).await
            })
        }));
    }
    cases
}

#[expect(clippy::too_many_lines, reason = "one list, an entry for each query")]
fn index() -> Vec<Case> {
    vec![
        Case::of(
            "index_versions",
            &[("index_versions", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    several(w, id, w.app.index_versions(id).await).await
                })
            },
        )
        .of_organization(),
        Case::of(
            "demographics",
            &[("demographics", &["organization", "patient"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = w.app.demographics(id, &[w.victim().patient]).await;
                    several(w, id, found).await
                })
            },
        ),
        Case::of(
            "demographics_states",
            &[("demographics", &["organization", "patient"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = w.app.demographics_states(id, &[w.victim().patient]).await;
                    let Ok(found) = answered(found) else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for it in &found {
                        let row = &w.victim().demographics;
                        genuine &= it.row_id == row.row_id;
                        genuine &= it.head.version == it.newest;
                        genuine &= it.recorded == Some(row_digest(row));
                        genuine &= it.head_recorded == Some(row_digest(&it.head));
                        genuine &= verifies(w, id, it.head.clone()).await;
                    }
                    judged(found.len(), genuine)
                })
            },
        )
        .without(UNREAD),
        // A hint, compared with the opened value.
        Case::of(
            "patients_with_token",
            &[(
                "patient_index",
                &["organization", "parameter", "version", "token"],
            )],
            |w| {
                Box::pin(async {
                    let (id, token) = (w.victim().id(), w.victim().token);
                    let found = answered(w.app.patients_with_token(id, &token, 10).await);
                    let Ok(found) = found else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for patient in &found {
                        let number = record_number(w, id, *patient).await;
                        genuine &= number.as_ref() == Some(&w.victim().number);
                    }
                    judged(found.len(), genuine)
                })
            },
        )
        .without(&["unique_token"]),
        // A hint: the unique key decides.
        Case::of(
            "holders_of_unique_tokens",
            &[(
                "patient_index",
                &["organization", "version", "unique_token"],
            )],
            |w| {
                Box::pin(async {
                    let (id, token) = (w.victim().id(), w.victim().token);
                    let found = answered(w.app.holders_of_unique_tokens(id, &[token]).await);
                    let Ok(found) = found else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for (_, patient) in &found {
                        let number = record_number(w, id, *patient).await;
                        genuine &= number.as_ref() == Some(&w.victim().number);
                    }
                    judged(found.len(), genuine)
                })
            },
        )
        .without(&["parameter", "token"]),
    ]
}

fn trail() -> Vec<Case> {
    vec![
        Case::of(
            "latest_events",
            &[("audit_events", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = answered(w.app.latest_events(id, 0, 10).await);
                    let Ok(found) = found else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for event in &found {
                        genuine &= is_genuine_event(w, event).await;
                    }
                    judged(found.len(), genuine)
                })
            },
        )
        .of_organization()
        .without(&["month"]),
        // A hint, compared with what the event commits to.
        Case::of(
            "newest_digest",
            &[("audit_rows", &["organization", "table_tag", "row_id"])],
            |w| {
                Box::pin(async {
                    let (table, row) = (tables::RESOURCES.tag, w.victim().head.row_id());
                    let mut transaction = w.app.begin().await.unwrap();
                    let found = transaction.newest_digest(w.victim().id(), table, row).await;
                    transaction.rollback().await.unwrap();
                    let Ok(found) = answered(found) else {
                        return Outcome::Refused;
                    };
                    let Some((month, event, digest)) = found else {
                        return Outcome::Absent;
                    };
                    let listed = WrittenRow { table, row, digest };
                    let genuine = w.subjects.iter().any(|subject| {
                        let entry = &subject.event.entry;
                        (entry.month(), entry.event) == (month, event)
                            && subject.event.rows.contains(&listed)
                    });
                    judged(1, genuine)
                })
            },
        )
        .without(&["position", "sequence"]),
    ]
}

fn resource_key(w: &World) -> ResourceKey {
    ResourceKey {
        kind: "Observation",
        id: w.victim().head.id,
    }
}

fn judged(rows: usize, genuine: bool) -> Outcome {
    match (rows, genuine) {
        (0, _) => Outcome::Absent,
        (_, true) => Outcome::Genuine,
        (_, false) => Outcome::Unverified,
    }
}

/// The answer; nothing for one that the crate refused.
fn answered<T>(found: Result<T, Error>) -> Result<T, ()> {
    match found {
        Ok(found) => Ok(found),
        // "a table": the driver could not read a value, so the view is not what the test means it to be.
        Err(Error::NotRequested(_) | Error::Corrupt(_))
            if !matches!(found, Err(Error::Corrupt("a table"))) =>
        {
            Err(())
        }
        Err(error) => panic!("{error}"),
    }
}

/// Verifies a row; without an organization it is looked up in the one that it names.
async fn one<R: AuthenticatedRow>(
    w: &World,
    organization: Option<OrganizationId>,
    found: Result<Option<R>, Error>,
) -> Outcome {
    let Ok(found) = answered(found) else {
        return Outcome::Refused;
    };
    let Some(row) = found else {
        return Outcome::Absent;
    };
    let organization = organization.unwrap_or(row.organization());
    judged(1, verifies(w, organization, row).await)
}

async fn several<R: AuthenticatedRow>(
    w: &World,
    organization: OrganizationId,
    found: Result<Vec<R>, Error>,
) -> Outcome {
    let Ok(found) = answered(found) else {
        return Outcome::Refused;
    };
    let count = found.len();
    let mut genuine = true;
    for row in found {
        genuine &= verifies(w, organization, row).await;
    }
    judged(count, genuine)
}

async fn current(w: &World, found: Result<Vec<db::CurrentVersion>, Error>) -> Outcome {
    /// "Mixing of GROUP columns": MariaDB merges no changing view into a query with an aggregate in a subquery.
    const MIXED_GROUP: u16 = 1140;
    // A head that changed on the way to the subquery has no newest version.
    if matches!(
        found,
        Err(Error::Unexpected(Some(MIXED_GROUP)) | Error::Corrupt("a table"))
    ) {
        return Outcome::Absent;
    }
    let Ok(found) = answered(found) else {
        return Outcome::Refused;
    };
    let count = found.len();
    let mut genuine = true;
    for it in found {
        genuine &= it.head.version == it.newest;
        genuine &= verifies(w, w.victim().id(), it.head).await;
        genuine &= verifies(w, w.victim().id(), it.version).await;
    }
    judged(count, genuine)
}

async fn verifies<R: AuthenticatedRow>(w: &World, organization: OrganizationId, row: R) -> bool {
    match w.keyring.verify(organization, row).await {
        Ok(_) => true,
        Err(OpenError::Tampered(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn key(w: &World, found: Result<Vec<WrappedKey>, StoreError>) -> Outcome {
    let found = match found {
        Ok(found) => found,
        Err(StoreError::Corrupt(_)) => return Outcome::Refused,
        Err(error) => panic!("{error:?}"),
    };
    let (id, owner) = (w.victim().id(), w.victim().patients_owner());
    let mut genuine = true;
    for row in &found {
        match w.keyring.scope_of_row(id, owner, row).await {
            Ok(_) => {}
            Err(KeyError::Unavailable { .. } | KeyError::Denied) => panic!("the keys are closed"),
            Err(_) => genuine = false,
        }
    }
    judged(found.len(), genuine)
}

async fn record_number(
    w: &World,
    organization: OrganizationId,
    patient: phi::PatientId,
) -> Option<String> {
    let of = |subject: &&Subject| subject.id() == organization && subject.patient == patient;
    let row = &w.subjects.iter().find(of)?.demographics;
    let requested = Requested {
        organization,
        owner: Owner::Patient(patient),
        row: row.row_id,
    };
    let opened = w.keyring.open(requested, &row.mrn).await.ok()?;
    opened.expose().clone()
}

/// Whether the MAC of an event's entry verifies under a key of the system, and its body opens in its place.
async fn is_genuine_event(w: &World, event: &EventRow) -> bool {
    let system = w
        .keyring
        .authorization_by_id(OrganizationId::SYSTEM, event.mac_key)
        .await;
    let Ok(system) = system else { return false };
    let years = [2023, 2024, 2025, 2026].map(Owner::AuditYear);
    let mut opens = false;
    for owner in years {
        let requested = Requested {
            organization: w.victim().id(),
            owner,
            row: event.entry.event.into(),
        };
        opens |= w.keyring.open(requested, &event.body).await.is_ok();
    }
    opens && system.verify_message("audit-entry", &event.entry.encode(), &event.mac)
}
