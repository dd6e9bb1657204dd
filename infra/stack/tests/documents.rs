//! What the documents name exists: files, headings, commands, variables and tests.

#![expect(
    clippy::unwrap_used,
    reason = "a test has nowhere to return an error to"
)]

#[path = "documents/command_line.rs"]
mod command_line;
#[path = "documents/markdown.rs"]
mod markdown;
#[path = "documents/repository.rs"]
mod repository;

use std::collections::BTreeSet;
use std::path::Path;

use command_line::CommandLine;
use markdown::Document;
use repository::Repository;

/// Words of capitals with underscores that no source has: an error code of HTTP/2, and variables of other programs.
const NOT_OURS: [&str; 3] = ["AWS_PROFILE", "REFUSED_STREAM", "SQLX_OFFLINE_DIR"];

/// Paths that are none of the repository: what exists once something has run, in `.stack/`, in `target/` and on a
/// machine; examples of a name; scopes of OAuth; features of crates; a Debian package.
const NOT_COMMITTED: [&str; 19] = [
    ".stack/",
    "target/",
    "bin/",
    "releases/",
    "certs/public/",
    "demo.json",
    "import/",
    "keyring.json",
    "logs/",
    "mysql/",
    "objects/",
    "people.json",
    "state.json",
    "system/",
    "foo",
    "mod.rs",
    "app/fips",
    "web/fips",
    "testssl.sh",
];

/// Made from `controls/`, with names of resources that look like paths; `posture` compares it with them.
const GENERATED: &str = "infra/aws/CONTROLS.md";

/// Fails with what was found, if anything was.
fn none(what: &str, found: &BTreeSet<String>) {
    let list: Vec<&str> = found.iter().map(String::as_str).collect();
    assert!(found.is_empty(), "{what}:\n{}", list.join("\n"));
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let repository = Repository::read();
    let mut found = BTreeSet::new();
    for document in repository.documents() {
        for link in document.links() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link.as_str(), ""));
            let target = repository::normalized(&document.folder().join(file));
            let target = if file.is_empty() {
                document.path.clone()
            } else {
                target
            };
            let exists = repository.exists(&target);
            let has_heading = heading.is_empty()
                || repository
                    .document(&target)
                    .is_some_and(|document| document.has_heading(heading));
            if !exists || !has_heading {
                found.insert(format!("{}: {link}", document.path.display()));
            }
        }
    }
    none("links that lead nowhere", &found);
}

#[test]
fn every_command_is_one_of_cargo_stack() {
    let repository = Repository::read();
    let known = CommandLine::read(&repository);
    let mut found = BTreeSet::new();
    let mut count = 0;
    for document in repository.documents() {
        for command in document.commands() {
            count += 1;
            if let Err(why) = known.check(&command) {
                found.insert(format!("{}: `{command}`: {why}", document.path.display()));
            }
        }
    }
    none("commands that `cargo stack` does not have", &found);
    assert!(count > 40, "only {count} commands were found");
}

#[test]
fn every_path_in_a_document_exists() {
    let repository = Repository::read();
    let mut found = BTreeSet::new();
    let written = |document: &&Document| document.path != Path::new(GENERATED);
    for document in repository.documents().filter(written) {
        for code in document.inline_code() {
            for path in repository::paths_in(&code) {
                let is_none = NOT_COMMITTED.iter().any(|it| path.starts_with(it));
                if !is_none && !repository.has_path(&path, document.folder()) {
                    found.insert(format!("{}: `{path}`", document.path.display()));
                }
            }
        }
    }
    none("paths that do not exist", &found);
}

#[test]
fn every_variable_in_a_document_occurs_in_the_sources() {
    let repository = Repository::read();
    let words = repository.words_in_capitals();
    let mut found = BTreeSet::new();
    for document in repository.documents() {
        for word in document.words_in_capitals() {
            if !words.contains(&word) && !NOT_OURS.contains(&word.as_str()) {
                found.insert(format!("{}: {word}", document.path.display()));
            }
        }
    }
    none("variables that no source has", &found);
}

/// In a table, tests are named after a link to their file: `[file](path.rs): test, test; [file](path.rs): …`.
#[test]
fn every_test_that_is_named_beside_its_file_exists() {
    let repository = Repository::read();
    let mut found = BTreeSet::new();
    let mut count = 0;
    for document in repository.documents() {
        for (file, test) in document.named_tests() {
            count += 1;
            let path = repository::normalized(&document.folder().join(&file));
            let text = std::fs::read_to_string(repository.root.join(path)).unwrap_or_default();
            if !text.contains(&format!("fn {test}(")) {
                found.insert(format!("{}: {file}: {test}", document.path.display()));
            }
        }
    }
    none("tests that do not exist", &found);
    assert!(count > 40, "only {count} tests were found");
}

#[test]
fn every_document_is_reached_from_the_first_one() {
    let repository = Repository::read();
    let first = repository.document("README.md".as_ref()).unwrap();
    let mut reached: Vec<&Document> = vec![first];
    let mut at = 0;
    while let Some(document) = reached.get(at).copied() {
        at += 1;
        for link in document.links() {
            let file = link.split('#').next().unwrap_or_default();
            let path = repository::normalized(&document.folder().join(file));
            for path in [path.clone(), path.join("README.md")] {
                if let Some(target) = repository.document(&path)
                    && !reached.iter().any(|it| it.path == target.path)
                {
                    reached.push(target);
                }
            }
        }
    }
    let lost = repository
        .documents()
        .filter(|document| !reached.iter().any(|it| it.path == document.path))
        .filter(|document| document.path.file_name() != Some("PULL_REQUEST_TEMPLATE.md".as_ref()))
        .map(|document| document.path.display().to_string())
        .collect();
    none("documents that no other one leads to", &lost);
}
