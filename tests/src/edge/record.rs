//! What an origin was told, to the byte.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustls::HandshakeKind;

use super::message::Message;
use super::message::may_be_check;

/// What came since the last look, without the edge's own questions.
#[derive(Debug, Default)]
pub struct Seen {
    /// Requests that came whole, in the order of their last bytes.
    pub messages: Vec<Message>,
    /// Bytes, by connection, that belong to no whole request.
    pub rest: Vec<Vec<u8>>,
    /// What was not as the edge has to write it.
    pub wrong: Vec<String>,
}

impl Seen {
    /// Whether nothing came at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.messages.is_empty() && self.rest.is_empty() && self.wrong.is_empty()
    }
}

/// The record of one origin.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    wrong: Vec<String>,
    /// What each connection said that is no whole request yet; and whether it has ended.
    rest: BTreeMap<usize, (Vec<u8>, bool)>,
    handshakes: Vec<HandshakeKind>,
    attempts: usize,
    checks: usize,
}

impl Record {
    /// Somebody came; gives the number of the connection.
    pub(super) fn attempt(&self) -> usize {
        let mut state = self.state();
        state.attempts += 1;
        state.attempts
    }

    pub(super) fn handshake(&self, kind: HandshakeKind) {
        self.state().handshakes.push(kind);
    }

    pub(super) fn heard(&self, connection: usize, bytes: &[u8]) {
        let mut state = self.state();
        state.rest.entry(connection).or_default().0.extend(bytes);
    }

    /// What was heard before `left` bytes is a whole message.
    pub(super) fn whole(&self, message: &Message, left: usize) {
        let mut state = self.state();
        if let Some((rest, _)) = state.rest.get_mut(&message.connection) {
            let read = rest.len().saturating_sub(left);
            rest.drain(..read);
        }
        if message.is_check() {
            state.checks += 1;
        } else {
            state.messages.push(message.clone());
        }
    }

    pub(super) fn wrong(&self, what: String) {
        self.state().wrong.push(what);
    }

    pub(super) fn ended(&self, connection: usize) {
        if let Some((_, ended)) = self.state().rest.get_mut(&connection) {
            *ended = true;
        }
    }

    pub(super) fn take(&self) -> Seen {
        let mut state = self.state();
        let strange = |(rest, _): &&(Vec<u8>, bool)| !rest.is_empty() && !may_be_check(rest);
        let rest = state.rest.values().filter(strange);
        let rest = rest.map(|(bytes, _)| bytes.clone()).collect();
        state.rest.retain(|_, (_, ended)| !*ended);
        Seen {
            messages: std::mem::take(&mut state.messages),
            rest,
            wrong: std::mem::take(&mut state.wrong),
        }
    }

    pub(super) fn checks(&self) -> usize {
        self.state().checks
    }

    pub(super) fn attempts(&self) -> usize {
        self.state().attempts
    }

    pub(super) fn handshakes(&self) -> Vec<HandshakeKind> {
        self.state().handshakes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
