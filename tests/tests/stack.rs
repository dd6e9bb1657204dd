//! What everybody sees of a running stack, whose folder the variable `STACK_HOME` names.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON is looked into by index, which gives null for what is absent"
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
#[path = "stack/lie.rs"]
mod lie;
#[path = "stack/lying_views.rs"]
mod lying_views;
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
#[path = "stack/tampering_apart.rs"]
mod tampering_apart;
#[path = "stack/tampering_people.rs"]
mod tampering_people;
#[path = "stack/tampering_records.rs"]
mod tampering_records;
