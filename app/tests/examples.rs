//! The worked examples of `app/README.md`: they apply to the current sources, touch few files, and
//! compile.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test has nowhere to return an error to"
)]

#[path = "examples/copy.rs"]
mod copy;
#[path = "examples/query_cache.rs"]
mod query_cache;

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// Maximum files that an example touches, besides its tests and generated files.
const MAX_FILES: usize = 4;

/// One worked example.
struct Example {
    title: String,
    /// A unified diff.
    diff: String,
}

impl Example {
    /// The files that the diff touches.
    fn files(&self) -> Vec<&str> {
        let lines = self.diff.lines();
        lines.filter_map(|it| it.strip_prefix("+++ b/")).collect()
    }
}

#[test]
fn every_example_applies_to_these_sources_and_touches_at_most_four_files() {
    let titles: Vec<_> = examples().into_iter().map(|it| it.title).collect();
    assert_eq!(
        titles,
        [
            "Add a PHI field",
            "Add a resource type with a page",
            "Add a role",
            "Add an endpoint that discloses",
        ]
    );
    for example in examples() {
        let files = example.files();
        assert!(
            (1..=MAX_FILES).contains(&files.len()),
            "{}: {files:?}",
            example.title
        );
        apply(&root(), &["--check"], &example);
    }
}

/// All examples are applied to one copy of the sources. Its dependencies are built by the test run
/// itself.
#[test]
fn the_examples_compile() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let (fresh, cached) = (
        target.join("examples/fresh"),
        target.join("examples/source"),
    );
    copy::sources(&root(), &fresh);
    let crates = copy::crates(&fresh);
    for example in examples() {
        apply(&crates, &[], &example);
        for file in example.files() {
            if file.starts_with("db/migrations/") {
                query_cache::add_columns(&crates.join("db"), &crates.join(file));
            }
        }
    }
    copy::lift_workspace(&fresh);
    copy::synchronize(&fresh, &cached);
    // With a test target besides the program, dependencies have the same features as in a test run.
    let checked = Command::new(env!("CARGO"))
        .args(["check", "--workspace", "--offline", "--locked", "--quiet"])
        .args(["--bin", "app", "--test", "layers"])
        .current_dir(&cached)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{errors}");
}

fn root() -> PathBuf {
    let app = Path::new(env!("CARGO_MANIFEST_DIR"));
    app.parent().unwrap().to_owned()
}

/// The examples of the README: each is a section with one diff.
fn examples() -> Vec<Example> {
    let readme = include_str!("../README.md");
    let (_, worked) = readme.split_once("## Worked examples").unwrap();
    let example = |section: &str| {
        let (title, text) = section.split_once('\n').unwrap();
        let (_, block) = text.split_once("```diff\n").unwrap();
        let (diff, _) = block.split_once("```").unwrap();
        Example {
            title: title.to_owned(),
            diff: diff.to_owned(),
        }
    };
    worked.split("\n### ").skip(1).map(example).collect()
}

/// Applies an example to the sources in a folder.
fn apply(folder: &Path, options: &[&str], example: &Example) {
    let mut git = Command::new("git")
        .arg("apply")
        .args(options)
        .current_dir(folder)
        // Otherwise git takes a copy below the repository for a part of the repository.
        .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`git` is needed to apply the examples");
    let mut input = git.stdin.take().unwrap();
    input.write_all(example.diff.as_bytes()).unwrap();
    drop(input);
    let output = git.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "\"{}\" does not apply to the sources: bring the diff in app/README.md up to date\n{}",
        example.title,
        String::from_utf8_lossy(&output.stderr)
    );
}
