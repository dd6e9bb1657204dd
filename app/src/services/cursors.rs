//! Page cursors: the search and the position of a result's next page, sealed under the organization's key.
//!
//! A client gets a cursor in a `next` link and sends it back in a URL. It is opaque: the search in it may be PHI. It is of
//! use only to the person that it was made for, for the interaction that it was made by, and for an hour.

use access::Caller;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use phi::Owner;
use phi::RowId;
use phi::Sealed;
use phi::columns::PageCursor;
use time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// The time for which a cursor is valid: longer than a person looks at a page.
const LIFETIME: Duration = Duration::hours(1);
/// The length of a UUID, in bytes.
const ID_BYTES: usize = 16;
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
pub(crate) struct Cursors {
    keys: Keys,
    clock: Clock,
}

impl Cursors {
    /// Cursors under these keys.
    pub(crate) const fn new(keys: Keys, clock: Clock) -> Self {
        Self { keys, clock }
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
        let organization = caller.organization();
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let row = RowId::random();
        let sealed: Sealed<PageCursor> = scope.seal(row, &*self.encode(caller, page))?;
        let mut cursor = row.uuid().as_bytes().to_vec();
        cursor.extend_from_slice(sealed.as_bytes());
        Ok(Some(URL_SAFE_NO_PAD.encode(cursor)))
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
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(cursor) else {
            return Ok(None);
        };
        let Some((row, sealed)) = bytes.split_first_chunk::<ID_BYTES>() else {
            return Ok(None);
        };
        let organization = caller.organization();
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let row = RowId::from(Uuid::from_bytes(*row));
        // Opened by the current key only: a client may send any bytes, and must not cause a search for a key.
        let sealed = Sealed::<PageCursor>::from_bytes(sealed.to_vec());
        let Some(opened) = scope.open_sent(row, &sealed) else {
            return Ok(None);
        };
        let page = self.decode(caller, opened.expose());
        Ok(page.filter(|page| page.interaction == interaction))
    }

    /// `person[16] | expiry[8] | length[1] | interaction | length[2] | position | query`.
    fn encode(&self, caller: &Caller, page: &NextPage) -> Zeroizing<Vec<u8>> {
        let expiry = self.clock.now().saturating_add(LIFETIME).unix_timestamp();
        let interaction = page.interaction.as_bytes();
        let (short, long) = (
            u8::try_from(interaction.len()),
            u16::try_from(page.position.len()),
        );
        let lengths = ID_BYTES + 11 + interaction.len() + page.position.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(lengths + page.query.len()));
        bytes.extend_from_slice(caller.person().as_bytes());
        bytes.extend_from_slice(&expiry.to_be_bytes());
        bytes.push(short.unwrap_or(u8::MAX));
        bytes.extend_from_slice(interaction);
        bytes.extend_from_slice(&long.unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(&page.position);
        bytes.extend_from_slice(&page.query);
        bytes
    }

    fn decode(&self, caller: &Caller, bytes: &[u8]) -> Option<NextPage> {
        let (person, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (interaction, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (position, query) = rest.split_at_checked(length)?;
        let is_valid = *person == *caller.person().as_bytes()
            && self.clock.now().unix_timestamp() < i64::from_be_bytes(*expiry);
        is_valid.then(|| NextPage {
            interaction: String::from_utf8_lossy(interaction).into_owned(),
            query: Zeroizing::new(query.to_vec()),
            position: Zeroizing::new(position.to_vec()),
        })
    }
}
