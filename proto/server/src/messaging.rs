//! XMPP as a part of the core: its domain is the core's first, its users the core's accounts, its
//! events the core's.

use machine::{Machine as _, Now, Output, Transport};
use xmpp::server as xmpp_server;

use crate::config::{Config, Listener, Service};
use crate::event::{Answer, Event, Question};
use crate::server::Server;

impl Server {
    /// The next output of XMPP's, as one of the core's.
    pub(crate) fn poll_xmpp(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        loop {
            let output = self.xmpp.poll_output(buf)?;
            let Output::Event(event) = output else {
                let domain = self.domain();
                let question = |asked| question(asked, &domain);
                return Some(output.map(|_| unreachable!("events are split off"), question));
            };
            match event {
                xmpp_server::Event::Listening { id, local, .. } => self.listening(id, local),
                xmpp_server::Event::ListenFailed { id, kind, .. } => self.listen_failed(id, &kind),
                xmpp_server::Event::SessionStarted { jid, remote, direct_tls } => {
                    let (jid, transport) = (jid.to_string(), transport(direct_tls));
                    return Some(Output::Event(Event::SessionStarted { jid, remote, transport }));
                }
                xmpp_server::Event::SessionEnded { jid, remote, cause } => {
                    let jid = jid.to_string();
                    return Some(Output::Event(Event::SessionEnded { jid, remote, cause }));
                }
                xmpp_server::Event::Drained => {
                    self.draining.xmpp = true;
                    if let Some(event) = self.draining.news() {
                        return Some(Output::Event(event));
                    }
                }
            }
        }
    }

    /// The domain of ours that counts where there is one alone.
    pub(crate) fn domain(&self) -> String {
        self.config.domains.first().cloned().unwrap_or_default()
    }

    /// Ends what an account that is gone or has another password was let in for: the XMPP sessions and
    /// the SIP registrations of `alice@example.org`. Its calls go on, and so do its relayed addresses
    /// until they have to be refreshed.
    pub fn disconnect(&mut self, now: Now, address: &str) {
        if let Some((user, domain)) = address.split_once('@')
            && domain == self.domain()
        {
            self.xmpp.disconnect(now, user);
        }
        self.unregister(now, address);
    }
}

/// XMPP as the core's settings have it; `fresh` stands for the secret that nobody kept.
pub(crate) fn with_ours(config: &Config, fresh: [u8; 32]) -> xmpp_server::Config {
    xmpp_server::Config {
        domain: config.domains.first().cloned().unwrap_or_default(),
        listeners: Vec::new(),
        salt_secret: config.salt_secret.unwrap_or(fresh),
        ..config.xmpp.clone()
    }
}

/// A listener of the core as one of XMPP.
pub(crate) fn listener(listener: Listener) -> xmpp_server::Listener {
    debug_assert_eq!(listener.service, Service::Xmpp, "the core knows whose a listener is");
    let direct_tls = listener.transport == Transport::Tls;
    xmpp_server::Listener { direct_tls, local: listener.local }
}

/// Over what a session came: STARTTLS begins over TCP.
const fn transport(direct_tls: bool) -> Transport {
    if direct_tls { Transport::Tls } else { Transport::Tcp }
}

fn question(question: xmpp_server::Question, domain: &str) -> Question {
    let address = |user: &str| format!("{user}@{domain}");
    match question {
        xmpp_server::Question::Credentials { user } => {
            Question::ScramCredentials { address: address(&user) }
        }
        xmpp_server::Question::Roster { user } => Question::Roster { address: address(&user) },
        xmpp_server::Question::SaveItem { user, item } => {
            Question::SaveContact { address: address(&user), item }
        }
        xmpp_server::Question::RemoveItem { user, contact } => {
            Question::RemoveContact { address: address(&user), contact }
        }
    }
}

/// The core's answer as one to XMPP; nothing if it answers something else.
pub(crate) fn answer(answer: Answer) -> Option<xmpp_server::Answer> {
    match answer {
        Answer::ScramCredentials(keys) => Some(xmpp_server::Answer::Credentials(keys)),
        Answer::Roster(roster) => Some(xmpp_server::Answer::Roster(roster)),
        Answer::Saved(kept) => Some(xmpp_server::Answer::Saved(kept)),
        Answer::Failed => Some(xmpp_server::Answer::Failed),
        Answer::Credentials(_) | Answer::Bindings(_) => None,
    }
}
