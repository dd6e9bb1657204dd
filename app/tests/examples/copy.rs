//! Copies of the workspace's sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The parts of the workspace that cargo needs.
const PARTS: [&str; 9] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "app",
    "certs",
    "db",
    "infra",
    "tests",
    "web",
];

/// Folders without sources.
const EXCLUDED: [&str; 3] = ["target", "node_modules", "data"];

/// The folder of the crates within a copy. Cargo identifies a crate by its path below the
/// workspace: with equal paths, it would confuse the crates of the copy with the original ones in
/// the shared build folder.
const CRATES: &str = "copied";

/// The folder of a copy to which diffs of the sources apply.
pub(crate) fn crates(folder: &Path) -> PathBuf {
    folder.join(CRATES)
}

/// Makes a copy a workspace, by moving the workspace's files out of the folder of the crates.
pub(crate) fn lift_workspace(folder: &Path) {
    for part in ["Cargo.lock", "Cargo.toml", ".cargo"] {
        fs::rename(crates(folder).join(part), folder.join(part)).unwrap();
    }
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let lines = text.lines().map(|line| {
        let item = |before: &str| (format!("{before}\""), format!("{before}\"{CRATES}/"));
        let items = if line.starts_with("members = [") {
            vec![item("["), item(", ")]
        } else {
            vec![item("{ path = ")]
        };
        let lift = |line: String, (from, to): &(String, String)| line.replace(from, to);
        items.iter().fold(line.to_owned(), lift)
    });
    let lifted: Vec<_> = lines.collect();
    fs::write(manifest, lifted.join("\n")).unwrap();
}

/// Copies the sources into a folder, which is emptied first.
pub(crate) fn sources(root: &Path, folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    for part in PARTS {
        for (path, bytes) in files(&root.join(part)) {
            let path = crates(folder).join(path.strip_prefix(root).unwrap());
            write(&path, &bytes);
        }
    }
}

/// Makes the contents of one folder equal to those of another. Writes only files that differ,
/// because cargo rebuilds by modification time.
pub(crate) fn synchronize(from: &Path, to: &Path) {
    let sources = files(from);
    for (path, bytes) in &sources {
        let path = to.join(path.strip_prefix(from).unwrap());
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            write(&path, bytes);
        }
    }
    for path in files(to).keys() {
        if !sources.contains_key(&from.join(path.strip_prefix(to).unwrap())) {
            fs::remove_file(path).unwrap();
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The files below a path, with their contents.
fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let name = path.file_name().and_then(|it| it.to_str());
        if path.is_dir() && !name.is_some_and(|it| EXCLUDED.contains(&it)) {
            open.extend(fs::read_dir(path).unwrap().map(|it| it.unwrap().path()));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}
