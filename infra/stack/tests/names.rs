//! The product's names stand in the root manifest. Files that cannot read it hold the same names; no other file has
//! one.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    /// Files that hold a name because they cannot read the manifest, or are the manifest.
    const HOLDERS: [&str; 5] = [
        "Cargo.toml",
        "docker-compose.yml",
        "infra/aws/controls/",
        "infra/aws/parameters/",
        "infra/aws/templates/",
    ];

    fn tracked_files() -> Vec<String> {
        let root = tools::workspace::root().unwrap();
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root)
            .output()
            .unwrap();
        assert!(output.status.success());
        let listed = String::from_utf8(output.stdout).unwrap();
        listed.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn no_other_file_holds_a_name_of_the_product() {
        let root = tools::workspace::root().unwrap();
        let mut found = Vec::new();
        for file in tracked_files() {
            let is_holder = HOLDERS.iter().any(|holder| file.starts_with(holder));
            let Ok(text) = fs::read_to_string(root.join(&file)) else {
                continue;
            };
            for name in [product::TITLE, product::NAME, product::TRUST_DOMAIN] {
                if !is_holder && text.contains(name) {
                    found.push(format!("{file}: {name}"));
                }
            }
        }
        assert!(
            found.is_empty(),
            "use the crate `product`, or a name of an example: {found:#?}"
        );
    }

    #[test]
    fn the_compose_file_and_the_templates_hold_the_names_of_the_manifest() {
        let root = tools::workspace::root().unwrap();
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        let compose = read("docker-compose.yml");
        assert!(compose.contains(&format!("\nname: {}\n", product::NAME)));
        let default = format!("${{TRUST_DOMAIN:-{}}}", product::TRUST_DOMAIN);
        let defaults = compose.matches("${TRUST_DOMAIN:-").count();
        assert_eq!(compose.matches(&default).count(), defaults);
        for entry in fs::read_dir(root.join("infra/aws/templates")).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for (parameter, name) in [
                ("  Project:\n", product::NAME),
                ("  TrustDomain:\n", product::TRUST_DOMAIN),
            ] {
                let Some((_, declared)) = text.split_once(parameter) else {
                    continue;
                };
                let (_, default) = declared.split_once("Default: ").unwrap();
                assert_eq!(default.lines().next(), Some(name), "{parameter}");
            }
        }
    }
}
