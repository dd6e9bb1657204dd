//! A copy of the repository.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// The folder of the copy to which the crates are moved. Cargo identifies a crate by its path below the workspace: with
/// equal paths, crates of the copy and the real ones would overwrite each other in the shared build folder.
const CRATES: &str = "fork";

/// The name of the fork's program `app`.
pub(crate) const PROGRAM: &str = "fork-app";

/// Parts of the root that stay there when the crates are moved.
const ROOT: [&str; 4] = [".cargo", ".git", "Cargo.lock", "Cargo.toml"];

/// The folder of the crates in a copy whose crates were moved.
pub(crate) fn crates(folder: &Path) -> PathBuf {
    folder.join(CRATES)
}

/// Copies every file that git knows into a folder, which is emptied first and becomes a repository of its own.
pub(crate) fn repository(root: &Path, folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    let listed = git(
        root,
        &[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    );
    for file in listed.split_terminator('\0') {
        let Ok(bytes) = fs::read(root.join(file)) else {
            // Deleted, and not committed yet.
            continue;
        };
        write(&folder.join(file), &bytes);
    }
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "--all"]);
    let author = ["-c", "user.name=fork", "-c", "user.email=fork@example.org"];
    git(
        folder,
        &[&author[..], &["commit", "--quiet", "--message=fork"]].concat(),
    );
}

/// Moves the crates of a copy to a folder of their own.
pub(crate) fn lift_crates(folder: &Path) {
    let parts: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    fs::create_dir(crates(folder)).unwrap();
    for part in parts {
        let name = part.file_name().unwrap().to_str().unwrap();
        if !ROOT.contains(&name) {
            fs::rename(&part, crates(folder).join(name)).unwrap();
        }
    }
    // The build folder keeps the real program `app`.
    let app = crates(folder).join("app/Cargo.toml");
    let text = fs::read_to_string(&app).unwrap();
    let program = format!("\n[[bin]]\nname = \"{PROGRAM}\"\npath = \"src/main.rs\"\n");
    fs::write(app, text + &program).unwrap();
    // The crate `product` reads the root manifest, which is one folder higher now.
    let product = crates(folder).join("infra/product/src/lib.rs");
    let text = fs::read_to_string(&product).unwrap();
    fs::write(
        product,
        text.replace("\"../../../Cargo.toml\"", "\"../../../../Cargo.toml\""),
    )
    .unwrap();
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

/// Makes one folder like another, and writes only what differs: cargo rebuilds by time of writing.
pub(crate) fn synchronize(from: &Path, to: &Path) {
    let wanted = files(from);
    for path in &wanted {
        let bytes = fs::read(path).unwrap();
        let path = to.join(path.strip_prefix(from).unwrap());
        if fs::read(&path).ok().as_ref() != Some(&bytes) {
            write(&path, &bytes);
        }
    }
    for path in files(to) {
        if !wanted.contains(&from.join(path.strip_prefix(to).unwrap())) {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Every file below a folder but those of git.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if !path.is_dir() {
            found.push(path);
        } else if path.file_name().is_none_or(|name| name != ".git") {
            open.extend(fs::read_dir(path).unwrap().map(|it| it.unwrap().path()));
        }
    }
    found.sort();
    found
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git is needed to copy the repository");
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
