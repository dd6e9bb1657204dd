//! A permit to write discloses nothing.

use access::Permitted;
use access::Trail;
use access::Write;
use access::disclose;

async fn leak<T: Trail>(trail: &T, permitted: &Permitted<'_, Write>) {
    let _disclosed = disclose(trail, permitted, &[], "PHI").await;
}

fn main() {}
