//! Accounts on a server that cannot verify client certificates, such as Amazon RDS. On other servers, the server's
//! administrator creates the accounts, bound to certificates, with `accounts.sql`.

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::Executor as _;

use crate::Error;
use crate::Settings;

/// The accounts could not be created.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The password would have to be quoted in SQL, or is short enough to be guessed.
    #[error(
        "the app's password must have at least 32 characters, all of them ASCII letters and digits"
    )]
    Password,
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Creates the accounts that the grants name: `app` with this password and over TLS only, `auditor` and `backup` locked.
/// Run again with another password, it changes the password of `app`.
///
/// # Errors
/// See [`AccountError`].
pub async fn create(settings: &Settings, password: &SecretString) -> Result<(), AccountError> {
    let password = password.expose_secret();
    // The check makes the statements below safe: a `CREATE USER` cannot bind its password.
    if password.len() < 32 || !password.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(AccountError::Password);
    }
    let options = settings.connect_options().disable_statement_logging();
    let mut connection = options.connect().await.map_err(Error::from)?;
    let app = format!("'app'@'%' IDENTIFIED BY '{password}' REQUIRE SSL");
    let statements = [
        format!("CREATE USER IF NOT EXISTS {app}"),
        format!("ALTER USER {app}"),
        "CREATE USER IF NOT EXISTS 'auditor'@'%' REQUIRE SSL ACCOUNT LOCK".to_owned(),
        "CREATE USER IF NOT EXISTS 'backup'@'%' REQUIRE SSL ACCOUNT LOCK".to_owned(),
    ];
    for statement in statements {
        let executed = connection.execute(AssertSqlSafe(statement)).await;
        executed.map_err(Error::from)?;
    }
    connection.close().await.map_err(Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_password_that_would_have_to_be_quoted_reaches_no_server() {
        let settings = Settings {
            host: "nowhere.invalid".to_owned(),
            port: 3306,
            database: "stack".to_owned(),
            user: "migrate".to_owned(),
            ca_file: "ca.pem".into(),
            certificate_file: None,
            key_file: None,
            password: None,
            connections: 1,
            acquire_timeout: Duration::from_secs(1),
        };
        for password in ["short", "it's a quote and long enough to be a password", ""] {
            let outcome = create(&settings, &password.to_owned().into()).await;
            assert!(matches!(outcome, Err(AccountError::Password)), "{password}");
        }
    }
}
