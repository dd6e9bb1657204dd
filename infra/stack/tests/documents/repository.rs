//! The files of the repository.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::markdown::Document;
use crate::markdown::words_in_capitals;

/// Folders that hold nothing that is committed.
const LEFT_OUT: [&str; 6] = [
    ".git",
    ".stack",
    "__fuzz__",
    "__pycache__",
    "node_modules",
    "target",
];

/// Endings of files by which a name without a folder is taken for a file's.
const ENDINGS: [&str; 16] = [
    ".css", ".guard", ".html", ".json", ".lock", ".md", ".mjs", ".png", ".py", ".rs", ".sh",
    ".sql", ".svg", ".toml", ".txt", ".yaml",
];

/// Everything that is committed, and perhaps more.
pub(crate) struct Repository {
    /// The folder.
    pub(crate) root: PathBuf,
    /// Files and folders, below the root.
    paths: BTreeSet<PathBuf>,
    documents: BTreeMap<PathBuf, Document>,
}

impl Repository {
    /// Reads the repository that this crate is part of.
    pub(crate) fn read() -> Self {
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = crate_folder.ancestors().nth(2).unwrap().to_owned();
        let mut paths = BTreeSet::new();
        walk(&root, &root, &mut paths);
        let texts = paths.iter().filter(|path| has_ending(path, "md"));
        let documents = texts.map(|path| {
            let text = fs::read_to_string(root.join(path)).unwrap();
            (path.clone(), Document::parse(path.clone(), &text))
        });
        let documents = documents.collect();
        Self {
            root,
            paths,
            documents,
        }
    }

    /// Every document.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    /// The document at a path.
    pub(crate) fn document(&self, path: &Path) -> Option<&Document> {
        self.documents.get(path)
    }

    /// Whether there is a file or a folder.
    pub(crate) fn exists(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.paths.contains(path)
    }

    /// Whether a path that a document in `folder` names exists: below the root, or below the document's folder at any
    /// depth, as in `screen/injection.rs`. A star matches any file.
    pub(crate) fn has_path(&self, path: &str, folder: &Path) -> bool {
        let fixed = path.split_once('*').map_or(path, |(before, _)| {
            before.rsplit_once('/').map_or("", |(folder, _)| folder)
        });
        let path = normalized(Path::new(fixed));
        let named = |from: &Path| self.exists(&normalized(&from.join(&path)));
        let below = |it: &&PathBuf| it.starts_with(folder) && it.ends_with(&path);
        named(Path::new("")) || named(folder) || self.paths.iter().any(|it| below(&it))
    }

    /// Words of capitals with an underscore in all files that are no documents.
    pub(crate) fn words_in_capitals(&self) -> BTreeSet<String> {
        let sources = self.paths.iter().filter(|path| !has_ending(path, "md"));
        let texts = sources.filter_map(|path| fs::read_to_string(self.root.join(path)).ok());
        texts
            .flat_map(|text| words_in_capitals(&text).collect::<Vec<_>>())
            .collect()
    }

    /// The text of every Rust file below a folder.
    pub(crate) fn rust_below(&self, folder: &str) -> Vec<String> {
        let files = self.paths.iter();
        let files = files.filter(|path| path.starts_with(folder) && has_ending(path, "rs"));
        files
            .map(|path| fs::read_to_string(self.root.join(path)).unwrap())
            .collect()
    }
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|it| it == ending)
}

fn walk(root: &Path, folder: &Path, paths: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        paths.insert(entry.path().strip_prefix(root).unwrap().to_owned());
        if entry.file_type().unwrap().is_dir() {
            walk(root, &entry.path(), paths);
        }
    }
}

/// A path without `.` and `..`.
pub(crate) fn normalized(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                found.pop();
            }
            Component::Normal(name) => found.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    found
}

/// The paths of the repository that a piece of code names. What has blanks, or characters that our paths have not, is a
/// command, a URL or an expression.
pub(crate) fn paths_in(code: &str) -> Vec<String> {
    let is_of_path = |at: char| {
        at.is_ascii_alphanumeric() || matches!(at, '/' | '.' | '-' | '_' | '*' | '{' | '}' | ',')
    };
    let is_path = code.chars().all(is_of_path)
        && !code.starts_with(['/', ','])
        && !code.starts_with("..")
        && !code.contains("//");
    if !is_path {
        return Vec::new();
    }
    let is_file = ENDINGS.iter().any(|ending| {
        code.strip_suffix(ending)
            .is_some_and(|name| !name.is_empty() && !name.ends_with('/') || code.contains('/'))
    });
    let (first, rest) = code.split_once('/').unwrap_or((code, ""));
    let is_folder = rest.is_empty() && code.ends_with('/');
    if is_file || is_folder || !rest.is_empty() && is_folder_of_ours(first) {
        braces(code)
    } else {
        Vec::new()
    }
}

fn is_folder_of_ours(name: &str) -> bool {
    let ours = ["app", "certs", "db", "infra", "tests", "web", "src"];
    ours.contains(&name) || name.starts_with(".c") || name.starts_with(".g")
}

/// `a/{b,c}` is two paths.
fn braces(code: &str) -> Vec<String> {
    let Some((before, rest)) = code.split_once('{') else {
        return vec![code.to_owned()];
    };
    let Some((inner, after)) = rest.split_once('}') else {
        return Vec::new();
    };
    // `{type}` is a parameter of a route or a template.
    if !inner.contains(',') {
        return Vec::new();
    }
    let each = inner
        .split(',')
        .map(|item| format!("{before}{item}{after}"));
    each.collect()
}
