//! Test of the layers of this crate: a module uses only modules above it, so that there is no
//! cycle.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The modules of the library, each after the modules that it uses.
const LIBRARY: [&str; 21] = [
    "error",
    "source_file",
    "yaml",
    "cidr",
    "verdict",
    "architecture",
    "text",
    "templates",
    "environment",
    "parameters",
    "references",
    "assembly",
    "rule_scope",
    "guard",
    "controls",
    "controls_page",
    "mutants",
    "orphans",
    "quotas",
    "machine",
    "iam",
];

/// The modules of `iam`.
const IAM: [&str; 7] = [
    "wildcard",
    "expectations",
    "batch",
    "names",
    "collect",
    "queries",
    "evaluate",
];

/// The modules of `reach`.
const REACH: [&str; 18] = [
    "prefix_lists",
    "resource_types",
    "traffic",
    "values",
    "diagnostics",
    "addresses",
    "security_group",
    "acl",
    "network",
    "node",
    "allowed_flows",
    "dns_firewall",
    "model",
    "connectivity",
    "subnet_boundary",
    "graph",
    "rules",
    "diagram",
];

/// The modules of the commands.
const COMMANDS: [&str; 9] = [
    "findings",
    "project",
    "cfn_guard",
    "policies",
    "render",
    "third_party_lints",
    "mutate",
    "lint",
    "deploy",
];

/// The modules of the deployment.
const DEPLOY: [&str; 10] = [
    "target",
    "aws",
    "elf",
    "stacks",
    "wait",
    "resource_change",
    "change_set",
    "template_upload",
    "release",
    "stack_deployment",
];

#[test]
fn a_module_uses_only_modules_above_it() {
    let mut found = uses_of_lower_layers("", "crate::", &[LIBRARY.as_slice(), &["reach"]].concat());
    for (parent, layers) in [
        ("iam", IAM.as_slice()),
        ("reach", &REACH),
        ("commands", &COMMANDS),
        ("commands/deploy", &DEPLOY),
    ] {
        let path = format!("crate::{}::", parent.replace('/', "::"));
        found.extend(uses_of_lower_layers(parent, &path, layers));
        found.extend(uses_of_lower_layers(parent, "use super::", layers));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_module_has_a_layer() {
    for (file, layers) in [
        (include_str!("iam.rs"), IAM.as_slice()),
        (include_str!("reach.rs"), &REACH),
        (include_str!("commands.rs"), &COMMANDS),
    ] {
        let declared = file
            .lines()
            .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
        for module in declared.filter(|module| *module != "tests") {
            assert!(layers.contains(&module), "{module}");
        }
    }
}

/// The uses of modules below, among the modules of `parent`. A use is written with `prefix`.
fn uses_of_lower_layers(parent: &str, prefix: &str, layers: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(parent);
    let mut found = Vec::new();
    for (layer, module) in layers.iter().enumerate() {
        // `super` means the parent in the module's own file only.
        let files = if prefix == "use super::" {
            vec![root.join(format!("{module}.rs"))]
        } else {
            files_of(&root, module)
        };
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Tests may use any module.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let uses = code.lines().filter_map(|line| line.split_once(prefix));
            for (_, rest) in uses {
                let module: String = rest
                    .chars()
                    .take_while(|char| char.is_alphanumeric() || *char == '_')
                    .collect();
                let below = layers.iter().skip(layer + 1);
                if below.into_iter().any(|below| *below == module) {
                    found.push(format!("{} uses {module}", file.display()));
                }
            }
        }
    }
    found
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
