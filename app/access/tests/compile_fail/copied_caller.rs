//! A caller is neither cloned nor copied.

use access::Caller;

fn cloned<T: Clone>() {}
fn copied<T: Copy>() {}

fn main() {
    cloned::<Caller>();
    copied::<Caller>();
}
