//! A copy of the workspace's sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What cargo needs of the workspace.
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

/// Folders that hold no source.
const LEFT_OUT: [&str; 3] = ["target", "node_modules", "data"];

/// The folder of the copy that holds the crates. Cargo knows a crate by its path below the workspace: with the same
/// paths, the crates of the copy and the real ones would be taken for one another in the shared build folder.
const CRATES: &str = "copied";

/// The folder of a copy to which diffs of the sources apply.
pub(crate) fn crates(folder: &Path) -> PathBuf {
    folder.join(CRATES)
}

/// Makes a workspace of a copy whose crates stand in a folder of their own.
pub(crate) fn lift_workspace(folder: &Path) {
    for part in ["Cargo.lock", "Cargo.toml", ".cargo"] {
        fs::rename(crates(folder).join(part), folder.join(part)).unwrap();
    }
    // The crate `product` reads the root manifest, which is one folder higher in the copy.
    let product = crates(folder).join("infra/product/src/lib.rs");
    let text = fs::read_to_string(&product).unwrap();
    let text = text.replace("\"../../../Cargo.toml\"", "\"../../../../Cargo.toml\"");
    fs::write(product, text).unwrap();
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let lines = text.lines().map(|line| {
        let item = |before: &str| (format!("{before}\""), format!("{before}\"{CRATES}/"));
        let lists_members = ["members = [", "default-members = ["];
        let items = if lists_members.iter().any(|it| line.starts_with(it)) {
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

/// Makes one folder like another, and writes only what differs: cargo rebuilds by time of writing.
pub(crate) fn synchronize(from: &Path, to: &Path) {
    let wanted = files(from);
    for (path, bytes) in &wanted {
        let path = to.join(path.strip_prefix(from).unwrap());
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            write(&path, bytes);
        }
    }
    for path in files(to).keys() {
        if !wanted.contains_key(&from.join(path.strip_prefix(to).unwrap())) {
            fs::remove_file(path).unwrap();
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Every file below a path.
fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let left_out = path.file_name().and_then(|it| it.to_str());
        if path.is_dir() && !left_out.is_some_and(|it| LEFT_OUT.contains(&it)) {
            open.extend(fs::read_dir(path).unwrap().map(|it| it.unwrap().path()));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}
