//! Who a user agent is, and what it knows of each account.

use std::time::Duration;

use crypto::Secret;
use machine::{Endpoint, Entropy};

use crate::auth::{Client, Login};
use crate::defaults;
use crate::header::NameAddr;
use crate::stack::Target;
use crate::transport::Flow;
use crate::uri::{SipUri, Uri};

/// An account at a SIP server.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address of record: `sip:alice@example.org`.
    pub address: SipUri,
    /// The name that callees see; may be empty.
    pub display_name: String,
    /// The user name and password for authentication.
    pub login: Login,
    /// Where requests go (`sip:192.0.2.1:5060;transport=tcp`); `None`: the domain of the address,
    /// by RFC 3263.
    pub server: Option<Uri>,
    /// How long a registration is asked to hold.
    pub expires: Duration,
    /// The URN that names this device (RFC 5626 §4.1): `urn:uuid:…`. Empty: no outbound.
    pub instance: String,
}

impl Account {
    /// An account with a password and defaults for the rest; the user name is the local part.
    #[must_use]
    pub fn new(address: SipUri, password: impl Into<Secret>) -> Self {
        let user = address.user().unwrap_or_default();
        Self {
            address,
            display_name: String::new(),
            login: Login::new(user, password),
            server: None,
            expires: defaults::REGISTER_EXPIRES,
            instance: String::new(),
        }
    }
}

/// An account and how it stands.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) account: Account,
    pub(super) auth: Client,
    pub(super) registration: Registration,
}

/// How a registration stands (RFC 3261 §10.2).
#[derive(Debug, Default)]
pub(super) struct Registration {
    pub(super) call_id: String,
    pub(super) tag: String,
    pub(super) number: u32,
    /// Whether the owner wants the account registered.
    pub(super) wanted: bool,
    /// Whether a REGISTER is under way.
    pub(super) busy: bool,
    /// Whether that one removes the binding.
    pub(super) removing: bool,
    /// Whether the registrar holds a binding of ours, as far as we know.
    pub(super) bound: bool,
    /// The flow that the last 200 came over.
    pub(super) flow: Option<Flow>,
    /// Our address as the registrar sees it.
    pub(super) reflexive: Option<Endpoint>,
    /// The address in the Contact that was registered last.
    pub(super) contact: Option<(Endpoint, String)>,
    /// What a 423 has asked for.
    pub(super) min_expires: Duration,
    /// Failures in a row.
    pub(super) failures: u32,
    /// How often in a row the reflexive address turned out to be another one.
    pub(super) moves: u32,
}

impl Identity {
    pub(super) fn new(account: Account, entropy: &mut Entropy, auth: Entropy) -> Self {
        let registration = Registration {
            call_id: entropy.token(defaults::CALL_ID_CHARS),
            tag: entropy.token(defaults::TAG_CHARS),
            ..Registration::default()
        };
        Self { auth: Client::new(account.login.clone(), auth), account, registration }
    }

    /// The domain that registers the address: `sip:example.org`.
    pub(super) fn domain(&self) -> Uri {
        let address = &self.account.address;
        let mut uri = SipUri::new(address.host.clone()).with_port(address.port);
        uri.secure = address.secure;
        Uri::Sip(uri)
    }

    /// Where requests outside dialogs go.
    pub(super) fn target(&self) -> Target {
        Target::Proxy(self.account.server.clone().unwrap_or_else(|| self.domain()))
    }

    /// From, with this tag.
    pub(super) fn from(&self, tag: &str) -> NameAddr {
        NameAddr::new(Uri::Sip(self.account.address.clone()))
            .with_display(self.account.display_name.clone())
            .with_tag(tag)
    }

    /// The user part of our contacts.
    pub(super) fn user(&self) -> String {
        self.account.address.user().unwrap_or_default()
    }
}
