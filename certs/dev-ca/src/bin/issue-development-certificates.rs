//! The command that issues the certificates of a development machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dev_ca::Settings;
use time::OffsetDateTime;

/// Issues the development roots and every certificate of the stack; another run renews the leaves.
#[derive(Parser)]
struct Arguments {
    /// The directory to write to.
    #[arg(long, default_value = ".stack/certs")]
    out: PathBuf,
    /// The trust domain of the identities.
    #[arg(long, default_value = product::TRUST_DOMAIN)]
    trust_domain: String,
    /// An additional DNS name or IP address of the edge; may be given more than once.
    #[arg(long = "public-name")]
    public_names: Vec<String>,
    /// Validity of the leaves, in days.
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
        reason = "`main` reads the clock and passes the time on"
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
