//! The configuration of the key service, which holds the root keys.

use settings::Reader;
use settings::Reported;
use settings::section;

use crate::services::keys::KeyServiceSettings;
use crate::services::keys::Provider;

/// The variables of which the provider decides whether they are read.
const OF_A_PROVIDER: [&str; 6] = [
    "KEYRING_FILE",
    "KMS_CA_FILE",
    "KMS_ENDPOINT",
    "KMS_FORMER_KEY_IDS",
    "KMS_KEY_ID",
    "KMS_MAC_KEY_ID",
];

/// Reads the section.
pub(super) fn read(reader: &Reader) -> Result<KeyServiceSettings, Reported> {
    section!(KeyServiceSettings {
        provider: provider(reader),
        cache: reader.seconds("KEY_CACHE_SECONDS", 300, 1..=300),
    })
}

fn provider(reader: &Reader) -> Result<Provider, Reported> {
    const CHOICE: &str = "development or aws-kms";
    let choice = reader.required::<String>("KEY_SERVICE", CHOICE);
    match choice.as_deref() {
        Ok("development") => section!(Provider::Development {
            file: reader.file("KEYRING_FILE", "a keyring made by `app keyring --out FILE`"),
        }),
        Ok("aws-kms") => section!(Provider::AwsKms {
            endpoint: endpoint(reader),
            ca_file: reader.optional_file("KMS_CA_FILE", "a PEM file with the endpoint's CA"),
            key_id: reader.required("KMS_KEY_ID", "the id or ARN of a symmetric KMS key"),
            former_key_ids: former_keys(reader),
            mac_key_id: reader.required("KMS_MAC_KEY_ID", "the id or ARN of an HMAC_256 KMS key"),
            region: reader.required("AWS_REGION", "the key's region, such as us-east-1"),
        }),
        Ok(_) => {
            reader.declare(&OF_A_PROVIDER);
            Err(reader.reject("KEY_SERVICE", "has a wrong value", CHOICE))
        }
        Err(reported) => {
            reader.declare(&OF_A_PROVIDER);
            Err(*reported)
        }
    }
}

fn former_keys(reader: &Reader) -> Result<Vec<String>, Reported> {
    const VARIABLE: &str = "KMS_FORMER_KEY_IDS";
    const EXPECTED: &str = "the ids or ARNs of former root keys, separated by commas";
    let Some(list) = reader.optional::<String>(VARIABLE, EXPECTED)? else {
        return Ok(Vec::new());
    };
    let ids: Vec<String> = list.split(',').map(|id| id.trim().to_owned()).collect();
    if ids.iter().any(String::is_empty) {
        return Err(reader.reject(VARIABLE, "has an empty entry", EXPECTED));
    }
    Ok(ids)
}

fn endpoint(reader: &Reader) -> Result<Option<String>, Reported> {
    const VARIABLE: &str = "KMS_ENDPOINT";
    const EXPECTED: &str = "an https:// URL: keys are never sent without TLS";
    match reader.optional::<String>(VARIABLE, EXPECTED)? {
        Some(url) if !url.starts_with("https://") => {
            Err(reader.reject(VARIABLE, "is not encrypted", EXPECTED))
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::config::PREFIXES;

    fn former(list: &str) -> Result<Vec<String>, String> {
        let variables = [
            ("KEY_SERVICE", "aws-kms"),
            ("KMS_KEY_ID", "third"),
            ("KMS_MAC_KEY_ID", "mac"),
            ("AWS_REGION", "us-east-1"),
            ("KMS_FORMER_KEY_IDS", list),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let reader = Reader::new(&PREFIXES, variables);
        match reader.read(read).map(|config| config.provider) {
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

    #[test]
    fn without_a_key_service_its_variables_are_not_called_unknown() {
        let variables = OF_A_PROVIDER.map(|name| (name.into(), "set".into()));
        let errors = Reader::new(&PREFIXES, variables).read(read).unwrap_err();
        assert_eq!(
            errors.to_string(),
            "KEY_SERVICE is not set: expected development or aws-kms"
        );
    }
}
