//! Tests of the settings of AWS KMS, and of the requests that are refused before they are sent.

use super::*;

fn settings() -> AwsKmsSettings {
    AwsKmsSettings {
        region: Some("us-east-1".to_owned()),
        endpoint: Some("https://127.0.0.1:1".to_owned()),
        certificate_authority: None,
        root: "1234".to_owned(),
        former_roots: Vec::new(),
        mac_key: "5678".to_owned(),
    }
}

#[tokio::test]
async fn a_plain_endpoint_is_refused() {
    let endpoint = Some("http://127.0.0.1:1".to_owned());
    let refused = AwsKms::connect(AwsKmsSettings {
        endpoint,
        ..settings()
    })
    .await;
    assert_eq!(refused.unwrap_err(), AwsKmsError::PlainEndpoint);
}

#[tokio::test]
async fn a_root_key_named_by_an_alias_is_refused() {
    for root in ["alias/phi", "arn:aws:kms:us-east-1:111122223333:alias/phi"] {
        let refused = AwsKms::connect(AwsKmsSettings {
            root: root.to_owned(),
            ..settings()
        })
        .await;
        assert_eq!(refused.unwrap_err(), AwsKmsError::Alias);
    }
}

#[tokio::test]
async fn an_authority_that_is_not_a_certificate_is_refused() {
    let certificate_authority = Some(b"-----BEGIN CERTIFICATE-----\n????".to_vec());
    let refused = AwsKms::connect(AwsKmsSettings {
        certificate_authority,
        ..settings()
    })
    .await;
    assert_eq!(refused.unwrap_err(), AwsKmsError::CertificateAuthority);
}

#[tokio::test]
async fn a_root_of_another_account_is_refused_before_a_request_is_sent() {
    let kms = AwsKms::connect(settings()).await.unwrap();
    let root = "arn:aws:kms:us-east-1:999999999999:key/theirs".to_owned();
    let wrapped = RootWrapped {
        root,
        provider: provider::AWS_KMS,
        bytes: vec![0; 64],
    };
    let context = BranchContext {
        organization: crate::OrganizationId::random(),
        branch: crate::KeyId::random(),
        version: 1,
    };
    assert_eq!(
        kms.unwrap(&wrapped, &context).await.unwrap_err(),
        ServiceError::Denied
    );
}

/// The client is made as the SDK makes it if the environment names a plain endpoint.
#[tokio::test]
async fn no_request_is_sent_to_a_plain_endpoint_of_the_environment() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let credentials = aws_sdk_kms::config::Credentials::builder()
        .access_key_id("a")
        .secret_access_key("b")
        .provider_name("test")
        .build();
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .http_client(Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
        .interceptor(HttpsOnly)
        .build();
    let kms = AwsKms {
        client: Client::from_conf(config),
        root: "1234".to_owned(),
        former_roots: Vec::new(),
        mac_key: "5678".to_owned(),
    };
    tokio::select! {
        response = kms.mac(b"x") => assert_eq!(response.unwrap_err(), ServiceError::Unavailable),
        _ = listener.accept() => panic!("a connection was opened"),
    }
}
