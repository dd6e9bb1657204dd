//! A permit to write discloses nothing.

use access::{Permitted, Trail, Write, disclose};

async fn leak<T: Trail>(trail: &T, permitted: &Permitted<'_, Write>) {
    let _disclosed = disclose(trail, permitted, &[], "PHI").await;
}

fn main() {}
