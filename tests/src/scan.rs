//! A scan of files for plaintext in every encoding that software stores it in.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use aho_corasick::AhoCorasick;
use aho_corasick::AhoCorasickKind;
use anyhow::Context;

use crate::canaries::Canaries;
use crate::encodings::Encoding;
use crate::encodings::encodings;

/// A scan for many values at once.
#[derive(Debug)]
pub struct Scanner {
    automaton: AhoCorasick,
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    kind: &'static str,
    value: String,
    encoding: Encoding,
}

/// An occurrence of a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Match {
    /// The file, or another name of the bytes that were scanned.
    pub source: String,
    /// The offset in bytes.
    pub offset: usize,
    /// The kind of value.
    pub kind: &'static str,
    /// The value.
    pub value: String,
    /// The encoding of this occurrence.
    pub encoding: Encoding,
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            offset,
            kind,
            value,
            encoding,
        } = self;
        write!(f, "{source} at {offset}: {kind} {value:?}, {encoding:?}")
    }
}

impl Scanner {
    /// Prepares the scan.
    ///
    /// # Errors
    /// When there are too many values for one automaton.
    pub fn new(canaries: &Canaries) -> anyhow::Result<Self> {
        let mut patterns = Vec::new();
        let mut texts = Vec::new();
        for (value, kind) in canaries.iter() {
            for (encoding, bytes) in encodings(value) {
                texts.push(bytes);
                patterns.push(Pattern {
                    kind,
                    value: value.to_owned(),
                    encoding,
                });
            }
        }
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&texts)
            .context("too many values for one automaton")?;
        Ok(Self {
            automaton,
            patterns,
        })
    }

    /// Scans bytes; `source` names them in the result.
    #[must_use]
    pub fn scan_bytes(&self, source: &str, bytes: &[u8]) -> Vec<Match> {
        let is_log = Path::new(source)
            .extension()
            .is_some_and(|extension| extension == "log");
        self.automaton
            .find_overlapping_iter(bytes)
            .filter(|found| {
                let number = bytes
                    .get(found.range())
                    .is_some_and(|text| text.iter().all(u8::is_ascii_digit));
                !(is_log && number) || is_delimited(bytes, found.start(), found.end())
            })
            .filter_map(|found| {
                let pattern = self.patterns.get(found.pattern().as_usize())?;
                Some(Match {
                    source: source.to_owned(),
                    offset: found.start(),
                    kind: pattern.kind,
                    value: pattern.value.clone(),
                    encoding: pattern.encoding,
                })
            })
            .collect()
    }

    /// Scans every file below a folder, and the names of files. Returns the matches, and the number
    /// of bytes.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn scan_folder(&self, folder: &Path) -> anyhow::Result<(Vec<Match>, u64)> {
        let mut matches = Vec::new();
        let mut searched = 0;
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries = folder
                .read_dir()
                .with_context(|| format!("{} cannot be read", folder.display()))?;
            for entry in entries.flatten() {
                let path = entry.path();
                let source = path.display().to_string();
                matches.extend(self.scan_bytes("a file's name", source.as_bytes()));
                let kind = entry
                    .file_type()
                    .context("the type of a file cannot be read")?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let bytes = read_if_there(&path)?;
                    searched += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    matches.extend(self.scan_bytes(&source, &bytes));
                }
            }
        }
        Ok((matches, searched))
    }

    /// Scans a process: its command line, its environment, and its open files, including those that
    /// were deleted, as temporary files are.
    ///
    /// # Errors
    /// When the process does not exist or may not be inspected.
    pub fn scan_process(&self, pid: i32) -> anyhow::Result<Vec<Match>> {
        let folder = Path::new("/proc").join(pid.to_string());
        let mut matches = Vec::new();
        for part in ["cmdline", "environ"] {
            let path = folder.join(part);
            let bytes =
                fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            matches.extend(self.scan_bytes(&path.display().to_string(), &bytes));
        }
        let open = folder.join("fd");
        let entries = open
            .read_dir()
            .with_context(|| format!("{} cannot be read", open.display()))?;
        for entry in entries.flatten() {
            let regular = fs::metadata(entry.path()).is_ok_and(|about| about.is_file());
            if regular {
                let bytes = read_if_there(&entry.path())?;
                // Under the name that the file has, or had before it was deleted.
                let name = fs::read_link(entry.path()).unwrap_or_else(|_| entry.path());
                matches.extend(self.scan_bytes(&name.display().to_string(), &bytes));
            }
        }
        Ok(matches)
    }
}

/// Reads a file, or nothing if it was removed meanwhile, as a running server may do at any time.
fn read_if_there(path: &Path) -> anyhow::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Whether the range has no letter or digit as a neighbour.
fn is_delimited(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    [before, bytes.get(end)]
        .into_iter()
        .flatten()
        .all(|byte| !byte.is_ascii_alphanumeric())
}
