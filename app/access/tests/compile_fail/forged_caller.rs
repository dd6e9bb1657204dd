//! A caller has private fields.

use access::Caller;
use access::Role;

fn promote(caller: Caller) -> Caller {
    Caller {
        role: Role::PrivacyOfficer,
        ..caller
    }
}

fn main() {}
