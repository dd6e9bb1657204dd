//! The command `migrate`: applies the migrations and the grants, then exits.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use db::Settings;
use secrecy::SecretString;

/// Brings the stack's database to the schema and the grants that this build expects.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Host name or address of the server, as in its certificate.
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
    /// File with the account's password. Only for a server that cannot verify client certificates.
    #[arg(long, env = "DATABASE_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// File with the password of the app's account: creates that account, and locked ones for the
    /// auditor and the backup. Only for a server that cannot verify client certificates.
    #[arg(long, env = "DATABASE_APP_PASSWORD_FILE")]
    app_password_file: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => {
            // `cargo stack infra deploy` searches the log for the first two words.
            eprintln!("migrate: done: the schema and the grants are those of this build");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("migrate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let password = secret(arguments.password_file.as_deref())?;
    let app_password = secret(arguments.app_password_file.as_deref())?;
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
    if let Some(password) = app_password {
        db::accounts::create(&settings, &password).await?;
    }
    Ok(db::migrate::run(&settings).await?)
}

fn secret(file: Option<&Path>) -> anyhow::Result<Option<SecretString>> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Some(text.trim_end().to_owned().into()))
}
