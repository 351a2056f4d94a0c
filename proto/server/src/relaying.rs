//! TURN as a part of the core: its realms and addresses are the core's, its users the core's
//! accounts, its events the core's.

use machine::{Id, Input, Output};
use turn::server::{self as turn_server, User};

use crate::config::{Config, Listener};
use crate::event::{Answer, Event, Keys, Question};
use crate::server::Server;

impl Server {
    /// The next output of TURN's, as one of the core's.
    pub(crate) fn poll_turn(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        loop {
            let output = machine::Machine::poll_output(&mut self.turn, buf)?;
            let Output::Event(event) = output else {
                return Some(output.map(|_| unreachable!("events are split off"), question));
            };
            // What concerns a listener is the core's own affair.
            match event {
                turn_server::Event::Listening { id, local, .. } => self.listening(id, local),
                turn_server::Event::ListenFailed { id, kind, .. } => {
                    match self.collision(id, &kind) {
                        // Clients are told the port of each transport: another does for TCP.
                        Some((_, tcp)) => {
                            self.bind(Listener { local: tcp.local.with_port(0), ..tcp });
                        }
                        None => self.listen_failed(id, &kind),
                    }
                }
                turn_server::Event::Relay(change) => {
                    return Some(Output::Event(Event::Relay(change)));
                }
                turn_server::Event::Allocated { user, transport, client, relayed } => {
                    let event = Event::Allocated { user, transport, client, relayed };
                    return Some(Output::Event(event));
                }
                turn_server::Event::Released { user, client, relayed, cause } => {
                    let event = Event::Released { user, client, relayed, cause };
                    return Some(Output::Event(event));
                }
                turn_server::Event::Drained => {
                    self.draining.turn = true;
                    if let Some(event) = self.draining.news() {
                        return Some(Output::Event(event));
                    }
                }
            }
        }
    }
}

/// What TURN does by `turn`, at the core's own realms and addresses.
pub(crate) fn with_ours(config: &Config, turn: turn_server::Config) -> turn_server::Config {
    let realms = config.realm.clone().map_or_else(|| config.domains.clone(), |realm| vec![realm]);
    let mut own = turn.own;
    own.extend(config.external.values());
    own.extend(config.listeners.iter().map(|listener: &Listener| listener.local.ip()));
    own.retain(|ip| !ip.is_unspecified());
    // The names of time-limited credentials stand in no table in which a hash could be looked up.
    let anonymity = turn.anonymity && turn.secrets.is_empty();
    turn_server::Config { realms, listeners: Vec::new(), own, anonymity, ..turn }
}

fn question(question: turn_server::Question) -> Question {
    let turn_server::Question::Credentials { user, realm } = question;
    match user {
        User::Name(user) => Question::Credentials { user, realm },
        User::Hash(hash) => Question::HashedCredentials { hash, realm },
    }
}

/// The core's answer as one to TURN; nothing if it answers something else.
pub(crate) fn answer(answer: Answer) -> Option<turn_server::Answer> {
    match answer {
        Answer::Credentials(keys) => {
            Some(turn_server::Answer::Credentials(keys.as_ref().and_then(keys_of_turn)))
        }
        Answer::Failed => Some(turn_server::Answer::Failed),
        Answer::Bindings(_)
        | Answer::Saved(_)
        | Answer::ScramCredentials(_)
        | Answer::Roster(_) => None,
    }
}

/// Digest and TURN derive their keys alike (RFC 8489 §18.5.1): the hash of `user:realm:password`.
fn keys_of_turn(keys: &Keys) -> Option<turn_server::Keys> {
    let (md5, sha256) = (crypto::from_hex(&keys.md5)?, crypto::from_hex(&keys.sha256)?);
    Some(turn_server::Keys::new(&keys.account, md5, sha256))
}

/// The socket, connection, look-up or question that an input is about.
pub(crate) const fn subject<A>(input: &Input<'_, A>) -> Option<Id> {
    match input {
        Input::Datagram { socket: id, .. }
        | Input::Bound { id, .. }
        | Input::Failed { id, .. }
        | Input::Accepted { conn: id, .. }
        | Input::Connected { conn: id, .. }
        | Input::Secured { conn: id, .. }
        | Input::Data { conn: id, .. }
        | Input::Writable { conn: id, .. }
        | Input::Closed { conn: id, .. }
        | Input::Unreachable { socket: id, .. }
        | Input::Resolved { id, .. }
        | Input::Answer { id, .. } => Some(*id),
        Input::Interfaces(_) => None,
    }
}
