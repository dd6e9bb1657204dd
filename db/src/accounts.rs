//! Accounts on a server that cannot check client certificates, such as Amazon RDS. Elsewhere the server's owner
//! makes them, bound to certificates: `accounts.sql`.

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::Executor as _;

use crate::Error;
use crate::Settings;

/// Why an account could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The password would have to be quoted, or is short enough to be found.
    #[error("the app's password is not one of at least 32 letters and digits")]
    Password,
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Sees to the accounts that grants are given to: `app` with this password, over TLS alone; `auditor` and `backup`
/// locked, until somebody needs them. Run again with another password, the app has that one.
///
/// # Errors
/// See [`AccountError`].
pub async fn with_password(
    settings: &Settings,
    password: &SecretString,
) -> Result<(), AccountError> {
    let word = password.expose_secret();
    if word.len() < 32 || !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(AccountError::Password);
    }
    let options = settings.connect_options().disable_statement_logging();
    let mut connection = options.connect().await.map_err(Error::from)?;
    // `word` was checked above: nothing in it ends the literal.
    let app = format!("'app'@'%' IDENTIFIED BY '{word}' REQUIRE SSL");
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
            let outcome = with_password(&settings, &password.to_owned().into()).await;
            assert!(matches!(outcome, Err(AccountError::Password)), "{password}");
        }
    }
}
