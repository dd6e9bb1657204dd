//! A caller is made from verified rows, not from rows.

use access::Caller;
use access::CallerError;
use access::PersonClaims;
use access::PersonEvidence;
use access::RequestOrigin;
use access::SessionClaims;
use access::SessionEvidence;

struct Session;
struct Person;

impl SessionEvidence for Session {
    type Row = SessionClaims;

    fn claims(row: &SessionClaims) -> SessionClaims {
        row.clone()
    }
}

impl PersonEvidence for Person {
    type Row = PersonClaims;

    fn claims(row: &PersonClaims) -> PersonClaims {
        row.clone()
    }
}

fn forge(
    session: &SessionClaims,
    person: &PersonClaims,
    origin: RequestOrigin,
    at: time::OffsetDateTime,
) -> Result<Caller, CallerError> {
    Caller::authenticated::<Session, Person>(session, person, origin, at)
}

fn main() {}
