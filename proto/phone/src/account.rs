//! The accounts of a phone: how each is logged in, and how its core is reached.

use std::net::IpAddr;

use machine::{AddressClass, Endpoint, Entropy, Transport};
use sip::transport::flow;
use sip::{Host, SipUri, Uri, ua};
use xmpp::client::{Client, Online, RequestId};
use xmpp::{FullJid, Jid, ns};

use crate::config::{Account, Config, IceMode};
use crate::signalling::jingle::device;

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
    /// The ping of the owner's that waits for its answer.
    pub(crate) ping: Option<RequestId>,
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

    /// Whether somebody may know that we are there: a device of our own, or a contact whom we let see
    /// our presence.
    pub(crate) fn is_seen_by(&self, who: &Jid) -> bool {
        let person = who.to_bare();
        self.client().is_some_and(|client| {
            *client.account() == person || client.contact(&person).is_some_and(|known| known.from)
        })
    }

    /// Whether another device of our account's may take a call that is proposed to all of them.
    pub(crate) fn has_other_phone(&self) -> bool {
        let known = self.client().zip(self.jid());
        known.is_some_and(|(client, us)| device::has_other(client, us))
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
    entropy: &mut Entropy,
) -> xmpp::client::Config {
    let server = account.server.as_ref();
    let direct_tls = match account.transport {
        Some(Transport::Tls) => Some(true),
        Some(Transport::Tcp) => Some(false),
        // DNS says, or the port that was given.
        _ => server.map(|server| server.port == Some(DIRECT_TLS_PORT)),
    };
    let port = if direct_tls == Some(true) { DIRECT_TLS_PORT } else { CLIENT_PORT };
    // The same for every login, so that a call outlives a stream that breaks.
    //= RFC 6120 §7.6.1: nobody can guess it, unless the user has chosen it.
    let random: [u8; 6] = entropy.bytes();
    let random = || random.iter().map(|byte| format!("{byte:02x}")).collect();
    let resource: String = account.resource.clone().unwrap_or_else(random);
    xmpp::client::Config {
        server: server.map(|server| (server.host.clone(), server.port.unwrap_or(port))),
        direct_tls,
        resource: resource.parse().ok(),
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

/// How an account of SIP is set up.
pub(crate) fn sip_account(account: &Account, address: &SipUri, instance: &str) -> ua::Account {
    let named = account.server.as_ref().and_then(|server| {
        let address = server.host.parse::<IpAddr>().map(Host::from);
        let host = address.ok().or_else(|| server.host.parse().ok())?;
        Some(SipUri::new(host).with_port(server.port))
    });
    // A transport without a server is a way to the domain of the address.
    let of_domain = || SipUri::new(address.host.clone()).with_port(address.port);
    //= RFC 3261 §19.1.1: the transport stands in the URI.
    let server = match account.transport {
        None => named,
        Some(transport) => {
            let uri = named.unwrap_or_else(of_domain);
            Some(uri.with_param("transport", flow::uri_name(transport)))
        }
    };
    ua::Account {
        display_name: account.display_name.clone(),
        server: server.map(Uri::from),
        instance: instance.to_owned(),
        ..ua::Account::new(address.clone(), account.password.clone())
    }
}

/// A name for this device (RFC 5626 §4.1): a random UUID.
pub(crate) fn instance(entropy: &mut Entropy) -> String {
    let mut b: [u8; 16] = entropy.bytes();
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("urn:uuid:{}", parts.join("-"))
}

#[cfg(test)]
mod tests {
    use machine::Transport;

    use super::sip_account;
    use crate::{Account, Secret, Server, SipUri};

    /// The URI under which the core is reached.
    fn core(server: Option<Server>, transport: Option<Transport>) -> Option<String> {
        let address: SipUri = "sip:alice@example.org".parse().expect("an address");
        let account =
            Account { server, transport, ..Account::new(address.clone(), Secret::from("x")) };
        sip_account(&account, &address, "urn:uuid:x").server.map(|uri| uri.to_string())
    }

    /// The same without a transport.
    fn server(host: &str, port: Option<u16>) -> Option<String> {
        core(Some(Server { host: host.to_owned(), port }), None)
    }

    #[test]
    fn a_core_is_a_name_or_an_address() {
        assert_eq!(server("core.example.org", None).as_deref(), Some("sip:core.example.org"));
        assert_eq!(server("192.0.2.1", Some(5070)).as_deref(), Some("sip:192.0.2.1:5070"));
        assert_eq!(server("2001:db8::1", Some(5070)).as_deref(), Some("sip:[2001:db8::1]:5070"));
    }

    #[test]
    fn a_transport_is_part_of_the_way_to_the_core() {
        assert_eq!(core(None, None), None);
        let tcp = core(None, Some(Transport::Tcp));
        assert_eq!(tcp.as_deref(), Some("sip:example.org;transport=tcp"));
        let udp =
            core(Some(Server { host: "192.0.2.1".to_owned(), port: None }), Some(Transport::Udp));
        assert_eq!(udp.as_deref(), Some("sip:192.0.2.1;transport=udp"));
    }
}
