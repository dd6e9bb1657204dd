//! A permit has private fields.

use access::Caller;
use access::Permission;
use access::Permitted;
use access::Read;
use access::Subject;

fn forge(caller: &Caller, subject: Subject, permission: Permission) -> Permitted<'_, Read> {
    Permitted {
        caller,
        subject,
        permission,
        action: std::marker::PhantomData,
    }
}

fn main() {}
