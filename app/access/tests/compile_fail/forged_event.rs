//! An event of a caller is made by this crate only.

use access::Caller;
use access::CallerEvent;

fn forge(caller: &Caller) -> CallerEvent {
    CallerEvent::new(
        caller,
        time::OffsetDateTime::UNIX_EPOCH,
        audit::Action::Read,
        audit::Outcome::Success,
        Vec::new(),
    )
}

fn main() {}
