//! The accounts of a phone: how each is logged in, and how its core is reached.

use std::net::IpAddr;

use machine::{AddressClass, Endpoint};
use sip::ua;
use xmpp::client::{Client, Online};
use xmpp::{FullJid, ns};

use crate::config::{Account, Config, IceMode};

/// One account at work.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) login: Login,
    /// How the core is reached, while it is.
    pub(crate) route: Option<Route>,
}

/// What logs an account in.
#[derive(Debug)]
pub(crate) enum Login {
    /// The user agent that all accounts of SIP share, by the account's name in it.
    Sip(ua::AccountId),
    /// A client of its own.
    Xmpp(Box<Connection>),
}

/// An account of XMPP.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// Logged in, and not told yet.
    pub(crate) untold: Option<Online>,
}

/// The way to an account's core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The core.
    pub(crate) server: Endpoint,
    /// Where it answers STUN.
    pub(crate) stun: Endpoint,
    /// Our address towards it.
    pub(crate) ours: IpAddr,
}

impl Route {
    /// Whether the core is on this host.
    pub(crate) fn is_on_this_host(self) -> bool {
        AddressClass::of(self.server.ip()) == AddressClass::Loopback
    }
}

impl Line {
    pub(crate) const fn sip(&self) -> Option<ua::AccountId> {
        match self.login {
            Login::Sip(account) => Some(account),
            Login::Xmpp(_) => None,
        }
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        match &self.login {
            Login::Xmpp(connection) => Some(&connection.client),
            Login::Sip(_) => None,
        }
    }

    pub(crate) fn client_mut(&mut self) -> Option<&mut Client> {
        self.connection().map(|connection| &mut connection.client)
    }

    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.login {
            Login::Xmpp(connection) => Some(connection),
            Login::Sip(_) => None,
        }
    }

    /// Our full address, while logged in by XMPP.
    pub(crate) fn jid(&self) -> Option<&FullJid> {
        self.client().filter(|client| client.is_online())?.jid()
    }
}

/// How an account of XMPP is set up.
pub(crate) fn client_config(
    jid: &xmpp::BareJid,
    account: &Account,
    config: &Config,
) -> xmpp::client::Config {
    let direct_tls = match account.transport {
        Some(machine::Transport::Tls) => Some(true),
        Some(machine::Transport::Tcp) => Some(false),
        _ => None,
    };
    let port = if direct_tls == Some(false) { CLIENT_PORT } else { DIRECT_TLS_PORT };
    let server = account.server.as_ref();
    xmpp::client::Config {
        server: server.map(|server| (server.host.clone(), server.port.unwrap_or(port))),
        direct_tls: direct_tls.or_else(|| server?.port.map(|port| port == DIRECT_TLS_PORT)),
        resource: account.resource.as_ref().and_then(|name| name.parse().ok()),
        features: features(config.ice),
        identity: xmpp::client::disco::Identity::new("client", "phone", &config.user_agent),
        ..xmpp::client::Config::new(jid.clone(), account.password.clone())
    }
}

/// The port of streams that begin without TLS (RFC 6120 §14.7).
const CLIENT_PORT: u16 = 5222;

/// The port of streams in TLS that most servers use (XEP-0368 §2 leaves it to DNS).
const DIRECT_TLS_PORT: u16 = 5223;

/// What we can do, as others may ask (XEP-0166 §12, XEP-0167 §10).
fn features(ice: IceMode) -> Vec<String> {
    let mut features = vec![ns::JINGLE, ns::JINGLE_RTP, ns::JINGLE_RTP_AUDIO, ns::JINGLE_MESSAGE];
    if ice != IceMode::Off {
        features.push(ns::JINGLE_ICE_UDP);
    }
    // Whoever hides this host's addresses has none to name.
    if ice != IceMode::RelayOnly {
        features.push(ns::JINGLE_RAW_UDP);
    }
    features.into_iter().map(str::to_owned).collect()
}
