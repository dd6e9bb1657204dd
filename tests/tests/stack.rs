//! What everybody sees of a running stack, whose folder the variable `STACK_HOME` names.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON is looked into by index, which gives null for what is absent"
)]

#[path = "stack/plaintext.rs"]
mod plaintext;
#[path = "stack/round_trip.rs"]
mod round_trip;
