#![doc = include_str!("../README.md")]

mod body;
mod event;
mod lane;

pub use body::{Body, BodyError, Commitment, Salt};
pub use event::{Action, Event, Outcome, PurposeOfUse, RecordReference};
pub use lane::{BrokenLane, Draft, Entry, Lane, RowsDigest, micros, verify_lane};
