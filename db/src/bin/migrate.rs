//! Applies the migrations and grants, then exits.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use db::Settings;

/// Brings the stack's database to the schema and the grants that this build expects.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Host name or address of the server, as it stands in its certificate.
    #[arg(long, env = "DATABASE_HOST")]
    host: String,
    /// TCP port of the server.
    #[arg(long, env = "DATABASE_PORT", default_value_t = 3306)]
    port: u16,
    /// Name of the database.
    #[arg(long, env = "DATABASE_NAME", default_value = "stack")]
    database: String,
    /// Account that may change the schema.
    #[arg(long, env = "DATABASE_USER", default_value = "migrate")]
    user: String,
    /// PEM file with the CA that issued the server's certificate.
    #[arg(long, env = "DATABASE_CA_FILE")]
    ca_file: PathBuf,
    /// PEM file with the account's certificate chain.
    #[arg(long, env = "DATABASE_CERTIFICATE_FILE")]
    certificate_file: Option<PathBuf>,
    /// PEM file with the account's private key.
    #[arg(long, env = "DATABASE_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// File with the account's password, only where the server cannot check client certificates.
    #[arg(long, env = "DATABASE_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("migrate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let password = match &arguments.password_file {
        Some(file) => Some(std::fs::read_to_string(file)?.trim_end().to_owned().into()),
        None => None,
    };
    let settings = Settings {
        host: arguments.host,
        port: arguments.port,
        database: arguments.database,
        user: arguments.user,
        ca_file: arguments.ca_file,
        certificate_file: arguments.certificate_file,
        key_file: arguments.key_file,
        password,
        connections: 1,
        acquire_timeout: Duration::from_secs(30),
    };
    Ok(db::migrate::run(&settings).await?)
}
