//! Issues the certificates of a development machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dev_ca::Settings;
use time::OffsetDateTime;

/// Issues the development roots and every certificate of the stack; run again, it renews them.
#[derive(Parser)]
struct Arguments {
    /// The folder to write to.
    #[arg(long, default_value = ".stack/certs")]
    out: PathBuf,
    /// The trust domain of the identities.
    #[arg(long, default_value = "stack.internal")]
    trust_domain: String,
    /// A further name or address of the edge; may be given more than once.
    #[arg(long = "public-name")]
    public_names: Vec<String>,
    /// How long the leaves are valid.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=397))]
    days: u16,
}

fn main() -> ExitCode {
    let Arguments {
        out,
        trust_domain,
        public_names,
        days,
    } = Arguments::parse();
    #[expect(
        clippy::disallowed_methods,
        reason = "a program's edge is where time comes from"
    )]
    let now = OffsetDateTime::now_utc();
    match dev_ca::development(&Settings {
        out,
        trust_domain,
        public_names,
        days,
        now,
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("issue-development-certificates: {error}");
            ExitCode::FAILURE
        }
    }
}
