//! A disclosure has a private field and a private constructor.

use access::Disclosed;

fn forge() -> Disclosed<&'static str> {
    Disclosed("PHI")
}

fn construct() -> Disclosed<&'static str> {
    Disclosed::of_recorded("PHI")
}

fn main() {}
