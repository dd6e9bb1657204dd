//! What the web tier may know of the records that pass through it: nothing that opens them, and no SQL.

#[cfg(test)]
mod tests {
    use std::process::Command;

    #[test]
    fn the_web_tier_depends_on_nothing_that_opens_or_stores_records() {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--package", "web"])
            .args(["--edges", "normal", "--prefix", "none", "--format", "{lib}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        let tree = String::from_utf8(output.stdout).unwrap();
        let libraries: Vec<&str> = tree.lines().map(str::trim).collect();
        assert!(libraries.contains(&"certs"), "{tree}");
        for forbidden in [
            "phi",
            "phi_types",
            "access",
            "audit",
            "app",
            "db",
            "sqlx",
            "aes",
            "aes_gcm",
            "aws_sdk_kms",
        ] {
            assert!(!libraries.contains(&forbidden), "{forbidden}");
        }
    }
}
