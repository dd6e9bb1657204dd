//! The simulated services around the machines: a database server configured as by RDS, the emulator
//! of KMS, and the data of the script that simulates the AWS CLI.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use dev_ca::DevelopmentCa;
use dev_ca::IssuedLeaf;
use dev_ca::Leaf;
use dev_ca::Subject;
use dev_ca::Usage;
use dev_ca::Validity;
use serde_json::Value;
use serde_json::json;
use stack::Database;
use stack::KeyService;
use tempfile::TempDir;
use tests::IsolatedStack;
use time::OffsetDateTime;

/// The passwords of database accounts, in the format of Secrets Manager.
const MASTER_PASSWORD: &str = "r7Q2mZx9LwT4vKc8BnH6yJp3DsG5fEa1";
const APP_PASSWORD: &str = "hV3xN8qRb6TzL1wYk5CmP9sJd2GfE7aU";

/// The services; they stop when this is dropped.
pub(crate) struct SimulatedServices {
    /// The Debian system that machines start from.
    pub(crate) system: PathBuf,
    /// What is in `/usr/share/aws`.
    pub(crate) aws: PathBuf,
    /// The CA of the database.
    pub(crate) database_authority: PathBuf,
    pub(crate) database_port: u16,
    /// The endpoint of the KMS emulator.
    pub(crate) key_service: String,
    /// The id of a former root key.
    pub(crate) former_key_id: String,
    pub(crate) isolated: IsolatedStack,
    _folder: TempDir,
}

impl SimulatedServices {
    pub(crate) async fn start(system: PathBuf) -> Self {
        let isolated = IsolatedStack::start_with(|settings| {
            settings.options.key_service = KeyService::Emulator;
            settings.options.database = Database::Mysql;
        });
        let mut isolated = isolated.await.unwrap();
        for tier in ["web", "app"] {
            isolated.stack.stop(tier).await.unwrap();
        }
        let status = isolated.stack.status().unwrap();
        let folder = TempDir::new().unwrap();
        let aws = folder.path().join("aws");
        for tier in ["web", "app"] {
            authority(&aws, tier);
        }
        secrets(&aws);
        let keys = fs::read(status.home.join("kms/keys.json")).unwrap();
        let keys: Value = serde_json::from_slice(&keys).unwrap();
        let former_key_id = "0f0e0d0c-0b0a-4908-8706-050403020100".to_owned();
        fs::write(aws.join("aliases.json"), aliases(&keys, &former_key_id)).unwrap();
        fs::copy(
            status.certificates.join("internal/ca.pem"),
            aws.join("kms.pem"),
        )
        .unwrap();
        let database_authority = configure_as_rds(&mut isolated, folder.path()).await;
        Self {
            system,
            aws,
            database_authority,
            database_port: status.database.port,
            key_service: status.key_service.endpoint.unwrap(),
            former_key_id,
            isolated,
            _folder: folder,
        }
    }

    /// The certificate of the CA that issues a tier's certificates.
    pub(crate) fn authority(&self, tier: &str) -> PathBuf {
        self.aws.join(tier).join("ca.pem")
    }

    /// Issues a certificate outside the simulated AWS CLI.
    pub(crate) fn issue(&self, tier: &str, leaf: &Leaf) -> IssuedLeaf {
        authority(&self.aws, tier).issue(leaf).unwrap()
    }
}

fn authority(aws: &Path, tier: &str) -> DevelopmentCa {
    let subject = Subject::new("example", &format!("{tier}.dev.example.internal"));
    DevelopmentCa::load_or_create(&aws.join(tier), &subject, now()).unwrap()
}

fn secrets(aws: &Path) {
    let folder = aws.join("secrets");
    fs::create_dir_all(&folder).unwrap();
    for (name, user, password) in [
        ("master", "migrate", MASTER_PASSWORD),
        ("database", "app", APP_PASSWORD),
    ] {
        let secret = json!({"username": user, "password": password});
        fs::write(folder.join(name), secret.to_string()).unwrap();
    }
}

/// The aliases that KMS lists, including those of other environments.
fn aliases(keys: &Value, former_key_id: &str) -> String {
    let alias = |name: &str, id: &Value| {
        let arn = format!("arn:aws:kms:us-east-1:111122223333:alias/{name}");
        json!({"AliasName": format!("alias/{name}"), "AliasArn": arn, "TargetKeyId": id})
    };
    let aliases = json!({"Aliases": [
        json!({"AliasName": "alias/aws/ebs", "AliasArn": "arn:aws:kms:us-east-1:111122223333:alias/aws/ebs"}),
        alias("example/prod/phi/current", &json!("another-environments")),
        alias("example/dev/rds", &json!("the-databases")),
        alias("example/dev/phi/current", &keys["key_id"]),
        alias("example/dev/phi/2026-11", &keys["key_id"]),
        alias("example/dev/phi/2026-10", &json!(former_key_id)),
        alias("example/dev/phi-mac", &keys["mac_key_id"]),
    ]});
    aliases.to_string()
}

/// Reconfigures the database server as RDS does: a regional CA among others in a bundle, a master
/// user with a password, no other accounts, no client certificates.
async fn configure_as_rds(isolated: &mut IsolatedStack, folder: &Path) -> PathBuf {
    let root = |name: &str| {
        let subject = Subject::new("Amazon Web Services, Inc.", name);
        DevelopmentCa::create(&subject, Validity::days(now(), 30)).unwrap()
    };
    let own = root("Amazon RDS us-east-1 Root CA ECC384 G1");
    let other = root("Amazon RDS us-west-2 Root CA ECC384 G1");
    let bundle = folder.join("rds-ca.pem");
    fs::write(
        &bundle,
        format!("{}{}", other.certificate_pem(), own.certificate_pem()),
    )
    .unwrap();
    let subject = Subject::new("Amazon.com", "database");
    let leaf = own.issue(&Leaf {
        names: vec!["127.0.0.1".to_owned()],
        ..Leaf::new(subject, Usage::Server, Validity::days(now(), 30))
    });
    let leaf = leaf.unwrap();
    let (certificate, key) = (folder.join("database.pem"), folder.join("database.key"));
    fs::write(&certificate, leaf.certificate_pem).unwrap();
    fs::write(&key, leaf.key_pem).unwrap();

    let start = isolated.stack.home().root().join("mysql/init.sql");
    let mut statements = fs::read_to_string(&start).unwrap();
    for account in ["app", "auditor", "backup"] {
        writeln!(statements, "DROP USER IF EXISTS '{account}'@'%';").unwrap();
    }
    let master = "ALTER USER 'migrate'@'%' IDENTIFIED BY";
    writeln!(statements, "{master} '{MASTER_PASSWORD}' REQUIRE SSL;").unwrap();
    statements.push_str("GRANT ALL PRIVILEGES ON *.* TO 'migrate'@'%' WITH GRANT OPTION;\n");
    statements.push_str("DROP DATABASE stack;\nCREATE DATABASE stack CHARACTER SET utf8mb4;\n");
    fs::write(&start, statements).unwrap();
    let tls = format!(
        "ssl_cert = {}\nssl_key = {}\n",
        certificate.display(),
        key.display()
    );
    isolated.reconfigure_database(&tls).await.unwrap();
    bundle
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are judged by today's date"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
