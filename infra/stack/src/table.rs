//! A stack's status as text for people.

use std::fmt::Write;

use crate::status::Status;

/// The text that `up` prints when the stack is ready: its address and the demo accounts.
pub(crate) fn welcome(status: &Status) -> String {
    let mut text = format!("\nThe stack is up: {}\n\n", status.web.address);
    text.push_str(&accounts(status));
    let authority = status.certificates.join("public/ca.pem");
    let _ = writeln!(
        text,
        "\nYour browser trusts it after importing {}.\n",
        authority.display()
    );
    text
}

/// The text that `cargo stack status` prints.
#[must_use]
pub fn status(status: &Status) -> String {
    let mut text = String::new();
    let pid = |pid: Option<i32>| {
        pid.map_or_else(|| "not running".to_owned(), |pid| format!("process {pid}"))
    };
    let mut line = |name: &str, what: &str, which: String| {
        let _ = writeln!(text, "{name:<12} {what:<28} {which}");
    };
    line("web", &status.web.address, pid(status.web.pid));
    line("app", &status.app.address, pid(status.app.pid));
    let database = format!(
        "{}:{} ({})",
        status.database.host, status.database.port, status.database.kind
    );
    line("database", &database, pid(status.database.pid));
    match &status.key_service.endpoint {
        Some(endpoint) => line("key service", endpoint, pid(status.key_service.pid)),
        None => line("key service", &status.key_service.provider, String::new()),
    }
    line("supervisor", "", pid(status.supervisor));
    line("folder", &status.home.display().to_string(), String::new());
    if !status.ready {
        text.push_str("It is not ready yet.\n");
    }
    text.push('\n');
    text.push_str(&accounts(status));
    text
}

fn accounts(status: &Status) -> String {
    let width = |of: fn(&crate::status::Account) -> &str| {
        status
            .accounts
            .iter()
            .map(|account| of(account).chars().count())
            .max()
            .unwrap_or(0)
    };
    let organizations = width(|account| &account.organization);
    let roles = width(|account| &account.role);
    let emails = width(|account| &account.email);
    let mut text = String::new();
    for account in &status.accounts {
        let _ = writeln!(
            text,
            "  {:<organizations$}  {:<roles$}  {:<emails$}  {}",
            account.organization, account.role, account.email, account.password
        );
    }
    text
}
