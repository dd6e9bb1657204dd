//! The folders of environments, and every `requirements/` folder of the workspace.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::Python;
use crate::workspace;

#[test]
fn other_requirements_have_another_folder() {
    let folder = |requirements| {
        let name = "h2";
        Python { name, requirements }.folder()
    };
    let one = folder("h2==4.4.1");
    assert_eq!(one, folder("h2==4.4.1"));
    assert_ne!(one, folder("h2==4.4.2"));
    let digest = one.strip_prefix("h2-").unwrap();
    assert_eq!(digest.len(), 8, "{one}");
}

#[test]
fn every_package_wanted_is_compiled_in_its_version() {
    for file in requirements("in") {
        let compiled = fs::read_to_string(file.with_extension("txt")).unwrap();
        for wanted in fs::read_to_string(&file).unwrap().lines() {
            let (package, version) = wanted.split_once("==").expect(wanted);
            let (name, _extras) = package.split_once('[').unwrap_or((package, ""));
            let line = format!("{}=={version} \\", name.to_lowercase());
            assert!(
                compiled.lines().any(|it| it == line),
                "{}: {wanted}",
                file.display()
            );
        }
    }
}

/// An option could name another index.
#[test]
fn a_compiled_file_has_packages_with_hashes_and_nothing_else() {
    for file in requirements("txt") {
        assert!(file.with_extension("in").is_file(), "{}", file.display());
        let text = fs::read_to_string(&file).unwrap();
        let mut needs_hash = false;
        for line in text.lines() {
            let is_hash = line.starts_with("    --hash=sha256:");
            let is_package = line.contains("==") && line.ends_with(" \\");
            let is_comment = line.is_empty() || line.starts_with('#');
            let expected = if needs_hash {
                is_hash
            } else {
                is_hash || is_package || is_comment
            };
            assert!(expected, "{}: {line}", file.display());
            needs_hash = is_package && !is_hash;
        }
        assert!(!needs_hash, "{}", file.display());
    }
}

/// The files of every folder `requirements/` with this extension.
fn requirements(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&workspace::root().unwrap(), &mut |path| {
        let folder = path.parent().and_then(Path::file_name);
        if folder == Some("requirements".as_ref()) && path.extension() == Some(extension.as_ref()) {
            found.push(path.to_path_buf());
        }
    });
    assert!(found.len() > 5, "only {found:?}");
    found
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if !entry.file_type().unwrap().is_dir() {
            visit(&path);
        } else if name != "target" && !name.to_string_lossy().starts_with('.') {
            walk(&path, visit);
        }
    }
}
