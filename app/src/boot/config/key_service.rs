//! The configuration of the key service.

use super::ConfigError;
use super::Reader;
use super::reader::invalid;
use crate::services::keys::KeyServiceSettings;
use crate::services::keys::Provider;

/// Reads the section.
pub(super) fn read(reader: &Reader) -> Result<KeyServiceSettings, ConfigError> {
    const CHOICE: &str = "development or aws-kms";
    let provider = match reader.text("KEY_SERVICE", CHOICE)?.as_str() {
        "development" => Provider::Development {
            file: reader.file(
                "KEYRING_FILE",
                "a keyring created by `app keyring --out FILE`",
            )?,
        },
        "aws-kms" => Provider::AwsKms {
            endpoint: endpoint(reader)?,
            ca_file: reader.optional_file("KMS_CA_FILE", "a PEM file with the endpoint's CA")?,
            key_id: reader.text("KMS_KEY_ID", "the id or ARN of a symmetric KMS key")?,
            former_key_ids: former_keys(reader)?,
            mac_key_id: reader.text("KMS_MAC_KEY_ID", "the id or ARN of an HMAC_256 KMS key")?,
            region: reader.text("AWS_REGION", "the key's region, such as us-east-1")?,
        },
        _ => return Err(invalid("KEY_SERVICE", CHOICE)),
    };
    Ok(KeyServiceSettings {
        provider,
        cache: reader.seconds("KEY_CACHE_SECONDS", 300, 1..=300)?,
    })
}

fn former_keys(reader: &Reader) -> Result<Vec<String>, ConfigError> {
    let Some(list) = reader.optional("KMS_FORMER_KEY_IDS") else {
        return Ok(Vec::new());
    };
    let ids: Vec<String> = list.split(',').map(|id| id.trim().to_owned()).collect();
    if ids.iter().any(String::is_empty) {
        return Err(invalid(
            "KMS_FORMER_KEY_IDS",
            "the ids or ARNs of former root keys, separated by commas",
        ));
    }
    Ok(ids)
}

fn endpoint(reader: &Reader) -> Result<Option<String>, ConfigError> {
    match reader.optional("KMS_ENDPOINT") {
        Some(url) if !url.starts_with("https://") => Err(invalid(
            "KMS_ENDPOINT",
            "an https:// URL: keys are never sent in the clear",
        )),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn former(list: &str) -> Result<Vec<String>, String> {
        let reader = Reader::of(&[
            ("KEY_SERVICE", "aws-kms"),
            ("KMS_KEY_ID", "third"),
            ("KMS_MAC_KEY_ID", "mac"),
            ("AWS_REGION", "us-east-1"),
            ("KMS_FORMER_KEY_IDS", list),
        ]);
        match read(&reader).map(|config| config.provider) {
            Ok(Provider::AwsKms { former_key_ids, .. }) => Ok(former_key_ids),
            Ok(Provider::Development { .. }) => Err("another provider".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn root_keys_of_earlier_epochs_are_listed() {
        assert_eq!(former("first, second").unwrap(), ["first", "second"]);
        assert!(former("").unwrap().is_empty());
        let error = former("first,").unwrap_err();
        assert!(error.starts_with("KMS_FORMER_KEY_IDS"), "{error}");
    }
}
