//! What everybody sees of a running stack, whose folder the variable `STACK_HOME` names.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON is looked into by index, which gives null for what is absent"
)]

#[path = "stack/access.rs"]
mod access;
#[path = "stack/database_accounts.rs"]
mod database_accounts;
#[path = "stack/malformed.rs"]
mod malformed;
#[path = "stack/plaintext.rs"]
mod plaintext;
#[path = "stack/round_trip.rs"]
mod round_trip;
#[path = "stack/sessions.rs"]
mod sessions;
#[path = "stack/tampering_apart.rs"]
mod tampering_apart;
#[path = "stack/tampering_people.rs"]
mod tampering_people;
#[path = "stack/tampering_records.rs"]
mod tampering_records;
