//! The constructor from unverified claims is private.

use access::Caller;
use access::CallerError;
use access::PersonClaims;
use access::RequestOrigin;
use access::SessionClaims;

fn forge(
    session: SessionClaims,
    person: &PersonClaims,
    origin: RequestOrigin,
    at: time::OffsetDateTime,
) -> Result<Caller, CallerError> {
    Caller::consistent(session, person, origin, at)
}

fn main() {}
