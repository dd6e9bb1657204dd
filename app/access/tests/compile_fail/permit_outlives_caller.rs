//! A permit does not outlive its caller.

use access::Caller;
use access::Permitted;
use access::Read;

fn keep(caller: Caller, permit: fn(&Caller) -> Permitted<'_, Read>) -> Permitted<'static, Read> {
    permit(&caller)
}

fn main() {}
