//! The command `migrate`: applies the migrations and the grants, then exits.

use std::process::ExitCode;
use std::time::Duration;

use db::Settings;
use secrecy::SecretString;
use settings::EX_USAGE;
use settings::Reader;
use settings::Reported;
use settings::section;

/// The prefix of this program's variables; other variables are ignored.
const PREFIXES: [&str; 1] = ["DATABASE_"];

/// The validated configuration.
struct Config {
    /// The database, and the account that may change its schema.
    database: Settings,
    /// `DATABASE_APP_PASSWORD_FILE`: the password that the app's account is given. It creates that account, and
    /// locked ones for the auditor and the backup. Only for a server that cannot verify client certificates.
    app_password: Option<SecretString>,
}

impl Config {
    fn read(reader: &Reader) -> Result<Self, Reported> {
        let config = section!(Self {
            database: Settings::read(reader, "migrate"),
            app_password: reader.secret_file("DATABASE_APP_PASSWORD_FILE"),
        })?;
        Ok(Self {
            database: Settings {
                connections: 1,
                acquire_timeout: Duration::from_secs(30),
                ..config.database
            },
            ..config
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::args().nth(1).is_some() {
        eprintln!("migrate: takes no arguments; its variables are in db/README.md");
        return ExitCode::from(EX_USAGE);
    }
    let config = match Reader::from_environment(&PREFIXES).read(Config::read) {
        Ok(config) => config,
        Err(errors) => return errors.report("migrate"),
    };
    match run(&config).await {
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

async fn run(config: &Config) -> anyhow::Result<()> {
    if let Some(password) = &config.app_password {
        db::accounts::create(&config.database, password).await?;
    }
    Ok(db::migrate::run(&config.database).await?)
}
