//! The record of all bytes that an origin received.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustls::HandshakeKind;

use super::message::Message;
use super::message::may_be_readiness_probe;

/// The record since the last call, without readiness probes.
#[derive(Debug, Default)]
pub struct OriginRecord {
    /// Complete requests, in the order of their last bytes.
    pub messages: Vec<Message>,
    /// The bytes of each connection that do not belong to a complete request.
    pub incomplete: Vec<Vec<u8>>,
    /// Violations of the canonical form.
    pub malformed: Vec<String>,
}

impl OriginRecord {
    /// Whether nothing was received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.incomplete.is_empty() && self.malformed.is_empty()
    }
}

/// The record of one origin.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    malformed: Vec<String>,
    /// By connection: bytes after the last complete request, and whether the connection has ended.
    pending: BTreeMap<usize, (Vec<u8>, bool)>,
    handshakes: Vec<HandshakeKind>,
    connections: usize,
    readiness_probes: usize,
}

impl Record {
    /// Notes a new connection and returns its number.
    pub(super) fn open(&self) -> usize {
        let mut state = self.state();
        state.connections += 1;
        state.connections
    }

    pub(super) fn handshake(&self, kind: HandshakeKind) {
        self.state().handshakes.push(kind);
    }

    pub(super) fn receive(&self, connection: usize, bytes: &[u8]) {
        let mut state = self.state();
        state.pending.entry(connection).or_default().0.extend(bytes);
    }

    /// Notes a complete message: all recorded bytes except the last `left` belong to it.
    pub(super) fn complete(&self, message: &Message, left: usize) {
        let mut state = self.state();
        if let Some((bytes, _)) = state.pending.get_mut(&message.connection) {
            let read = bytes.len().saturating_sub(left);
            bytes.drain(..read);
        }
        if message.is_readiness_probe() {
            state.readiness_probes += 1;
        } else {
            state.messages.push(message.clone());
        }
    }

    pub(super) fn malformed(&self, what: String) {
        self.state().malformed.push(what);
    }

    pub(super) fn close(&self, connection: usize) {
        if let Some((_, closed)) = self.state().pending.get_mut(&connection) {
            *closed = true;
        }
    }

    pub(super) fn take(&self) -> OriginRecord {
        let mut state = self.state();
        let incomplete =
            |(bytes, _): &&(Vec<u8>, bool)| !bytes.is_empty() && !may_be_readiness_probe(bytes);
        let incomplete = state.pending.values().filter(incomplete);
        let incomplete = incomplete.map(|(bytes, _)| bytes.clone()).collect();
        state.pending.retain(|_, (_, closed)| !*closed);
        OriginRecord {
            messages: std::mem::take(&mut state.messages),
            incomplete,
            malformed: std::mem::take(&mut state.malformed),
        }
    }

    pub(super) fn readiness_probes(&self) -> usize {
        self.state().readiness_probes
    }

    pub(super) fn connections(&self) -> usize {
        self.state().connections
    }

    pub(super) fn handshakes(&self) -> Vec<HandshakeKind> {
        self.state().handshakes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
