//! A search of files for plaintext in every spelling that software gives it.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use aho_corasick::AhoCorasick;
use aho_corasick::AhoCorasickKind;
use anyhow::Context;

use crate::needles::Needles;
use crate::spellings::Spelling;
use crate::spellings::spellings;

/// A search for many values at once.
#[derive(Debug)]
pub struct Hunt {
    automaton: AhoCorasick,
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    kind: &'static str,
    value: String,
    spelling: Spelling,
}

/// A value that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Find {
    /// The file, or what else was searched.
    pub place: String,
    /// How many bytes stand before it.
    pub offset: usize,
    /// The kind of value.
    pub kind: &'static str,
    /// The value.
    pub value: String,
    /// How it is spelled there.
    pub spelling: Spelling,
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            offset,
            kind,
            value,
            spelling,
        } = self;
        write!(f, "{place} at {offset}: {kind} {value:?}, {spelling:?}")
    }
}

impl Hunt {
    /// Prepares the search.
    ///
    /// # Errors
    /// When there are too many values to search for at once.
    pub fn for_all(needles: &Needles) -> anyhow::Result<Self> {
        let mut patterns = Vec::new();
        let mut texts = Vec::new();
        for (value, kind) in needles.iter() {
            for (spelling, bytes) in spellings(value) {
                texts.push(bytes);
                patterns.push(Pattern {
                    kind,
                    value: value.to_owned(),
                    spelling,
                });
            }
        }
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&texts)
            .context("too much to look for")?;
        Ok(Self {
            automaton,
            patterns,
        })
    }

    /// Searches bytes; the place is only a name for them.
    #[must_use]
    pub fn bytes(&self, place: &str, bytes: &[u8]) -> Vec<Find> {
        let is_log = Path::new(place)
            .extension()
            .is_some_and(|extension| extension == "log");
        self.automaton
            .find_overlapping_iter(bytes)
            .filter(|found| {
                let number = bytes
                    .get(found.range())
                    .is_some_and(|text| text.iter().all(u8::is_ascii_digit));
                !(is_log && number) || stands_alone(bytes, found.start(), found.end())
            })
            .filter_map(|found| {
                let pattern = self.patterns.get(found.pattern().as_usize())?;
                Some(Find {
                    place: place.to_owned(),
                    offset: found.start(),
                    kind: pattern.kind,
                    value: pattern.value.clone(),
                    spelling: pattern.spelling,
                })
            })
            .collect()
    }

    /// Searches every file below a folder, names of files included. Gives what was found and how
    /// many bytes were searched.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn folder(&self, folder: &Path) -> anyhow::Result<(Vec<Find>, u64)> {
        let mut finds = Vec::new();
        let mut searched = 0;
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries = folder
                .read_dir()
                .with_context(|| format!("{} cannot be read", folder.display()))?;
            for entry in entries.flatten() {
                let path = entry.path();
                let place = path.display().to_string();
                finds.extend(self.bytes("the name of a file", place.as_bytes()));
                let kind = entry
                    .file_type()
                    .context("what kind of file is not to be learned")?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let bytes = read_if_there(&path)?;
                    searched += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    finds.extend(self.bytes(&place, &bytes));
                }
            }
        }
        Ok((finds, searched))
    }

    /// Searches what a process shows of itself: its command line, its environment, and the files that
    /// it holds open, also those that were deleted, as temporary files are.
    ///
    /// # Errors
    /// When there is no such process, or it may not be looked at.
    pub fn process(&self, pid: i32) -> anyhow::Result<Vec<Find>> {
        let folder = Path::new("/proc").join(pid.to_string());
        let mut finds = Vec::new();
        for part in ["cmdline", "environ"] {
            let path = folder.join(part);
            let bytes =
                fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            finds.extend(self.bytes(&path.display().to_string(), &bytes));
        }
        let open = folder.join("fd");
        let entries = open
            .read_dir()
            .with_context(|| format!("{} cannot be read", open.display()))?;
        for entry in entries.flatten() {
            let regular = fs::metadata(entry.path()).is_ok_and(|about| about.is_file());
            if regular {
                let bytes = read_if_there(&entry.path())?;
                // By the name that the file has or had.
                let name = fs::read_link(entry.path()).unwrap_or_else(|_| entry.path());
                finds.extend(self.bytes(&name.display().to_string(), &bytes));
            }
        }
        Ok(finds)
    }
}

/// A running server makes and removes files at any time.
fn read_if_there(path: &Path) -> anyhow::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Whether neither a letter nor a digit touches the range.
fn stands_alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    [before, bytes.get(end)]
        .into_iter()
        .flatten()
        .all(|byte| !byte.is_ascii_alphanumeric())
}
