//! A Markdown document, as far as the tests read it.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

/// A document.
pub(crate) struct Document {
    /// Its path below the repository.
    pub(crate) path: PathBuf,
    /// The lines outside blocks of code.
    prose: Vec<String>,
    /// The lines of blocks of code.
    blocks: Vec<String>,
}

impl Document {
    /// Reads a document.
    pub(crate) fn parse(path: PathBuf, text: &str) -> Self {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut fence: Option<&str> = None;
        for line in text.lines() {
            let marker = line.trim_start();
            let is_diff = fence.is_some_and(|opened| opened.ends_with("diff"));
            match fence {
                None if marker.starts_with("```") => fence = Some(marker),
                Some(_) if marker.starts_with("```") => fence = None,
                // A diff is of sources, which have tests of their own.
                Some(_) if is_diff => {}
                Some(_) => blocks.push(line.to_owned()),
                None => prose.push(line.to_owned()),
            }
        }
        Self {
            path,
            prose,
            blocks,
        }
    }

    /// The folder that its links are relative to.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    /// The targets of its links and images.
    pub(crate) fn links(&self) -> Vec<String> {
        let of_line = |line: &String| {
            let line = without_code(line);
            let targets = line.split("](").skip(1);
            let targets: Vec<String> = targets
                .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
                .collect();
            targets
        };
        self.prose.iter().flat_map(of_line).collect()
    }

    /// The code in backticks.
    pub(crate) fn inline_code(&self) -> Vec<String> {
        let of_line = |line: &String| -> Vec<String> {
            let odd = line.split('`').skip(1).step_by(2);
            odd.map(|code| code.replace("\\|", "|")).collect()
        };
        self.prose.iter().flat_map(of_line).collect()
    }

    /// Whether a heading has this anchor, by the rules of GitHub.
    pub(crate) fn has_heading(&self, anchor: &str) -> bool {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let headings = self.prose.iter().filter(|line| line.starts_with('#'));
        let anchors: Vec<String> = headings
            .map(|line| {
                let base = anchor_of(line.trim_start_matches('#').trim());
                let count = seen.entry(base.clone()).or_default();
                *count += 1;
                match *count {
                    1 => base,
                    again => format!("{base}-{}", again - 1),
                }
            })
            .collect();
        anchors.iter().any(|it| it == anchor)
    }

    /// The commands that begin with `cargo stack`, in the text and in blocks of code.
    pub(crate) fn commands(&self) -> Vec<String> {
        let inline = self.inline_code();
        let lines = inline.iter().chain(&self.blocks);
        let rest = lines.flat_map(|line| line.split("cargo stack ").skip(1));
        let ends = |at: char| matches!(at, '#' | ';' | ')' | '&' | '>' | '<');
        rest.filter_map(|rest| rest.split(ends).next())
            // In some blocks an explanation follows after two spaces.
            .filter_map(|command| command.split("  ").next())
            .map(|command| command.trim().to_owned())
            .filter(|command| !command.is_empty())
            .collect()
    }

    /// Words of capitals with an underscore, as environment variables are.
    pub(crate) fn words_in_capitals(&self) -> BTreeSet<String> {
        let inline = self.inline_code();
        let lines = inline.iter().chain(&self.blocks);
        lines.flat_map(|line| words_in_capitals(line)).collect()
    }

    /// Files of tests with the names of tests after them.
    pub(crate) fn named_tests(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for line in &self.prose {
            for after in line.split("](").skip(1) {
                let Some((file, rest)) = after.split_once(')') else {
                    continue;
                };
                if Path::new(file).extension() != Some("rs".as_ref()) || !rest.starts_with(':') {
                    continue;
                }
                let cell = rest.split(['|', '[']).next().unwrap_or_default();
                let names = cell.split('`').skip(1).step_by(2);
                found.extend(names.map(|name| (file.to_owned(), name.to_owned())));
            }
        }
        found
    }
}

/// The words of capitals, digits and at least one underscore in a text.
pub(crate) fn words_in_capitals(text: &str) -> impl Iterator<Item = String> {
    let is_of_word = |at: char| at.is_ascii_alphanumeric() || at == '_';
    let words = text.split(move |at: char| !is_of_word(at));
    let in_capitals = |word: &&str| {
        word.starts_with(|at: char| at.is_ascii_uppercase())
            && word.contains('_')
            && !word.ends_with('_')
            && !word.contains(|at: char| at.is_ascii_lowercase())
    };
    words.filter(in_capitals).map(str::to_owned)
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The anchor that GitHub gives to a heading.
fn anchor_of(heading: &str) -> String {
    let text: String = match heading.split_once("](") {
        Some((label, rest)) => {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{}{after}", label.replace('[', ""))
        }
        None => heading.to_owned(),
    };
    let kept = text
        .chars()
        .filter(|at| at.is_alphanumeric() || matches!(at, ' ' | '-' | '_'));
    let lower: String = kept.flat_map(char::to_lowercase).collect();
    lower.replace(' ', "-")
}
