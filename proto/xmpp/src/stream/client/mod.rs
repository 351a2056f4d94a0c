//! The client's end of a stream (RFC 6120 §4 to §7).
//!
//! | module | what |
//! |---|---|
//! | [`action`] | [`Action`]: what a stream wants of its owner; [`Failure`] |
//! | [`config`] | [`Config`] |
//! | `state` | the states, and what each does with a child of the stream |

pub mod action;
pub mod config;
mod state;

use std::collections::VecDeque;

use machine::{ConnectionBinding, Entropy, Instant, Now};

pub use action::{Action, Failure};
pub use config::Config;

use self::state::State;
use super::{Condition, Features, StreamError, bytes_of};
use crate::xml::{self, Frame, Header, Limits, Parser};
use crate::{Element, FullJid, Stanza, defaults, ns};

/// The client's end of one stream.
#[derive(Debug)]
pub struct Stream {
    config: Config,
    entropy: Entropy,
    parser: Parser,
    state: State,
    /// What SASL can bind to, once TLS stands.
    tls: Option<ConnectionBinding>,
    /// Whether our header is out.
    opened: bool,
    /// What the server offered so far.
    offered: Features,
    /// When we must be online, or, of a stream that we closed, the server's side closed.
    deadline: Option<Instant>,
    actions: VecDeque<Action>,
}

impl Stream {
    /// A stream that will begin with [`connected`](Self::connected), or, with
    /// [`Config::direct_tls`], with [`secured`](Self::secured). `entropy` is this stream's own fork.
    #[must_use]
    pub fn new(config: Config, entropy: &Entropy, now: Now) -> Self {
        Self {
            config,
            entropy: entropy.fork("xmpp.stream"),
            parser: Parser::new(Limits::SERVER),
            state: State::Handshake,
            tls: None,
            opened: false,
            offered: Features::default(),
            deadline: Some(now.mono + defaults::UNTIL_BOUND),
            actions: VecDeque::new(),
        }
    }

    /// The connection stands. With [`Config::direct_tls`] nothing happens yet.
    pub fn connected(&mut self, _now: Now) {
        if matches!(self.state, State::Handshake) && !self.config.direct_tls && !self.opened {
            self.open(None);
        }
    }

    /// TLS stands, and its certificate was checked; `binding` is what SASL can bind to.
    pub fn secured(&mut self, _now: Now, binding: ConnectionBinding) {
        if matches!(self.state, State::Handshake) {
            self.tls = Some(binding);
            self.open(None);
        }
    }

    /// Bytes from the server.
    pub fn handle_bytes(&mut self, _now: Now, bytes: &[u8]) {
        match self.state {
            State::Closed => return,
            //= RFC 6120 §5.4.3.3: what comes in the clear after <proceed/> is nobody's word
            State::Handshake => return self.plaintext_after_proceed(),
            _ => {}
        }
        self.parser.push(bytes);
        while !matches!(self.state, State::Handshake | State::Closed) {
            match self.parser.next() {
                None => break,
                Some(Ok(Frame::Open(header))) => self.header(&header),
                Some(Ok(Frame::Element(element))) => self.element(element),
                Some(Ok(Frame::Close)) => self.peer_closed(),
                Some(Err(error)) => self.refuse(error),
            }
        }
    }

    /// A deadline has come.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.deadline.is_none_or(|deadline| deadline > now.mono) {
            return;
        }
        match self.state {
            State::Closing => self.closed(),
            _ => self.give_up(Failure::TimedOut),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// What is wanted next.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Sends a stanza. Before [`Action::Online`], and after the end, nothing happens.
    pub fn send(&mut self, stanza: &Stanza) {
        if matches!(self.state, State::Online(_)) {
            self.write(bytes_of(stanza.element()));
        }
    }

    /// Sends a space, which keeps NATs and servers from forgetting the connection (RFC 6120 §4.6.1).
    pub fn keep_alive(&mut self) {
        if matches!(self.state, State::Online(_)) {
            self.write(b" ".to_vec());
        }
    }

    /// Ends the stream. [`Action::Closed`] follows: when the server closes its side too, or a
    /// little time has passed.
    pub fn end(&mut self, now: Now) {
        match self.state {
            State::Closing | State::Closed => {}
            State::Handshake => self.closed(),
            _ => {
                self.write(xml::CLOSE.to_vec());
                self.state = State::Closing;
                self.deadline = Some(now.mono + defaults::LINGER);
            }
        }
    }

    /// Who we are, once online.
    #[must_use]
    pub const fn jid(&self) -> Option<&FullJid> {
        match &self.state {
            State::Online(jid) => Some(jid),
            _ => None,
        }
    }

    /// Our header, and a new parser for the server's.
    ///
    //= RFC 6120 §4.3.3: after TLS and after SASL both sides forget the stream and begin another
    fn open(&mut self, login: Option<state::LoggedIn>) {
        let waiting = self.parser.take_waiting();
        self.parser = Parser::new(Limits::SERVER);
        self.parser.push(&waiting);
        let account = &self.config.account;
        let header = Header {
            to: Some(account.domain().to_string()),
            //= RFC 6120 §4.7.1: who we are is not told in the clear
            from: self.tls.is_some().then(|| account.to_string()),
            id: None,
            version: Some("1.0".to_owned()),
            lang: Some("en".to_owned()),
        };
        let mut bytes = Vec::new();
        xml::write_header(&header, &mut bytes);
        self.write(bytes);
        self.opened = true;
        self.state = State::Header(login);
    }

    fn plaintext_after_proceed(&mut self) {
        let text = "something came in the clear where TLS begins";
        self.give_up(Failure::Protocol(StreamError::new(Condition::PolicyViolation, text)));
    }

    /// What came is no stream that we understand.
    fn refuse(&mut self, error: StreamError) {
        if matches!(self.state, State::Closing) {
            return self.closed();
        }
        let mut bytes = bytes_of(&error.element());
        bytes.extend_from_slice(xml::CLOSE);
        self.write(bytes);
        self.actions.push_back(Action::Failed(Failure::Protocol(error)));
        self.closed();
    }

    /// Closes a stream that is of no use.
    fn give_up(&mut self, failure: Failure) {
        if self.opened && !matches!(self.state, State::Handshake | State::Closing) {
            self.write(xml::CLOSE.to_vec());
        }
        self.actions.push_back(Action::Failed(failure));
        self.closed();
    }

    fn peer_closed(&mut self) {
        match self.state {
            State::Closing => self.closed(),
            //= RFC 6120 §4.4: whose stream is closed closes the other direction too
            State::Online(_) => {
                self.write(xml::CLOSE.to_vec());
                self.closed();
            }
            _ => self.give_up(Failure::Closed),
        }
    }

    fn peer_failed(&mut self, element: &Element) {
        self.give_up(Failure::Peer(StreamError::parse(element)));
    }

    fn write(&mut self, bytes: Vec<u8>) {
        self.actions.push_back(Action::Write(bytes));
    }

    fn closed(&mut self) {
        self.state = State::Closed;
        self.deadline = None;
        self.parser = Parser::new(Limits::UNAUTHENTICATED);
        self.actions.push_back(Action::Closed);
    }

    fn bind_request(&mut self) -> (String, Element) {
        let resource = self.config.resource.as_ref().map(|resource| {
            Element::builder("resource", ns::BIND).append(resource.as_str()).build()
        });
        let bind = Element::builder("bind", ns::BIND).append_all(resource).build();
        (self.entropy.token(defaults::BIND_ID_LEN), bind)
    }
}
