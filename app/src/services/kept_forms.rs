//! Forms that were sent after the end of their session: sealed under the organization's key, and kept by the browser until the
//! same person has signed in again.
//!
//! A kept form is of use only to the person whose session had ended, and for a quarter of an hour.

use access::Caller;
use phi::OrganizationId;
use phi::PersonId;
use phi::columns::KeptForm as Column;
use time::Duration;
use zeroize::Zeroizing;

use crate::services::client_held::ClientHeld;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// The time for which a form is kept.
const LIFETIME: Duration = Duration::minutes(15);
/// Maximum path and fields of a form that is kept, in bytes: sealed and in base64 they fit into the form of a sign-in.
const MAX_BYTES: usize = 32 << 10;

/// A form.
#[derive(Debug)]
pub(crate) struct KeptForm {
    /// The path to which it was sent.
    pub(crate) path: String,
    /// The fields, form-encoded.
    pub(crate) fields: Zeroizing<Vec<u8>>,
}

/// The service that seals and opens kept forms.
#[derive(Clone, Debug)]
pub(crate) struct KeptForms(ClientHeld<Column>);

impl KeptForms {
    /// Kept forms under these keys.
    pub(crate) const fn new(keys: Keys, clock: Clock) -> Self {
        Self(ClientHeld::new(keys, clock, LIFETIME))
    }

    /// A form for the person of a former session; none for a form that is too long.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(crate) async fn seal(
        &self,
        organization: OrganizationId,
        person: PersonId,
        form: &KeptForm,
    ) -> Result<Option<String>, ServiceError> {
        let Ok(path_length) = u16::try_from(form.path.len()) else {
            return Ok(None);
        };
        if form.path.len().saturating_add(form.fields.len()) > MAX_BYTES {
            return Ok(None);
        }
        // `length[2] | path | fields`
        let lengths = 2 + form.path.len() + form.fields.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(lengths));
        bytes.extend_from_slice(&path_length.to_be_bytes());
        bytes.extend_from_slice(form.path.as_bytes());
        bytes.extend_from_slice(&form.fields);
        self.0.seal(organization, person, &bytes).await.map(Some)
    }

    /// The form that a browser has kept; none for one that is damaged, expired or another person's.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(crate) async fn open(
        &self,
        caller: &Caller,
        kept: &str,
    ) -> Result<Option<KeptForm>, ServiceError> {
        let person = PersonId::from_uuid(caller.person());
        let bytes = self.0.open(caller.organization(), person, kept).await?;
        Ok(bytes.and_then(|bytes| decode(&bytes)))
    }
}

fn decode(bytes: &[u8]) -> Option<KeptForm> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (path, fields) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some(KeptForm {
        path: String::from_utf8_lossy(path).into_owned(),
        fields: Zeroizing::new(fields.to_vec()),
    })
}
