//! A permit has private fields.

use access::{Caller, Permission, Permitted, Read, Subject};

fn forge(caller: &Caller, subject: Subject, permission: Permission) -> Permitted<'_, Read> {
    Permitted {
        caller,
        subject,
        permission,
        action: std::marker::PhantomData,
    }
}

fn main() {}
