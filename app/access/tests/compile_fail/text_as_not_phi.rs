//! Text is not free of PHI by its type.

use access::NotPhi;

fn release(text: String) -> NotPhi<String> {
    NotPhi::new(text)
}

fn main() {}
