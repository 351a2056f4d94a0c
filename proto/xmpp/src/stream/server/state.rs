//! The states of a server's stream, and what each does with what comes.

use machine::ConnectionBinding;

use super::super::{Condition, Features, StreamError, bytes_of};
use super::login::Exchange;
use super::{Action, End, Refusal, Stream};
use crate::sasl::{BindingType, Mechanism};
use crate::stanza::{self, IqType, Kind, StanzaError};
use crate::xml::Header;
use crate::{BareJid, DomainPart, Element, FullJid, Jid, ResourcePart, Stanza, defaults, ns};

/// Where a stream is. What is true in a state is carried by it.
#[derive(Debug)]
pub(super) enum State {
    /// The client's header is awaited; of whom, once that is known.
    Header(Option<BareJid>),
    /// The TLS handshake is under way.
    Handshake,
    /// Not authenticated: STARTTLS, or an attempt of SASL, is awaited.
    Offered,
    /// An attempt of SASL is under way.
    Sasl(Exchange),
    /// Authenticated: the request to bind is awaited.
    Unbound(BareJid),
    /// The owner is asked for a resource.
    AskedBind {
        user: BareJid,
        /// The client's request.
        request: Box<Stanza>,
    },
    /// Stanzas pass.
    Bound(FullJid),
    /// Our side is closed, the client's not yet.
    Closing,
    /// Over.
    Closed,
}

impl State {
    /// Whether the next frame may be taken now.
    pub(super) const fn reads(&self) -> bool {
        self.reads_at_all()
            && !matches!(self, Self::AskedBind { .. } | Self::Sasl(Exchange::Asked(_)))
    }

    /// Whether the client has shown its password.
    pub(super) const fn is_authenticated(&self) -> bool {
        matches!(
            self,
            Self::Header(Some(_)) | Self::Unbound(_) | Self::AskedBind { .. } | Self::Bound(_)
        )
    }

    /// Whether frames are taken, if perhaps not now.
    pub(super) const fn reads_at_all(&self) -> bool {
        !matches!(self, Self::Handshake | Self::Closed)
    }
}

impl Stream {
    /// The client's header: ours, and what we offer.
    pub(super) fn header(&mut self, header: &Header) {
        let user = match &self.state {
            State::Header(user) => user.clone(),
            // The end of the client's side is all that is awaited.
            _ => return,
        };
        let from = header.from.as_deref().and_then(|from| BareJid::new(from).ok());
        if let Err(error) = self.judge(header, user.as_ref(), from.as_ref()) {
            return self.refuse(Refusal::BadHeader, error);
        }
        self.lang = header.lang.clone().filter(|lang| lang.len() <= defaults::LANG_BYTES);
        self.answered = true;
        //= RFC 6120 §4.7.2: the answer is addressed to whoever the header said it is from
        self.write_header(from.map(|from| from.to_string()));
        let features = match &user {
            None => self.features_before_login(),
            Some(_) => {
                let others = self.config.features.clone();
                Features { bind: true, others, ..Features::default() }
            }
        };
        self.write_features(&features);
        self.state = user.map_or(State::Offered, State::Unbound);
    }

    fn judge(
        &self,
        header: &Header,
        user: Option<&BareJid>,
        from: Option<&BareJid>,
    ) -> Result<(), StreamError> {
        //= RFC 6120 §4.7.5: no version is version 0.9, which has no features
        let major = header.version.as_deref().and_then(|version| version.split('.').next());
        if major.and_then(|major| major.parse::<u32>().ok()).is_none_or(|major| major == 0) {
            return Err(Condition::UnsupportedVersion.into());
        }
        let to = header.to.as_deref().ok_or_else(|| {
            StreamError::new(Condition::ImproperAddressing, "a header says whom it is for")
        })?;
        //= RFC 6120 §4.9.3.6: a domain that is not served here
        if DomainPart::new(to).ok().as_deref() != Some(&*self.config.domain) {
            return Err(Condition::HostUnknown.into());
        }
        //= RFC 6120 §4.9.3.9: whoever is authenticated is nobody else in the next header
        match (user, from) {
            (Some(user), Some(from)) if user != from => Err(Condition::InvalidFrom.into()),
            _ => Ok(()),
        }
    }

    fn features_before_login(&self) -> Features {
        let Some(tls) = &self.tls else {
            //= RFC 6120 §5.3.1: where TLS is mandatory, it is the only thing that is offered
            return Features { starttls: Some(true), ..Features::default() };
        };
        let types: Vec<BindingType> = BindingType::available(tls).collect();
        Features {
            mechanisms: self.offered(tls).map(|mechanism| mechanism.name().to_owned()).collect(),
            bindings: (!types.is_empty()).then_some(types),
            ..Features::default()
        }
    }

    /// The mechanisms that are offered on this connection.
    pub(super) fn offered(&self, tls: &ConnectionBinding) -> impl Iterator<Item = Mechanism> {
        let may = |mechanism: &Mechanism| self.config.mechanisms.contains(mechanism);
        crate::sasl::server::offered(Some(tls)).into_iter().filter(may)
    }

    /// A child of the stream.
    pub(super) fn element(&mut self, element: Element) {
        if element.is("error", ns::STREAMS) {
            return self.peer_failed(&element);
        }
        match std::mem::replace(&mut self.state, State::Closing) {
            State::Offered => self.offer_taken(&element),
            State::Sasl(exchange) => self.exchange(exchange, &element),
            State::Unbound(user) => self.unbound(user, element),
            State::Bound(jid) => self.stanza(jid, element),
            other => self.state = other,
        }
    }

    fn peer_failed(&mut self, element: &Element) {
        if !matches!(self.state, State::Closing) {
            self.answer();
            self.write(crate::xml::CLOSE.to_vec());
        }
        self.closed(End::Peer(StreamError::parse(element)));
    }

    /// STARTTLS or the beginning of SASL.
    fn offer_taken(&mut self, element: &Element) {
        self.state = State::Offered;
        match (element.is("starttls", ns::TLS), element.is("auth", ns::SASL)) {
            (true, _) if self.tls.is_some() => {
                //= RFC 6120 §5.4.2.2: where TLS cannot be had, a failure and the end of the stream
                self.actions.push_back(Action::Refused(Refusal::OutOfPlace));
                self.write(bytes_of(&Element::bare("failure", ns::TLS)));
                self.peer_closed();
            }
            (true, _) if self.parser.waiting() > 0 => {
                let text = "nothing may follow <starttls/> in the clear";
                let error = StreamError::new(Condition::PolicyViolation, text);
                self.refuse(Refusal::PlaintextAfterStartTls, error);
            }
            (true, _) => {
                self.write(bytes_of(&Element::bare("proceed", ns::TLS)));
                self.actions.push_back(Action::StartTls);
                self.paused = false;
                self.state = State::Handshake;
            }
            (_, true) => self.auth(element),
            _ => self.unauthenticated(),
        }
    }

    /// Something that only who is authenticated may send.
    ///
    //= RFC 6120 §4.9.3.12: data before authentication ends the stream with not-authorized
    pub(super) fn unauthenticated(&mut self) {
        self.refuse(Refusal::Unauthenticated, Condition::NotAuthorized.into());
    }

    /// The request to bind a resource (RFC 6120 §7), or what should not come before it.
    fn unbound(&mut self, user: BareJid, element: Element) {
        self.state = State::Unbound(user.clone());
        let stanza = match Stanza::parse(element) {
            Ok(stanza) => stanza,
            Err(_) => return self.unauthenticated(),
        };
        let request = matches!(stanza.kind(), Kind::Iq(IqType::Set))
            .then(|| stanza.payload("bind", ns::BIND))
            .flatten();
        let Some(bind) = request else {
            return self.before_binding(&user, &stanza);
        };
        let wish = bind.get_child("resource", ns::BIND).map(Element::text);
        let resource = match wish.filter(|wish| !wish.is_empty()) {
            None => None,
            Some(wish) => match ResourcePart::new(&wish) {
                Ok(resource) => Some(resource.into_owned()),
                //= RFC 6120 §7.7.2.1: a resource that is none is answered with bad-request
                Err(_) => {
                    let error = StanzaError::from(stanza::Condition::BadRequest);
                    return self.write(bytes_of(stanza.error(&error).element()));
                }
            },
        };
        self.actions.push_back(Action::AskBind { user: user.clone(), resource });
        self.state = State::AskedBind { user, request: Box::new(stanza) };
    }

    //= RFC 6120 §7.1: before binding, whoever writes to others than the server is cut off
    fn before_binding(&mut self, user: &BareJid, stanza: &Stanza) {
        let to_us = stanza.to().is_none_or(|to| {
            to == user || (to.node().is_none() && to.domain() == &*self.config.domain)
        });
        if to_us && matches!(stanza.kind(), Kind::Iq(IqType::Get | IqType::Set)) {
            let error = StanzaError::from(stanza::Condition::NotAuthorized);
            self.write(bytes_of(stanza.error(&error).element()));
        } else {
            self.unauthenticated();
        }
    }

    /// The owner's answer to a request to bind.
    pub(super) fn bind_answered(
        &mut self,
        user: BareJid,
        request: &Stanza,
        jid: Result<FullJid, StanzaError>,
    ) {
        match jid {
            Ok(jid) => {
                let name = Element::builder("jid", ns::BIND).append(jid.as_str()).build();
                let bind = Element::builder("bind", ns::BIND).append(name).build();
                self.write(bytes_of(request.result(bind).element()));
                self.deadline = None;
                self.state = State::Bound(jid);
            }
            Err(error) => {
                self.write(bytes_of(request.error(&error).element()));
                self.state = State::Unbound(user);
            }
        }
    }

    /// A stanza of whoever is bound.
    fn stanza(&mut self, jid: FullJid, element: Element) {
        self.state = State::Bound(jid.clone());
        if !Stanza::is_stanza(&element) {
            return self.refuse(Refusal::OutOfPlace, Condition::UnsupportedStanzaType.into());
        }
        let mut stanza = match Stanza::parse(element) {
            Ok(stanza) => stanza,
            Err(malformed) => {
                self.actions.push_back(Action::Refused(Refusal::MalformedStanza));
                if let Some(mut answer) = malformed.answer() {
                    crate::xml::set_attribute(&mut answer, "to", Some(jid.as_str()));
                    self.write(bytes_of(&answer));
                }
                return;
            }
        };
        //= RFC 6120 §8.1.2.1: a `from` is the sender's full or bare address, or the stream ends
        let own = |from: &Jid| *from == jid || *from == jid.to_bare();
        if !stanza.from().is_none_or(own) {
            return self.refuse(Refusal::SpoofedFrom, Condition::InvalidFrom.into());
        }
        //= RFC 6120 §8.1.2.1: the server says who sent it
        stanza.set_from(Jid::from(jid));
        if let Some(lang) = &self.lang {
            stanza.default_lang(lang);
        }
        self.actions.push_back(Action::Stanza(stanza));
    }
}
