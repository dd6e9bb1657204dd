//! App → key service, as far as it shows without one; `disruptive/key_service.rs` has the rest.

use std::process::Stdio;

use stack::Home;
use tests::Running;

#[tokio::test]
async fn an_endpoint_without_tls_is_a_bad_configuration() {
    let running = Running::shared().unwrap();
    let home = Home::at(&running.status.home).unwrap();
    for endpoint in [
        "http://localhost:4566",
        "HTTP://kms.internal",
        "ftp://kms.internal",
        "localhost:4566",
    ] {
        let output = stack::command(&home, "app", &[])
            .unwrap()
            .env("KEY_SERVICE", "aws-kms")
            .env("KMS_ENDPOINT", endpoint)
            .env("KMS_KEY_ID", "key")
            .env("KMS_MAC_KEY_ID", "mac-key")
            .env("AWS_REGION", "us-east-1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{endpoint}: {said}");
        assert!(
            said.contains("KMS_ENDPOINT") && said.contains("https://"),
            "{said}"
        );
        assert!(!said.contains(endpoint), "{said}");
    }
}
