//! A fork: the repository renamed, with the worked examples of `app/README.md` applied. It has no trace of the old
//! names, compiles, and passes app's tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test has nowhere to return an error to"
)]

#[path = "fork/copy.rs"]
mod copy;
#[path = "fork/examples.rs"]
mod examples;
#[path = "fork/query_cache.rs"]
mod query_cache;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use stack::Names;

/// The largest number of files that an example touches, beside its tests and what is generated.
const MAX_FILES: usize = 4;

#[test]
fn every_example_applies_to_these_sources_and_touches_at_most_four_files() {
    let titles: Vec<_> = examples::read().into_iter().map(|it| it.title).collect();
    assert_eq!(
        titles,
        [
            "Add a PHI field",
            "Give a resource type its own line in charts",
            "Add a page",
            "Add a role",
            "Add an endpoint that discloses",
        ]
    );
    for example in examples::read() {
        let files = example.files();
        assert!(
            (1..=MAX_FILES).contains(&files.len()),
            "{}: {files:?}",
            example.title
        );
        example.apply(&root(), &["--check"]);
        for added in example.files() {
            if let Some(migration) = added.strip_prefix("db/migrations/") {
                let (number, _) = migration.split_once('_').unwrap();
                assert_eq!(migrations(number), 0, "another migration has {number}");
            }
        }
    }
}

/// How many migrations of these sources have a number.
fn migrations(number: &str) -> usize {
    let files = fs::read_dir(root().join("db/migrations")).unwrap();
    let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(number)).count()
}

/// Dependencies are those of the run that this test is part of.
#[test]
fn a_renamed_fork_with_every_example_compiles_and_passes() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let (fresh, kept) = (target.join("fork/fresh"), target.join("fork/source"));
    copy::repository(&root(), &fresh);
    let names = Names::from_title("Acme Health", None, None).unwrap();
    let changed = stack::rename(&fresh, &names).unwrap();
    assert!(changed.iter().any(|it| it == "Cargo.toml"), "{changed:?}");
    has_no_trace_of(&Names::current(), &fresh);

    for example in examples::read() {
        example.apply(&fresh, &[]);
        for file in example.files() {
            if file.starts_with("db/migrations/") {
                query_cache::add_columns(&fresh.join("db"), &fresh.join(file));
            }
        }
    }
    copy::lift_crates(&fresh);
    copy::synchronize(&fresh, &kept);
    let openapi = copy::crates(&kept).join("app/openapi.json");
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&kept)
            .env("CARGO_TARGET_DIR", target)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {arguments:?}:\n{printed}");
    };
    // A test target beside the program: features of dependencies are then those of a test run.
    let app = [
        "--workspace",
        "--offline",
        "--locked",
        "--quiet",
        "--bin",
        copy::PROGRAM,
    ];
    cargo(&[&["test", "--no-run"], &app[..], &["--test", "layers"]].concat());
    let program = target.join("debug").join(copy::PROGRAM);
    let described = Command::new(program)
        .args(["openapi", "--out"])
        .arg(&openapi)
        .status()
        .unwrap();
    assert!(described.success());
    cargo(&[&["test"], &app[..], &["--test", "layers"]].concat());
}

/// Fails if a file of the copy has one of the names.
fn has_no_trace_of(names: &Names, copy: &Path) {
    let names = [&names.title, &names.name, &names.trust_domain];
    for file in copy::files(copy) {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for name in names {
            assert!(
                !text.contains(name.as_str()),
                "{name} in {}",
                file.display()
            );
        }
    }
}

fn root() -> PathBuf {
    tools::workspace::root().unwrap()
}
