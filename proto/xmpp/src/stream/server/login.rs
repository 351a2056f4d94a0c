//! SASL on a server's stream (RFC 6120 §6).

use super::super::{Condition, StreamError, bytes_of, sasl_element};
use super::state::State;
use super::{Action, Refusal, Stream};
use crate::sasl::server::{Error, Login, Reply};
use crate::sasl::{Mechanism, ScramKeys, base64};
use crate::xml::attribute;
use crate::{BareJid, Element, NodePart, ns};

/// An attempt that is under way.
#[derive(Debug)]
pub(super) enum Exchange {
    /// There was no initial response; it is asked for with an empty challenge.
    Empty(Mechanism),
    /// The owner is asked for the keys of the user.
    Asked(Box<Attempt>),
    /// A challenge is out.
    Challenged(Box<Attempt>),
}

/// Whose attempt it is.
#[derive(Debug)]
pub(super) struct Attempt {
    mechanism: Mechanism,
    login: Login,
    user: NodePart,
}

/// A failed attempt: the condition of its `<failure/>`.
struct Failed(&'static str);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.condition())
    }
}

impl Stream {
    /// `<auth/>`.
    pub(super) fn auth(&mut self, element: &Element) {
        let begun = self.begin(element);
        self.step(begun);
    }

    fn begin(&self, element: &Element) -> Result<Exchange, Failed> {
        //= RFC 6120 §6.5.4: without TLS there is no login
        let tls = self.tls.as_ref().ok_or(Failed("encryption-required"))?;
        let name = attribute(element, "mechanism").unwrap_or_default();
        let mechanism = self
            .offered(tls)
            .find(|mechanism| mechanism.name() == name)
            .ok_or(Failed("invalid-mechanism"))?;
        let text = element.text();
        //= RFC 6120 §6.4.2: no text is no initial response; an empty one is an equals sign
        if text.is_empty() {
            return Ok(Exchange::Empty(mechanism));
        }
        let initial = base64::decode(&text).ok_or(Failed("incorrect-encoding"))?;
        self.initial(mechanism, &initial)
    }

    fn initial(&self, mechanism: Mechanism, initial: &[u8]) -> Result<Exchange, Failed> {
        let login = Login::start(mechanism, self.tls.as_ref(), initial)?;
        // What is no name is nobody's.
        let user = NodePart::new(login.user()).map_err(|_| Failed("not-authorized"))?.into_owned();
        //= RFC 6120 §6.3.8: nobody acts as somebody else here
        let own = BareJid::from_parts(Some(&user), &self.config.domain);
        match login.authzid().map(BareJid::new) {
            Some(wish) if wish.as_ref() != Ok(&own) => Err(Failed("invalid-authzid")),
            _ => Ok(Exchange::Asked(Box::new(Attempt { mechanism, login, user }))),
        }
    }

    /// What comes while an attempt is under way.
    pub(super) fn exchange(&mut self, exchange: Exchange, element: &Element) {
        self.state = State::Offered;
        if element.is("abort", ns::SASL) {
            return self.step(Err(Failed("aborted")));
        }
        if !element.is("response", ns::SASL) {
            return self.unauthenticated();
        }
        let text = element.text();
        let response = if text.is_empty() { Some(Vec::new()) } else { base64::decode(&text) };
        let Some(response) = response else {
            return self.step(Err(Failed("incorrect-encoding")));
        };
        match exchange {
            Exchange::Empty(mechanism) => {
                let begun = self.initial(mechanism, &response);
                self.step(begun);
            }
            Exchange::Challenged(mut attempt) => match attempt.login.response(&response) {
                Ok(reply) => self.reply(attempt, reply),
                Err(error) => self.step(Err(error.into())),
            },
            Exchange::Asked(_) => self.unauthenticated(),
        }
    }

    /// The keys that were asked for.
    pub(super) fn keys_came(
        &mut self,
        mut attempt: Box<Attempt>,
        keys: Result<Option<ScramKeys>, ()>,
    ) {
        self.state = State::Offered;
        let Ok(keys) = keys else {
            return self.step(Err(Failed("temporary-auth-failure")));
        };
        let (login, user) = (&mut attempt.login, attempt.user.as_str());
        let reply = login.credentials(keys, user, &self.config.decoy, &mut self.entropy);
        self.derivations += u64::from(login.derivations());
        match reply {
            Ok(reply) => self.reply(attempt, reply),
            Err(error) => self.step(Err(error.into())),
        }
    }

    fn reply(&mut self, attempt: Box<Attempt>, reply: Reply) {
        match reply {
            Reply::Challenge(bytes) => {
                self.write(bytes_of(&sasl_element("challenge", &bytes)));
                self.state = State::Sasl(Exchange::Challenged(attempt));
            }
            Reply::Success(bytes) => {
                self.write(bytes_of(&sasl_element("success", &bytes)));
                let Attempt { mechanism, user, .. } = *attempt;
                let user = BareJid::from_parts(Some(&user), &self.config.domain);
                self.actions.push_back(Action::Authenticated {
                    user: user.clone(),
                    mechanism,
                    channel_bound: mechanism.is_bound(),
                });
                let limits = self.config.limits.xml;
                self.restart(State::Header(Some(user)), limits);
            }
        }
    }

    /// Goes on with an attempt, or tells that it failed.
    fn step(&mut self, next: Result<Exchange, Failed>) {
        match next {
            Ok(exchange) => {
                match &exchange {
                    Exchange::Asked(attempt) => {
                        let user = attempt.user.clone();
                        let derives = attempt.mechanism == Mechanism::Plain;
                        self.actions.push_back(Action::AskCredentials { user, derives });
                    }
                    _ => self.write(bytes_of(&sasl_element("challenge", b""))),
                }
                self.state = State::Sasl(exchange);
            }
            Err(failed) => self.attempt_failed(&failed),
        }
    }

    fn attempt_failed(&mut self, Failed(condition): &Failed) {
        self.state = State::Offered;
        self.actions.push_back(Action::Refused(match *condition {
            "not-authorized" => Refusal::WrongCredentials,
            _ => Refusal::Sasl,
        }));
        let condition = Element::bare(*condition, ns::SASL);
        self.write(bytes_of(&Element::builder("failure", ns::SASL).append(condition).build()));
        //= RFC 6120 §6.4.5: after a few attempts the stream ends
        self.failed_attempts += 1;
        if self.failed_attempts >= self.config.limits.attempts {
            let text = "too many attempts to log in";
            self.refuse(Refusal::Attempts, StreamError::new(Condition::PolicyViolation, text));
        }
    }
}
