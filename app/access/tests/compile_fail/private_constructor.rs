//! The constructor from unverified claims is private.

use access::{Caller, CallerError, PersonClaims, RequestOrigin, SessionClaims};

fn forge(
    session: SessionClaims,
    person: &PersonClaims,
    origin: RequestOrigin,
) -> Result<Caller, CallerError> {
    Caller::consistent(session, person, origin)
}

fn main() {}
