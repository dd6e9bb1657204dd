//! Callers and an audit trail in memory, for tests.

use std::sync::Mutex;
use std::sync::PoisonError;

use audit::Assurance;
use audit::Event;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Caller;
use crate::CallerEvent;
use crate::ChartAccess;
use crate::Credential;
use crate::CredentialKind;
use crate::DataClass;
use crate::PersonClaims;
use crate::RefusalBudget;
use crate::RequestOrigin;
use crate::Role;
use crate::Scopes;
use crate::SessionClaims;
use crate::Subject;
use crate::Trail;
use crate::ids::OrganizationId;
use crate::ids::PatientId;

/// The person of all claims below.
const PERSON: Uuid = Uuid::from_u128(0x5045_5253);

/// The claims of a session of [`person`].
pub(crate) fn session(organization: OrganizationId) -> SessionClaims {
    SessionClaims {
        organization,
        person: PERSON,
        id: Uuid::from_u128(0x5345_5353),
        role: None,
        assurance: Assurance::Password,
        scopes: None,
        authenticated_at: OffsetDateTime::UNIX_EPOCH,
        credential: Credential {
            kind: CredentialKind::Session,
            hash: [3; 32],
        },
    }
}

/// The claims of an active person.
pub(crate) fn person(organization: OrganizationId, role: Role) -> PersonClaims {
    PersonClaims {
        organization,
        id: PERSON,
        role: role.name().to_owned(),
        active: true,
        sessions_since: None,
        own_chart: None,
    }
}

/// A caller of a new organization, authenticated by two factors.
pub(crate) fn caller(role: Role) -> Caller {
    caller_with(role, Assurance::PasswordAndCode)
}

/// A machine client of a new organization, with these scopes.
pub(crate) fn client(scopes: &str) -> Caller {
    let scopes = Scopes::parse(scopes, |_| true);
    of(Role::Service, Assurance::ClientAssertion, Some(scopes))
}

/// A caller of a new organization. A machine client has the scopes of all types.
pub(crate) fn caller_with(role: Role, assurance: Assurance) -> Caller {
    let is_client = role == Role::Service;
    let scopes = is_client.then(|| Scopes::parse("system/*.rs", |_| true));
    of(role, assurance, scopes)
}

fn of(role: Role, assurance: Assurance, scopes: Option<Scopes>) -> Caller {
    let organization = OrganizationId::random();
    let session = SessionClaims {
        assurance,
        scopes,
        ..session(organization)
    };
    let person = PersonClaims {
        own_chart: Some(PatientId::random()),
        ..person(organization, role)
    };
    let origin = RequestOrigin {
        request: Uuid::from_u128(1),
        source: Some([192, 0, 2, 7].into()),
    };
    let caller = Caller::consistent(session, &person, origin, OffsetDateTime::UNIX_EPOCH).unwrap();
    let charts = ChartAccess::all((organization, PERSON));
    caller.with_charts(charts).unwrap()
}

/// All records of a class in the caller's organization.
pub(crate) fn subject(caller: &Caller, class: DataClass) -> Subject {
    Subject::of("record", class, caller.organization())
}

/// An audit trail in memory.
#[derive(Debug)]
pub(crate) struct MemoryTrail {
    state: Mutex<State>,
    refusals: RefusalBudget,
}

#[derive(Debug)]
struct State {
    events: Vec<Event>,
    now: OffsetDateTime,
    fails: bool,
}

/// The error of a trail that fails.
#[derive(Debug, thiserror::Error)]
#[error("the trail is down")]
pub(crate) struct TrailDown;

impl MemoryTrail {
    /// A trail that records `per_minute` refusals of a caller individually.
    pub(crate) fn with_budget(per_minute: u32) -> Self {
        Self {
            state: Mutex::new(State {
                events: Vec::new(),
                now: OffsetDateTime::UNIX_EPOCH,
                fails: false,
            }),
            refusals: RefusalBudget::new(per_minute),
        }
    }

    /// A trail whose commits fail.
    pub(crate) fn failing() -> Self {
        let trail = Self::default();
        trail.fail(true);
        trail
    }

    /// Sets whether recording fails.
    pub(crate) fn fail(&self, fails: bool) {
        self.with(|state| state.fails = fails);
    }

    /// Advances the clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.with(|state| state.now += by);
    }

    /// The recorded events.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.with(|state| state.events.clone())
    }

    fn with<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemoryTrail {
    fn default() -> Self {
        Self::with_budget(1000)
    }
}

impl Trail for MemoryTrail {
    type Error = TrailDown;

    async fn commit(&self, event: CallerEvent) -> Result<(), TrailDown> {
        self.with(|state| {
            if state.fails {
                return Err(TrailDown);
            }
            state.events.push(event.into_parts().0);
            Ok(())
        })
    }

    fn now(&self) -> OffsetDateTime {
        self.with(|state| state.now)
    }

    fn refusals(&self) -> &RefusalBudget {
        &self.refusals
    }
}
