//! Authenticator data: what the authenticator says and signs (§6.1).

use minicbor::Decoder;

use super::MAX_ID_BYTES;
use super::PasskeyError;

/// The person touched the authenticator, or did the like.
const USER_PRESENT: u8 = 1;
/// The authenticator verified the person, by a PIN or a biometric.
const USER_VERIFIED: u8 = 1 << 2;
/// The passkey may be copied to other devices.
pub(super) const BACKUP_ELIGIBLE: u8 = 1 << 3;
/// The passkey is on more than one device.
const BACKED_UP: u8 = 1 << 4;
/// A new passkey is part of the data.
const HAS_CREDENTIAL: u8 = 1 << 6;
/// Outputs of extensions are part of the data.
const HAS_EXTENSIONS: u8 = 1 << 7;
/// Length of an AAGUID, the model of an authenticator, in bytes.
const AAGUID_BYTES: usize = 16;

/// Parsed authenticator data.
pub(super) struct AuthenticatorData<'b> {
    /// SHA-256 of the relying party's id.
    pub(super) rp_id_hash: &'b [u8; 32],
    pub(super) is_user_present: bool,
    pub(super) is_user_verified: bool,
    pub(super) is_backup_eligible: bool,
    /// The number of signatures, by an authenticator that counts them.
    pub(super) sign_count: u32,
    pub(super) credential: Option<AttestedCredential<'b>>,
}

/// A new passkey (§6.5.1).
pub(super) struct AttestedCredential<'b> {
    pub(super) id: &'b [u8],
    /// The public key in COSE.
    pub(super) public_key: &'b [u8],
}

impl<'b> AuthenticatorData<'b> {
    /// Parses authenticator data.
    ///
    /// # Errors
    ///
    /// [`PasskeyError::Malformed`] for other bytes, also for bytes that follow.
    pub(super) fn parse(bytes: &'b [u8]) -> Result<Self, PasskeyError> {
        Self::parsed(bytes).ok_or(PasskeyError::Malformed)
    }

    fn parsed(bytes: &'b [u8]) -> Option<Self> {
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>()?;
        let (&flags, rest) = rest.split_first()?;
        let (sign_count, mut rest) = rest.split_first_chunk::<4>()?;
        let has = |flag| flags & flag != 0;
        if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
            return None;
        }
        let mut credential = None;
        if has(HAS_CREDENTIAL) {
            let attested;
            (attested, rest) = attested_credential(rest)?;
            credential = Some(attested);
        }
        if has(HAS_EXTENSIONS) {
            (_, rest) = split_value(rest)?;
        }
        rest.is_empty().then_some(Self {
            rp_id_hash,
            is_user_present: has(USER_PRESENT),
            is_user_verified: has(USER_VERIFIED),
            is_backup_eligible: has(BACKUP_ELIGIBLE),
            sign_count: u32::from_be_bytes(*sign_count),
            credential,
        })
    }
}

fn attested_credential(bytes: &[u8]) -> Option<(AttestedCredential<'_>, &[u8])> {
    let (_aaguid, rest) = bytes.split_at_checked(AAGUID_BYTES)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length > MAX_ID_BYTES {
        return None;
    }
    let (id, rest) = rest.split_at_checked(length)?;
    let (public_key, rest) = split_value(rest)?;
    Some((AttestedCredential { id, public_key }, rest))
}

/// The bytes of the first CBOR value, and those after it.
fn split_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut decoder = Decoder::new(bytes);
    decoder.skip().ok()?;
    bytes.split_at_checked(decoder.position())
}
