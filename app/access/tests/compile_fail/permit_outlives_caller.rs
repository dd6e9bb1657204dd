//! A permit does not outlive its caller.

use access::{Caller, Permitted, Read};

fn keep(caller: Caller, permit: fn(&Caller) -> Permitted<'_, Read>) -> Permitted<'static, Read> {
    permit(&caller)
}

fn main() {}
