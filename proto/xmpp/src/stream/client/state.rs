//! The states of a client's stream, and what each does with what comes.

use super::super::{Condition, Features, StreamError, bytes_of, sasl_element};
use super::{Action, Failure, Stream};
use crate::sasl::client::Login;
use crate::sasl::{Choice, Mechanism, base64, choose};
use crate::stanza::{IqType, Kind};
use crate::xml::Header;
use crate::{Element, FullJid, Jid, Stanza, ns, sasl};

/// How we logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedIn(Mechanism);

/// Where a stream is. What is true in a state is carried by it.
#[derive(Debug)]
pub(super) enum State {
    /// No stream: before the connection stands, and while TLS begins.
    Handshake,
    /// The server's header is awaited; how we logged in, once we have.
    Header(Option<LoggedIn>),
    /// The header was good; the features are awaited.
    Features(Option<LoggedIn>),
    /// STARTTLS was asked for.
    AskedTls,
    /// An attempt of SASL is under way.
    Sasl(Login),
    /// A resource was asked for, with this id.
    Binding(LoggedIn, String),
    /// Stanzas pass.
    Online(FullJid),
    /// Our side is closed, the server's not yet.
    Closing,
    /// Over.
    Closed,
}

impl Stream {
    /// The server's header.
    pub(super) fn header(&mut self, header: &Header) {
        let State::Header(login) = self.state else { return };
        let major = header.version.as_deref().and_then(|version| version.split('.').next());
        if major.and_then(|major| major.parse::<u32>().ok()).is_none_or(|major| major == 0) {
            return self.refuse(Condition::UnsupportedVersion.into());
        }
        self.state = State::Features(login);
    }

    /// A child of the stream.
    pub(super) fn element(&mut self, element: Element) {
        if element.is("error", ns::STREAMS) {
            return self.peer_failed(&element);
        }
        match std::mem::replace(&mut self.state, State::Closing) {
            State::Features(login) => self.features(login, &element),
            State::AskedTls => self.tls_answered(&element),
            State::Sasl(login) => self.exchange(login, &element),
            State::Binding(login, id) => self.bind_answered(login, id, element),
            State::Online(jid) => self.stanza(jid, element),
            other => self.state = other,
        }
    }

    fn features(&mut self, login: Option<LoggedIn>, element: &Element) {
        self.state = State::Features(login);
        if !element.is("features", ns::STREAMS) {
            return self.out_of_place("features were expected");
        }
        let features = Features::parse(element);
        match (login, &self.tls, features.starttls) {
            (Some(login), ..) => self.bind(login, features),
            (None, None, Some(_)) => {
                self.write(bytes_of(&Element::bare("starttls", ns::TLS)));
                self.state = State::AskedTls;
            }
            //= RFC 6120 §13.8.4: whoever takes STARTTLS out of the list gets no password
            (None, None, None) if !self.config.allow_plaintext => self.give_up(Failure::NoTls),
            _ => self.log_in(features),
        }
    }

    fn out_of_place(&mut self, text: &str) {
        self.refuse(StreamError::new(Condition::UnsupportedStanzaType, text));
    }

    fn tls_answered(&mut self, element: &Element) {
        self.state = State::AskedTls;
        if element.is("failure", ns::TLS) {
            self.give_up(Failure::TlsRefused);
        } else if !element.is("proceed", ns::TLS) {
            self.out_of_place("an answer to <starttls/> was expected");
        } else if self.parser.waiting() > 0 {
            self.plaintext_after_proceed();
        } else {
            self.actions.push_back(Action::StartTls);
            self.state = State::Handshake;
        }
    }

    /// Begins SASL with the strongest mechanism.
    fn log_in(&mut self, features: Features) {
        let offered: Vec<Mechanism> = features.known_mechanisms().collect();
        let (types, tls) = (features.bindings.as_deref(), self.tls.as_ref());
        let choice = match choose(&offered, types, tls, &self.config.policy) {
            Ok(choice) => choice,
            Err(error) => return self.give_up(Failure::NoMechanism(error)),
        };
        self.offered = features;
        let user = self.config.account.node().map_or("", |node| node.as_str()).to_owned();
        self.begin(&choice, &user);
    }

    fn begin(&mut self, choice: &Choice, user: &str) {
        let password = &self.config.password;
        let (login, initial) = match Login::start(choice, user, password, &mut self.entropy) {
            Ok(begun) => begun,
            Err(error) => return self.give_up(Failure::Credentials(error)),
        };
        let auth = Element::builder("auth", ns::SASL)
            .attr(crate::xml::name("mechanism"), choice.mechanism.name())
            .append(base64::encode_initial(&initial))
            .build();
        self.write(bytes_of(&auth));
        self.state = State::Sasl(login);
    }

    fn exchange(&mut self, mut login: Login, element: &Element) {
        let text = element.text();
        let payload = if text.is_empty() { Some(Vec::new()) } else { base64::decode(&text) };
        let (name, mechanism) = (element.name().to_owned(), login.mechanism());
        let outcome = match (element.has_ns(ns::SASL), name.as_str(), payload) {
            (true, "failure", _) => return self.login_refused(element),
            (true, "challenge", Some(payload)) => login.challenge(&payload).map(Some),
            (true, "success", Some(payload)) => login.success(&payload).map(|()| None),
            (true, "challenge" | "success", None) => Err(sasl::client::Error::OutOfTurn),
            _ => {
                self.state = State::Sasl(login);
                return self.out_of_place("an answer of SASL was expected");
            }
        };
        self.state = State::Sasl(login);
        match outcome {
            Ok(Some(response)) => self.write(bytes_of(&sasl_element("response", &response))),
            Ok(None) => self.open(Some(LoggedIn(mechanism))),
            Err(error) => {
                //= RFC 6120 §6.4.4: a client that does not go on says so
                self.write(bytes_of(&Element::bare("abort", ns::SASL)));
                self.give_up(Failure::ServerNotProven(error));
            }
        }
    }

    fn login_refused(&mut self, element: &Element) {
        let mut refused = ("not-authorized".to_owned(), None);
        for child in element.children().filter(|child| child.has_ns(ns::SASL)) {
            match child.name() {
                "text" => refused.1 = Some(child.text()),
                condition => refused.0 = condition.to_owned(),
            }
        }
        let (condition, text) = refused;
        self.state = State::Features(None);
        self.give_up(Failure::Sasl { condition, text });
    }

    /// Asks for a resource.
    fn bind(&mut self, login: LoggedIn, features: Features) {
        if !features.bind {
            let text = "resource binding was expected";
            return self.refuse(StreamError::new(Condition::UnsupportedFeature, text));
        }
        self.offered.bind = true;
        self.offered.others.extend(features.others);
        let (id, bind) = self.bind_request();
        self.write(bytes_of(Stanza::iq_set(None, &id, bind).element()));
        self.state = State::Binding(login, id);
    }

    fn bind_answered(&mut self, login: LoggedIn, id: String, element: Element) {
        self.state = State::Binding(login, id.clone());
        let Ok(answer) = Stanza::parse(element) else { return };
        if answer.id() != Some(&id) {
            return;
        }
        match answer.kind() {
            Kind::Iq(IqType::Result) => {}
            Kind::Iq(IqType::Error) => {
                let error = answer.stanza_error();
                let undefined = || crate::stanza::Condition::UndefinedCondition.into();
                return self.give_up(Failure::Bind(error.unwrap_or_else(undefined)));
            }
            _ => return,
        }
        let jid = answer.payload("bind", ns::BIND).and_then(|bind| bind.get_child("jid", ns::BIND));
        match jid.map(|jid| FullJid::new(&jid.text())) {
            Some(Ok(jid)) => self.online(login, jid),
            _ => self.refuse(StreamError::new(Condition::BadFormat, "no address was bound")),
        }
    }

    fn online(&mut self, LoggedIn(mechanism): LoggedIn, jid: FullJid) {
        self.deadline = None;
        self.state = State::Online(jid.clone());
        self.actions.push_back(Action::Online {
            jid,
            mechanism,
            channel_bound: mechanism.is_bound(),
            features: std::mem::take(&mut self.offered),
        });
    }

    /// A stanza. What is none, and what is not understood, is passed over: the server means well.
    fn stanza(&mut self, jid: FullJid, element: Element) {
        self.state = State::Online(jid);
        if !Stanza::is_stanza(&element) {
            return;
        }
        match Stanza::parse(element) {
            Ok(stanza) => self.actions.push_back(Action::Stanza(stanza)),
            Err(malformed) => {
                let from = crate::xml::attribute(&malformed.element, "from");
                let from = from.and_then(|from| Jid::new(from).ok());
                if let Some(mut answer) = malformed.answer() {
                    let to = from.as_ref().map(Jid::as_str);
                    crate::xml::set_attribute(&mut answer, "to", to);
                    self.write(bytes_of(&answer));
                }
            }
        }
    }
}
