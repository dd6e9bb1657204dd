//! A database for one test, on the server that `DATABASE_URL` names.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use db::Database;
use db::FloorError;
use db::FloorVerifier;
use db::ReleaseFloorRow;
use db::Settings;
use db::Verification;
use phi_types::RowId;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Executor as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlConnection;
use sqlx::mysql::MySqlSslMode;
use url::Url;

use super::rows::release_floor;

/// A verifier that accepts every floor that exists and is not below the highest one verified.
#[derive(Debug)]
pub(super) struct TrustedFloor;

impl FloorVerifier for TrustedFloor {
    fn verify(&self, stored: Option<ReleaseFloorRow>, known: u32) -> Verification<'_> {
        let verified = stored.filter(|row| row.lowest >= known);
        Box::pin(async { verified.ok_or(FloorError::Tampered) })
    }
}

/// A database that no other test uses. It exists until the server is removed.
pub(super) struct Scratch {
    name: String,
    host: String,
    port: u16,
    certificates: PathBuf,
}

impl Scratch {
    /// An empty database.
    pub(super) async fn empty() -> Self {
        let url = std::env::var("DATABASE_URL").expect(
            "these tests need a database server: they are run by `cargo stack test --only database`",
        );
        let url = Url::parse(&url).unwrap();
        let key = url.query_pairs().find(|(name, _)| name == "ssl-key");
        let key = PathBuf::from(key.expect("DATABASE_URL names an ssl-key").1.into_owned());
        let folder = key.ancestors().nth(2).expect("the folder of certificates");
        let scratch = Self {
            name: format!("test_{}", RowId::random().uuid().simple()),
            host: url.host_str().unwrap().to_owned(),
            port: url.port().unwrap(),
            certificates: folder.to_path_buf(),
        };
        let mut owner = scratch
            .options("migrate")
            .database("stack")
            .connect()
            .await
            .unwrap();
        let create = format!("CREATE DATABASE {} CHARACTER SET utf8mb4", scratch.name);
        owner.execute(AssertSqlSafe(create)).await.unwrap();
        scratch
    }

    /// A database with the schema, the grants and the release floor of this build.
    pub(super) async fn migrated() -> Self {
        let scratch = Self::empty().await;
        db::migrate::run(&scratch.settings("migrate"))
            .await
            .unwrap();
        let first = scratch
            .app()
            .begin_with_first_floor(&release_floor())
            .await
            .unwrap();
        first.commit().await.unwrap();
        scratch
    }

    /// The database under the account `app`, with a verifier that accepts every floor.
    pub(super) fn app(&self) -> Database {
        self.app_with(self.settings("app").connections)
    }

    /// The app's database, over at most `connections` connections.
    pub(super) fn app_with(&self, connections: u32) -> Database {
        let database = Database::new(&Settings {
            connections,
            ..self.settings("app")
        });
        database.set_floor_verifier(Arc::new(TrustedFloor));
        database
    }

    /// The settings of an account for this database.
    pub(super) fn settings(&self, account: &str) -> Settings {
        Settings {
            host: self.host.clone(),
            port: self.port,
            database: self.name.clone(),
            user: account.to_owned(),
            ca_file: self.file("internal/ca.pem"),
            certificate_file: Some(self.file(format!("database/{account}.pem"))),
            key_file: Some(self.file(format!("database/{account}.key"))),
            password: None,
            connections: 4,
            acquire_timeout: Duration::from_secs(20),
        }
    }

    /// The driver's options of an account, for statements that this crate does not have.
    pub(super) fn options(&self, account: &str) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .database(&self.name)
            .username(account)
            .ssl_mode(MySqlSslMode::VerifyIdentity)
            .ssl_ca(self.file("internal/ca.pem"))
            .ssl_client_cert(self.file(format!("database/{account}.pem")))
            .ssl_client_key(self.file(format!("database/{account}.key")))
    }

    /// A connection of an account.
    pub(super) async fn connect(&self, account: &str) -> MySqlConnection {
        self.options(account).connect().await.unwrap()
    }

    /// A file in the folder of certificates.
    pub(super) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.certificates.join(name)
    }
}
