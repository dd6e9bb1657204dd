//! App → key service, without a key service; `disruptive/key_service.rs` and `key_service_hop.rs`
//! have the rest.

use std::process::Stdio;

use stack::Home;
use tests::RunningStack;

#[tokio::test]
async fn an_endpoint_without_tls_is_an_invalid_configuration() {
    let running = RunningStack::shared().unwrap();
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
        let output_text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{endpoint}: {output_text}");
        assert!(
            output_text.contains("KMS_ENDPOINT") && output_text.contains("https://"),
            "{output_text}"
        );
        assert!(!output_text.contains(endpoint), "{output_text}");
    }
}
