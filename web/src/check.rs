//! `web check`: validation of the configuration without starting the server.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::MISCONFIGURED;
use crate::config::Config;

/// The prefix of this program's variables; other variables are ignored.
const PREFIX: &str = "WEB_";

/// Validates the configuration, and prints its errors.
pub(crate) fn check() -> ExitCode {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let problems = problems(&variables);
    for problem in &problems {
        eprintln!("web: {problem}");
    }
    if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(MISCONFIGURED)
    }
}

fn problems(variables: &[(String, String)]) -> Vec<String> {
    let known = RefCell::new(BTreeSet::new());
    let read = Config::read(|name| {
        known.borrow_mut().insert(name.to_owned());
        let found = variables.iter().find(|(set, _)| set == name);
        found.map(|(_, value)| value.clone())
    });
    if let Err(error) = read {
        return vec![error.to_string()];
    }
    let known = known.into_inner();
    let names = variables.iter().map(|(name, _)| name);
    names
        .filter(|name| name.starts_with(PREFIX) && !known.contains(*name))
        .map(|name| format!("{name} is not a variable of this program: is it misspelt?"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The required variables.
    const REQUIRED: [(&str, &str); 11] = [
        ("WEB_LISTEN", "127.0.0.1:8443"),
        ("WEB_REDIRECT_LISTEN", "127.0.0.1:8080"),
        ("WEB_PUBLIC_ORIGIN", "https://localhost:8443"),
        ("WEB_TLS_CERTIFICATE_FILE", "web.pem"),
        ("WEB_TLS_KEY_FILE", "web.key"),
        ("WEB_UPSTREAMS", "127.0.0.1:9443"),
        ("WEB_UPSTREAM_NAME", "app.internal"),
        ("WEB_UPSTREAM_IDENTITY", "spiffe://example.internal/app"),
        ("WEB_UPSTREAM_CA_FILE", "ca.pem"),
        ("WEB_UPSTREAM_CERTIFICATE_FILE", "internal.pem"),
        ("WEB_UPSTREAM_KEY_FILE", "internal.key"),
    ];

    fn problems_with(more: &[(&str, &str)]) -> Vec<String> {
        let all = REQUIRED.iter().chain(more);
        let owned = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        problems(&owned.collect::<Vec<_>>())
    }

    #[test]
    fn an_unknown_variable_with_the_prefix_is_reported_and_others_are_ignored() {
        assert!(problems_with(&[("PATH", "/bin"), ("WEB_WORKERS", "2")]).is_empty());
        let found = problems_with(&[("WEB_WORKER", "2")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("WEB_WORKER is not"), "{found:?}");
        assert!(problems_with(&[("WEB_TLS12", "no")])[0].starts_with("WEB_TLS12"));
    }
}
