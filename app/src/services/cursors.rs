//! Page cursors: the search and the position of a result's next page, sealed under the organization's key.
//!
//! A client gets a cursor in a `next` link and sends it back in a URL. It is opaque: the search in it may be PHI. It is of
//! use only to the person that it was made for, for the interaction that it was made by, and for an hour.

use access::Caller;
use phi::PersonId;
use phi::columns::PageCursor;
use time::Duration;
use zeroize::Zeroizing;

use crate::services::client_held::ClientHeld;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// The time for which a cursor is valid: longer than a person looks at a page.
const LIFETIME: Duration = Duration::hours(1);
/// Maximum parameters of a search whose result has cursors, with a position, in bytes: their base64 fits into a URL.
pub(crate) const MAX_PAGED_QUERY_BYTES: usize = 1_800;

/// The next page of a result.
pub(crate) struct NextPage {
    /// The interaction: `search/Observation`.
    pub(crate) interaction: String,
    /// The parameters of the first request, form-encoded.
    pub(crate) query: Zeroizing<Vec<u8>>,
    /// The position of the last element of the page before.
    pub(crate) position: Zeroizing<Vec<u8>>,
}

/// The service that makes and opens cursors.
#[derive(Clone, Debug)]
pub(crate) struct Cursors(ClientHeld<PageCursor>);

impl Cursors {
    /// Cursors under these keys.
    pub(crate) const fn new(keys: Keys, clock: Clock) -> Self {
        Self(ClientHeld::new(keys, clock, LIFETIME))
    }

    /// A cursor for a caller; none for a search that is too long for one.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(crate) async fn seal(
        &self,
        caller: &Caller,
        page: &NextPage,
    ) -> Result<Option<String>, ServiceError> {
        if page.query.len().saturating_add(page.position.len()) > MAX_PAGED_QUERY_BYTES {
            return Ok(None);
        }
        let person = PersonId::from_uuid(caller.person());
        let content = encode(page);
        let cursor = self.0.seal(caller.organization(), person, &content);
        cursor.await.map(Some)
    }

    /// The page that a cursor names; none for a cursor that is damaged, expired, of another caller or of another
    /// interaction.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(crate) async fn open(
        &self,
        caller: &Caller,
        interaction: &str,
        cursor: &str,
    ) -> Result<Option<NextPage>, ServiceError> {
        let person = PersonId::from_uuid(caller.person());
        let bytes = self.0.open(caller.organization(), person, cursor).await?;
        let page = bytes.and_then(|bytes| decode(&bytes));
        Ok(page.filter(|page| page.interaction == interaction))
    }
}

/// `length[1] | interaction | length[2] | position | query`.
fn encode(page: &NextPage) -> Zeroizing<Vec<u8>> {
    let interaction = page.interaction.as_bytes();
    let (short, long) = (
        u8::try_from(interaction.len()),
        u16::try_from(page.position.len()),
    );
    let lengths = 3 + interaction.len() + page.position.len() + page.query.len();
    let mut bytes = Zeroizing::new(Vec::with_capacity(lengths));
    bytes.push(short.unwrap_or(u8::MAX));
    bytes.extend_from_slice(interaction);
    bytes.extend_from_slice(&long.unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(&page.position);
    bytes.extend_from_slice(&page.query);
    bytes
}

fn decode(bytes: &[u8]) -> Option<NextPage> {
    let (length, rest) = bytes.split_first()?;
    let (interaction, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (position, query) = rest.split_at_checked(length)?;
    Some(NextPage {
        interaction: String::from_utf8_lossy(interaction).into_owned(),
        query: Zeroizing::new(query.to_vec()),
        position: Zeroizing::new(position.to_vec()),
    })
}
