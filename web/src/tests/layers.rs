//! Test of the layers of this crate: a module uses only modules above it, so that there is no
//! cycle.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The modules, each after the modules that it uses.
const LAYERS: [&str; 28] = [
    "limits",
    "per_worker",
    "timer",
    "http_date",
    "header_grammar",
    "client",
    "problem",
    "handler",
    "api_schema",
    "admission",
    "http1",
    "h2",
    "upstream",
    "config",
    "screen",
    "headers",
    "health",
    "access_log",
    "metrics",
    "transport",
    "request_body",
    "response_body",
    "redirect",
    "lifecycle",
    "edge",
    "edge_handler",
    "worker",
    "assemble",
];

#[test]
fn a_module_uses_only_modules_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for (layer, module) in LAYERS.iter().enumerate() {
        for file in files_of(&root, module) {
            let text = fs::read_to_string(&file).unwrap();
            // Tests may use any module.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for used in lines.flat_map(modules_used) {
                let allowed = LAYERS[..=layer].contains(&used.as_str());
                if !allowed {
                    found.push(format!("{} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_module_has_a_layer() {
    let main = include_str!("../main.rs");
    let declared = main
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    for module in declared {
        // The command line and the tests have no layer.
        let is_outside = matches!(module, "check" | "tests");
        assert!(is_outside || LAYERS.contains(&module), "{module}");
    }
}

/// The names after `crate::` in a line.
fn modules_used(line: &str) -> Vec<String> {
    let after = line.split("crate::").skip(1);
    after
        .map(|rest| {
            let name = rest
                .chars()
                .take_while(|char| char.is_alphanumeric() || *char == '_');
            name.collect()
        })
        .collect()
}

/// A module's source files, without its tests.
fn files_of(root: &Path, module: &str) -> Vec<PathBuf> {
    let mut directories = vec![root.join(module)];
    let mut files = vec![root.join(format!("{module}.rs"))];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_test = path.file_stem().is_some_and(|name| name == "tests");
            if is_test {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
