//! The features with which dependencies are built: one set for each, in every build of the workspace.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;
    use std::process::Command;

    /// The builds that share one target folder, as options of `cargo tree`.
    const BUILDS: [&[&str]; 3] = [
        // `cargo stack up`, and everything else without `--workspace`.
        &["--edges", "normal,build"],
        &["--edges", "normal,build", "--workspace"],
        // `cargo clippy --all-targets` and `cargo test`.
        &["--edges", "normal,build,dev", "--workspace"],
    ];

    /// For each package, the feature sets with which it is built.
    type FeatureSets = BTreeMap<String, BTreeSet<String>>;

    /// Each line of the tree is a package and its features, with `|` between them.
    fn read(tree: &str, sets: &mut FeatureSets) {
        // Blank lines stand between the trees of two members.
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let (package, features) = line.split_once('|').unwrap();
            // A package that the tree has shown before is marked at the end of the line.
            let features = features.trim_end_matches(" (*)").trim();
            let of_package = sets.entry(package.trim().to_owned()).or_default();
            of_package.insert(features.to_owned());
        }
    }

    fn tree(options: &[&str]) -> String {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--prefix", "none"])
            .args(["--format", "{p}|{f}"])
            .args(options)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Packages with more than one feature set.
    fn built_twice(sets: &FeatureSets) -> Vec<(&String, &BTreeSet<String>)> {
        sets.iter().filter(|(_, sets)| sets.len() > 1).collect()
    }

    #[test]
    fn no_dependency_is_built_twice() {
        let mut sets = FeatureSets::new();
        for options in BUILDS {
            read(&tree(options), &mut sets);
        }
        assert!(sets.len() > 100, "the tree was not read");
        let twice = built_twice(&sets);
        assert!(
            twice.is_empty(),
            "built once for each set of features; make them one in the root manifest: {twice:#?}"
        );
    }

    #[test]
    fn a_second_feature_set_is_found_and_a_repeated_line_is_not_one() {
        let mut sets = FeatureSets::new();
        read(
            "a v1.0.0|std\nb v1.0.0|\nb v2.0.0|std\na v1.0.0|std (*)",
            &mut sets,
        );
        assert!(built_twice(&sets).is_empty());
        read("b v1.0.0|std", &mut sets);
        assert_eq!(built_twice(&sets).len(), 1);
    }
}
