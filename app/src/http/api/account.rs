//! `/api/v1/account`: the caller's own authenticators.

pub(crate) mod authenticators;
pub(crate) mod confirmation;
pub(crate) mod password;
pub(crate) mod recovery_codes;
pub(crate) mod sessions;

use phi::RecoveryCode;

/// Recovery codes as they are shown.
fn shown(codes: &[RecoveryCode]) -> Vec<String> {
    codes
        .iter()
        .map(|code| code.to_groups().to_string())
        .collect()
}
