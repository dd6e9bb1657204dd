//! What everybody sees of a running stack, whose folder the variable `STACK_HOME` names.

#[path = "stack/round_trip.rs"]
mod round_trip;
