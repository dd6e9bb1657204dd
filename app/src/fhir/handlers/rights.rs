//! The rights that one request needs: each is asked for once.

use std::collections::HashMap;

use crate::access::{Permitted, ReadRecord, WriteRecord};
use crate::caller::Caller;
use crate::fhir::Kind;
use crate::problem::Problem;
use crate::state::App;

/// What the caller was granted in this request, so that a refusal is recorded once and not for every
/// entry.
pub(super) struct Rights<'a> {
    app: &'a App,
    caller: &'a Caller,
    read: HashMap<Kind, Result<Permitted<ReadRecord>, Problem>>,
    write: HashMap<Kind, Result<Permitted<WriteRecord>, Problem>>,
}

impl<'a> Rights<'a> {
    /// No right was asked for yet.
    pub(super) fn of(app: &'a App, caller: &'a Caller) -> Self {
        Self {
            app,
            caller,
            read: HashMap::new(),
            write: HashMap::new(),
        }
    }

    /// The right to read resources of a kind.
    pub(super) async fn read(&mut self, kind: Kind) -> Result<Permitted<ReadRecord>, Problem> {
        if let Some(asked) = self.read.get(&kind) {
            return *asked;
        }
        let asked = self.caller.permit(self.app, ReadRecord(kind)).await;
        self.read.insert(kind, asked);
        asked
    }

    /// The right to write resources of a kind.
    pub(super) async fn write(&mut self, kind: Kind) -> Result<Permitted<WriteRecord>, Problem> {
        if let Some(asked) = self.write.get(&kind) {
            return *asked;
        }
        let asked = self.caller.permit(self.app, WriteRecord(kind)).await;
        self.write.insert(kind, asked);
        asked
    }
}
