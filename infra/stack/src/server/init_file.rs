//! The statements that the server executes at each start before it accepts connections: they remove every account that
//! has a password (or none), and create the four that need a certificate.

use crate::server::DATABASE;
use crate::server::Extras;
use crate::settings::Database;

/// The accounts' template, kept beside the migrations and grants that rely on it.
const ACCOUNTS: &str = include_str!("../../../../db/accounts.sql");

/// The organization in the certificates of a local stack.
const ORGANIZATION: &str = product::TRUST_DOMAIN;

/// Renders the file: one statement a line, no comments, as both servers read it.
pub(super) fn render(kind: Database, extras: Extras) -> String {
    let mut statements = match kind {
        // `mariadb-install-db` leaves roots without a password on several host names.
        Database::Mariadb => vec![
            "DELETE FROM mysql.global_priv WHERE User IN ('root', '')".to_owned(),
            "DELETE FROM mysql.proxies_priv".to_owned(),
            "FLUSH PRIVILEGES".to_owned(),
        ],
        Database::Mysql => vec!["DROP USER IF EXISTS 'root'@'localhost'".to_owned()],
    };
    statements.extend(statements_of(
        &ACCOUNTS
            .replace("{{database}}", DATABASE)
            .replace("{{issuer}}", &dev_ca::database_issuer(ORGANIZATION))
            .replace("{{organization}}", ORGANIZATION),
    ));
    if extras.test_databases {
        statements.push("GRANT ALL ON *.* TO 'migrate'@'%' WITH GRANT OPTION".to_owned());
    }
    statements.push(String::new());
    statements.join(";\n")
}

/// Splits a file of statements, leaving comments out and joining lines. Neither strings with
/// semicolons nor comments at the end of a line are expected in it.
fn statements_of(file: &str) -> Vec<String> {
    let code: Vec<&str> = file
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("--"))
        .collect();
    let joined = code.join(" ");
    joined
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| !statement.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_stands_on_one_line_and_names_are_filled_in() {
        let file = render(Database::Mariadb, Extras::default());
        assert!(file.lines().all(|line| line.ends_with(';')), "{file}");
        assert!(!file.contains("{{") && !file.contains("--"), "{file}");
        assert!(
            file.contains(&format!("REQUIRE SUBJECT '/O={ORGANIZATION}/CN=app'")),
            "{file}"
        );
        assert!(
            !file.contains("TO 'app'") && !file.contains("ALL ON *.*"),
            "{file}"
        );
    }
}
