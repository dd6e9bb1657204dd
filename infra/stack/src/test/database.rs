//! The database crate's tests, on both servers.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::cargo;
use super::step::Counts;
use super::step::StepResult;
use crate::certificates;
use crate::home::Home;
use crate::ports::free_ports;
use crate::server::Server;
use crate::server::StandaloneServer;
use crate::settings::Database;
use progress::Progress;

/// Runs them on each server in turn.
pub(super) async fn test_both(root: &Path) -> anyhow::Result<StepResult> {
    let mut total = Counts::default();
    for kind in [Database::Mariadb, Database::Mysql] {
        if let StepResult::Done(counts) = test_on(root, kind).await.context(kind.title())? {
            total.add(counts);
        }
    }
    Ok(StepResult::Done(total))
}

async fn test_on(root: &Path, kind: Database) -> anyhow::Result<StepResult> {
    let folder = root.join("target/database-test").join(kind.word());
    let _ = fs::remove_dir_all(&folder);
    let home = Home::at(&folder)?;
    home.create()?;
    certificates::issue(&home)?;
    let server = Server::obtain(kind, Progress::shown())?;
    let [port] = free_ports()?;
    let mut standalone = StandaloneServer::start(&server, &home, port).await?;
    println!("on {}", server.title());
    let names = cargo::test_files(&root.join("db/tests"))?;
    let variables = [
        ("DATABASE_URL", address(&home, port).into()),
        ("STACK_TEST_DATABASE", kind.word().into()),
    ];
    let result = cargo::test(root, &cargo::only(&names), &variables).await;
    standalone.stop().await?;
    result
}

/// The address of the scratch server for the account that may make databases on it.
fn address(home: &Home, port: u16) -> String {
    let file = |name: &str| home.certificate(name).display().to_string();
    format!(
        "mysql://migrate@127.0.0.1:{port}/stack?ssl-mode=VERIFY_IDENTITY&ssl-ca={}&ssl-cert={}&ssl-key={}",
        file("internal/ca.pem"),
        file("database/migrate.pem"),
        file("database/migrate.key")
    )
}
