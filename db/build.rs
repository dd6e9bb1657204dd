//! Tells Cargo to rebuild the crate when a migration is added, because `sqlx::migrate!` embeds the folder.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=next-release");
}
