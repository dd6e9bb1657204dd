//! The running stack in the folder `STACK_HOME`, as its clients, and attackers of its database, see
//! it.
#![expect(
    clippy::indexing_slicing,
    reason = "indexing a JSON value gives null for an absent member"
)]

#[path = "stack/access.rs"]
mod access;
#[path = "stack/attack.rs"]
mod attack;
#[path = "stack/budgets.rs"]
mod budgets;
#[path = "stack/changes.rs"]
mod changes;
#[path = "stack/conditional.rs"]
mod conditional;
#[path = "stack/database_accounts.rs"]
mod database_accounts;
#[path = "stack/floods.rs"]
mod floods;
#[path = "stack/malformed.rs"]
mod malformed;
#[path = "stack/memory.rs"]
mod memory;
#[path = "stack/omission.rs"]
mod omission;
#[path = "stack/owner_ids.rs"]
mod owner_ids;
#[path = "stack/plaintext.rs"]
mod plaintext;
#[path = "stack/replay.rs"]
mod replay;
#[path = "stack/round_trip.rs"]
mod round_trip;
#[path = "stack/scrub.rs"]
mod scrub;
#[path = "stack/sessions.rs"]
mod sessions;
#[path = "stack/sign_in.rs"]
mod sign_in;
#[path = "stack/substituted_rows.rs"]
mod substituted_rows;
#[path = "stack/substitution.rs"]
mod substitution;
#[path = "stack/tampering_apart.rs"]
mod tampering_apart;
#[path = "stack/tampering_people.rs"]
mod tampering_people;
#[path = "stack/tampering_records.rs"]
mod tampering_records;
