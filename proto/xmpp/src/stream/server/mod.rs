//! The server's end of a stream (RFC 6120 §4 to §7).
//!
//! ```text
//! header ─▶ STARTTLS ─▶ handshake ─▶ header ─▶ SASL ─▶ header ─▶ bind ─▶ stanzas
//!           (5222)                   (5223 begins here)
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`action`] | [`Action`]: what a stream wants of its owner |
//! | [`config`] | [`Config`], [`Limits`], [`Entry`] |
//! | `state` | the states, and what each does with a child of the stream |
//! | `login` | SASL on the stream |

pub mod action;
pub mod config;
mod login;
mod state;

use std::collections::VecDeque;
use std::sync::Arc;

use machine::{ConnectionBinding, Entropy, Instant, Now};

pub use action::{Action, End, Refusal};
pub use config::{Config, Entry, Limits};

use self::login::Exchange;
use self::state::State;
use super::rate::Rate;
use super::{Condition, Features, StreamError, bytes_of};
use crate::sasl::ScramKeys;
use crate::stanza::StanzaError;
use crate::xml::{self, Frame, Header, Parser};
use crate::{FullJid, Stanza, defaults};

/// The server's end of one stream.
#[derive(Debug)]
pub struct Stream {
    config: Arc<Config>,
    entropy: Entropy,
    parser: Parser,
    rate: Rate,
    state: State,
    /// What SASL can bind to, once TLS stands.
    tls: Option<ConnectionBinding>,
    /// The language of stanzas that name none.
    lang: Option<String>,
    /// Whether our header is out; an error before it sends it first.
    answered: bool,
    failed_attempts: u32,
    derivations: u64,
    /// When the login must be done, or, of a stream that we closed, the client's side closed.
    deadline: Option<Instant>,
    /// Whether the owner wants no stanzas for now.
    held: bool,
    paused: bool,
    actions: VecDeque<Action>,
}

impl Stream {
    /// A stream that was accepted at `now`. With [`Entry::DirectTls`], [`secured`](Self::secured)
    /// comes first. `entropy` is this stream's own fork.
    #[must_use]
    pub fn new(config: Arc<Config>, entry: Entry, entropy: &Entropy, now: Now) -> Self {
        let limits = config.limits;
        let (stanzas, bytes) = (limits.stanzas_per_second, limits.bytes_per_second);
        Self {
            config,
            entropy: entropy.fork("xmpp.stream"),
            parser: Parser::new(xml::Limits::UNAUTHENTICATED),
            rate: Rate::new(stanzas, bytes, limits.burst_secs, now.mono),
            state: match entry {
                Entry::StartTls => State::Header(None),
                Entry::DirectTls => State::Handshake,
            },
            tls: None,
            lang: None,
            answered: false,
            failed_attempts: 0,
            derivations: 0,
            deadline: Some(now.mono + limits.login),
            held: false,
            paused: false,
            actions: VecDeque::new(),
        }
    }

    /// Bytes from the client.
    pub fn handle_bytes(&mut self, now: Now, bytes: &[u8]) {
        match self.state {
            State::Closed => return,
            //= RFC 6120 §5.4.3.3: what comes in the clear after <starttls/> is nobody's word
            State::Handshake => return self.plaintext_after_starttls(),
            _ => {}
        }
        self.rate.bytes(now.mono, bytes.len());
        self.parser.push(bytes);
        self.pump(now);
        let unread = match self.state.is_authenticated() {
            true => self.config.limits.unread_bytes,
            false => defaults::UNAUTHENTICATED_STANZA_BYTES,
        };
        if self.parser.waiting() > unread {
            self.flood();
        }
    }

    fn flood(&mut self) {
        let error = StreamError::new(Condition::PolicyViolation, "faster than allowed");
        self.refuse(Refusal::Flood, error);
    }

    /// A deadline has come.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.deadline.is_some_and(|deadline| deadline <= now.mono) {
            match self.state {
                State::Closing => return self.closed(End::Orderly),
                State::Handshake => {
                    self.actions.push_back(Action::Refused(Refusal::TooSlow));
                    return self.closed(End::Refused(Condition::ConnectionTimeout.into()));
                }
                _ => {
                    let text = "not logged in in time";
                    let error = StreamError::new(Condition::ConnectionTimeout, text);
                    return self.refuse(Refusal::TooSlow, error);
                }
            }
        }
        self.pump(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let resume = (self.paused && !self.held).then(|| self.rate.ready_at());
        self.deadline.into_iter().chain(resume).min()
    }

    /// What is wanted next.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// TLS stands; `binding` is what SASL can bind to.
    pub fn secured(&mut self, now: Now, binding: ConnectionBinding) {
        if matches!(self.state, State::Handshake) {
            self.tls = Some(binding);
            self.restart(State::Header(None), xml::Limits::UNAUTHENTICATED);
            self.pump(now);
        }
    }

    /// Answers [`Action::AskCredentials`]: the keys; `Ok(None)` if there is no such user; `Err` if
    /// nobody can tell now, which the client learns as `temporary-auth-failure`.
    pub fn credentials(&mut self, now: Now, keys: Result<Option<ScramKeys>, ()>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Sasl(Exchange::Asked(attempt)) => self.keys_came(attempt, keys),
            other => self.state = other,
        }
        self.pump(now);
    }

    /// Answers [`Action::AskBind`].
    pub fn bound(&mut self, now: Now, jid: Result<FullJid, StanzaError>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::AskedBind { user, request } => self.bind_answered(user, &request, jid),
            other => self.state = other,
        }
        self.pump(now);
    }

    /// Sends a stanza. Before a resource is bound, and after the end, nothing happens.
    pub fn send(&mut self, stanza: &Stanza) {
        if matches!(self.state, State::Bound(_)) {
            self.write(bytes_of(stanza.element()));
        }
    }

    /// Holds the client's stanzas back, or no longer: its connection is not read meanwhile.
    pub fn hold(&mut self, now: Now, held: bool) {
        self.held = held;
        self.pump(now);
    }

    /// Ends the stream, with an error or without. [`Action::Closed`] follows: at once with an
    /// error, else when the client closes its side too or a little time has passed.
    pub fn end(&mut self, now: Now, error: Option<StreamError>) {
        match (&self.state, error) {
            (State::Closed, _) => {}
            (State::Handshake, None) => self.closed(End::Orderly),
            (State::Handshake, Some(error)) => self.closed(End::Refused(error)),
            (State::Closing, None) => {}
            (_, Some(error)) => self.fail(error),
            (_, None) => {
                self.answer();
                self.write(xml::CLOSE.to_vec());
                self.state = State::Closing;
                self.deadline = Some(now.mono + self.config.limits.linger);
                // What is held back may hide the end of the client's side.
                self.held = false;
                self.pump(now);
            }
        }
    }

    /// Who is bound.
    #[must_use]
    pub const fn jid(&self) -> Option<&FullJid> {
        match &self.state {
            State::Bound(jid) => Some(jid),
            _ => None,
        }
    }

    /// Whether TLS stands.
    #[must_use]
    pub const fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    /// Bytes that came and are kept: those that wait to be read, and those of a child of the stream
    /// that is not complete.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.parser.waiting() + self.parser.partial()
    }

    /// Password-based key derivations so far.
    #[must_use]
    pub const fn derivations(&self) -> u64 {
        self.derivations
    }

    /// Takes frames as long as they may be taken.
    fn pump(&mut self, now: Now) {
        while !self.held && self.state.reads() && self.rate.ready_at() <= now.mono {
            let frame = match self.parser.next() {
                None => break,
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.broken(error);
                    break;
                }
            };
            match frame {
                Frame::Open(header) => self.header(&header),
                Frame::Element(element) => {
                    self.rate.stanza(now.mono, is_answer(&element));
                    if self.rate.is_flood(now.mono) {
                        return self.flood();
                    }
                    self.element(element);
                }
                Frame::Close => self.peer_closed(),
            }
        }
        let fast = self.rate.ready_at() > now.mono;
        let paused = self.state.reads_at_all() && (self.held || fast);
        if paused != self.paused && !matches!(self.state, State::Closed) {
            self.paused = paused;
            self.actions.push_back(Action::Pause(paused));
        }
    }

    /// The parser refused what came.
    fn broken(&mut self, error: StreamError) {
        if matches!(self.state, State::Closing) {
            return self.closed(End::Orderly);
        }
        let refusal = match error.condition {
            Condition::PolicyViolation => Refusal::TooBig,
            Condition::UnsupportedStanzaType => Refusal::OutOfPlace,
            Condition::InvalidNamespace => Refusal::BadHeader,
            _ => Refusal::BadXml,
        };
        self.refuse(refusal, error);
    }

    /// Our header, if it is not out yet.
    fn answer(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.write_header(None);
        }
    }

    /// A new stream over the same connection: a new parser, and what has come for it already.
    ///
    //= RFC 6120 §4.3.3: after TLS and after SASL both sides forget the stream and begin another
    fn restart(&mut self, state: State, limits: xml::Limits) {
        let waiting = self.parser.take_waiting();
        self.parser = Parser::new(limits);
        self.parser.push(&waiting);
        self.lang = None;
        self.answered = false;
        self.state = state;
    }

    fn plaintext_after_starttls(&mut self) {
        self.actions.push_back(Action::Refused(Refusal::PlaintextAfterStartTls));
        self.closed(End::Refused(Condition::PolicyViolation.into()));
    }

    fn write(&mut self, bytes: Vec<u8>) {
        self.actions.push_back(Action::Write(bytes));
    }

    fn write_header(&mut self, to: Option<String>) {
        let header = Header {
            to,
            from: Some(self.config.domain.to_string()),
            //= RFC 6120 §4.7.3: the id is unique and cannot be guessed
            id: Some(self.entropy.token(defaults::STREAM_ID_LEN)),
            version: Some("1.0".to_owned()),
            lang: Some("en".to_owned()),
        };
        let mut bytes = Vec::new();
        xml::write_header(&header, &mut bytes);
        self.write(bytes);
    }

    fn write_features(&mut self, features: &Features) {
        self.write(bytes_of(&features.element()));
    }

    /// Counts, and ends the stream with an error.
    fn refuse(&mut self, refusal: Refusal, error: StreamError) {
        if !matches!(self.state, State::Closed) {
            self.actions.push_back(Action::Refused(refusal));
            self.fail(error);
        }
    }

    /// Ends the stream with an error.
    ///
    //= RFC 6120 §4.9.1.2: an error during the header is told in a stream of one's own
    //= RFC 6120 §4.9.1.1: an error ends the stream; its end follows it at once
    fn fail(&mut self, error: StreamError) {
        if !matches!(self.state, State::Closing) {
            self.answer();
            let mut bytes = bytes_of(&error.element());
            bytes.extend_from_slice(xml::CLOSE);
            self.write(bytes);
        }
        self.closed(End::Refused(error));
    }

    fn peer_closed(&mut self) {
        //= RFC 6120 §4.4: whose stream is closed closes the other direction too
        if !matches!(self.state, State::Closing) {
            self.answer();
            self.write(xml::CLOSE.to_vec());
        }
        self.closed(End::Orderly);
    }

    fn closed(&mut self, end: End) {
        self.state = State::Closed;
        self.deadline = None;
        self.paused = false;
        self.parser = Parser::new(xml::Limits::UNAUTHENTICATED);
        self.actions.push_back(Action::Closed(end));
    }
}
/// Whether a stanza answers another: somebody else has it sent.
fn is_answer(element: &minidom::Element) -> bool {
    let answers = matches!(element.attr("type"), Some("result" | "error"));
    answers && element.name() == "iq"
}
