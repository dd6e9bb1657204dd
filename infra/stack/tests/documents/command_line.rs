//! The commands and options that `cargo stack` has.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::process::Command;

use crate::repository::Repository;

/// Commands with a program of their own, and its sources. To run it for its help would build it.
const ELSEWHERE: [(&str, &str); 2] = [
    ("bench", "infra/bench/src"),
    ("infra", "infra/aws/posture/src"),
];

/// What one command takes.
#[derive(Clone, Default)]
struct Accepted {
    commands: BTreeSet<String>,
    /// Options by name, with whether a value follows.
    options: BTreeMap<String, bool>,
    has_arguments: bool,
}

/// What every command takes, by its words: `compose up`.
pub(crate) struct CommandLine(BTreeMap<String, Accepted>);

impl CommandLine {
    /// Reads the help of `cargo stack`, and the declarations in the sources of its other programs.
    pub(crate) fn read(repository: &Repository) -> Self {
        let mut known = BTreeMap::new();
        help(&[], &mut known);
        for (command, folder) in ELSEWHERE {
            let program = declared(&repository.rust_below(folder));
            // Which option belongs to which of its commands is not read.
            for name in &program.commands {
                let below = Accepted {
                    commands: BTreeSet::new(),
                    options: program.options.clone(),
                    has_arguments: true,
                };
                known.insert(format!("{command} {name}"), below);
            }
            known.insert(command.to_owned(), program);
        }
        Self(known)
    }

    /// Whether a command would be understood.
    pub(crate) fn check(&self, command: &str) -> Result<(), String> {
        let (mut path, mut expects_value) = (String::new(), false);
        let words = command.replace(['[', ']', '"', '\''], " ");
        for word in words.split_whitespace() {
            if std::mem::take(&mut expects_value) || word.starts_with('…') {
                continue;
            }
            let accepted = self.0.get(&path).unwrap();
            if word.starts_with('-') {
                expects_value = self.option(&path, word)?;
            } else if let Some(next) = accepted.commands.get(word) {
                if !path.is_empty() {
                    path.push(' ');
                }
                path.push_str(next);
            } else if !accepted.has_arguments {
                return Err(format!("`{path}` takes no `{word}`"));
            }
        }
        Ok(())
    }

    /// Whether an option of a command, or of one before it, takes a value.
    fn option(&self, path: &str, word: &str) -> Result<bool, String> {
        let (name, value) = word
            .split_once('=')
            .map_or((word, None), |(name, value)| (name, Some(value)));
        let mut above = path;
        loop {
            if let Some(takes) = self.0.get(above).and_then(|it| it.options.get(name)) {
                return Ok(*takes && value.is_none());
            }
            if above.is_empty() {
                return Err(format!("`{path}` has no `{name}`"));
            }
            above = above.rsplit_once(' ').map_or("", |(above, _)| above);
        }
    }
}

/// Reads the help of a command and of those below it.
fn help(path: &[&str], known: &mut BTreeMap<String, Accepted>) {
    let output = Command::new(env!("CARGO_BIN_EXE_stack"))
        .args(path)
        .arg("--help")
        .output()
        .unwrap();
    assert!(output.status.success(), "no help of {path:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut accepted = Accepted::default();
    let mut section = "";
    for line in text.lines() {
        if !line.is_empty() && !line.starts_with(' ') {
            section = line.trim_end_matches(':');
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        match section {
            "Commands" if line.starts_with("  ") && !line.starts_with("   ") => {
                accepted.commands.insert((*first).to_owned());
            }
            "Arguments" => accepted.has_arguments = true,
            "Options" if first.starts_with('-') => {
                let is_name = |word: &&&str| word.starts_with('-');
                let names: Vec<&&str> = words.iter().take_while(is_name).collect();
                let takes = words.get(names.len()).is_some_and(|it| it.starts_with('<'));
                for name in names {
                    let name = name.trim_end_matches(',').to_owned();
                    accepted.options.insert(name, takes);
                }
            }
            _ => {}
        }
    }
    let below: Vec<String> = accepted.commands.iter().cloned().collect();
    known.insert(path.join(" "), accepted);
    let is_asked = |name: &&String| {
        name.as_str() != "help"
            && !(path.is_empty() && ELSEWHERE.iter().any(|it| it.0 == name.as_str()))
    };
    for name in below.iter().filter(is_asked) {
        let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        help(&path, known);
    }
}

/// What sources declare for `clap`: variants of sub-commands, long options, and whether there are arguments.
fn declared(sources: &[String]) -> Accepted {
    let mut accepted = Accepted::default();
    for source in sources {
        let (mut in_commands, mut attribute) = (false, String::new());
        for line in source.lines() {
            let text = line.trim();
            if text.starts_with("#[derive(") && text.contains("Subcommand") {
                in_commands = true;
            } else if line == "}" {
                in_commands = false;
            } else if in_commands
                && line.starts_with("    ")
                && text.starts_with(char::is_uppercase)
            {
                let name = text.split(|at: char| !at.is_alphanumeric()).next().unwrap();
                accepted.commands.insert(name.to_lowercase());
            }
            if text.starts_with("#[arg(") || !attribute.is_empty() && text.ends_with(")]") {
                attribute = format!("{attribute} {text}");
            } else if let Some((name, of)) = text.trim_start_matches("pub ").split_once(": ") {
                let attribute = std::mem::take(&mut attribute);
                if attribute.contains("long") {
                    let explicit = attribute.split_once("long = \"").map(|it| it.1);
                    let explicit = explicit.and_then(|it| it.split('"').next());
                    let name = explicit.unwrap_or(name).replace('_', "-");
                    accepted
                        .options
                        .insert(format!("--{name}"), !of.starts_with("bool"));
                }
            }
        }
    }
    // Names of benchmarks.
    accepted.has_arguments = accepted.commands.is_empty();
    accepted
}
