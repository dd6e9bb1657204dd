//! The worked examples of `app/README.md`.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

/// A worked example.
pub(crate) struct Example {
    pub(crate) title: String,
    /// A unified diff.
    diff: String,
}

/// The examples of the README: a heading, and under it one block that is a diff.
pub(crate) fn read() -> Vec<Example> {
    let readme = include_str!("../../../../app/README.md");
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

impl Example {
    /// The files that it touches.
    pub(crate) fn files(&self) -> Vec<&str> {
        let lines = self.diff.lines();
        lines.filter_map(|it| it.strip_prefix("+++ b/")).collect()
    }

    /// Applies it to the sources in a folder.
    pub(crate) fn apply(&self, folder: &Path, options: &[&str]) {
        let mut git = Command::new("git")
            .arg("apply")
            .args(options)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`git` is needed to apply the examples");
        let mut input = git.stdin.take().unwrap();
        input.write_all(self.diff.as_bytes()).unwrap();
        drop(input);
        let output = git.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "\"{}\" does not apply to the sources: update the diff in app/README.md\n{}",
            self.title,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
