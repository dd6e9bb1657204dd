//! The dependencies of the library: of `phi` only its types and encodings, which cannot open a value.

#[cfg(test)]
mod tests {
    use std::process::Command;

    #[test]
    fn the_library_depends_on_the_types_of_phi_and_on_nothing_that_opens() {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--package", "objects"])
            .args(["--edges", "normal", "--prefix", "none", "--format", "{lib}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        let tree = String::from_utf8(output.stdout).unwrap();
        let libraries: Vec<&str> = tree.lines().map(str::trim).collect();
        assert!(libraries.contains(&"phi_types"), "{tree}");
        for forbidden in [
            "phi",
            "aes",
            "aes_gcm",
            "aws_sdk_kms",
            "access",
            "app",
            "db",
        ] {
            assert!(!libraries.contains(&forbidden), "{forbidden}");
        }
    }
}
