//! How a client is set up.

use std::time::Duration;

use crypto::Secret;
use machine::Endpoint;

use super::defaults;
use super::disco::Identity;
use crate::sasl::Policy;
use crate::{BareJid, ResourcePart};

/// One account, and how to reach its server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The account.
    pub jid: BareJid,
    /// Its password.
    pub password: Secret,
    /// The resource to ask for; without one the server chooses.
    pub resource: Option<ResourcePart>,
    /// Where the server is: a name or an address, and a port. Without it, DNS says (RFC 6120 §3.2).
    /// Its certificate must carry the account's domain either way.
    pub server: Option<(String, u16)>,
    /// Where to try when neither DNS's services nor the domain's own addresses are of any use.
    pub fallback: Vec<Endpoint>,
    /// Whether TLS comes first (XEP-0368): always, never, or as DNS has it. With a
    /// [`server`](Self::server) of one's own, `None` means on port 5223.
    pub direct_tls: Option<bool>,
    /// Whether to refuse a server without TLS. Without TLS, the password itself is never sent.
    pub require_tls: bool,
    /// The mechanisms that may be used, and what was good enough before.
    pub policy: Policy,
    /// What others see of us once online.
    pub presence: Presence,
    /// What the owner can do, as others may ask (XEP-0030): namespaces. Those that the client answers
    /// itself are added.
    pub features: Vec<String>,
    /// What we are (XEP-0030).
    pub identity: Identity,
    /// The address of our software for XEP-0115.
    pub caps_node: String,
    /// Whether to connect again after a failure that may pass.
    pub reconnect: bool,
    /// How long nothing may be heard before the server is asked whether it is there (XEP-0199).
    pub keepalive: Duration,
    /// How long an answer to a request may take.
    pub request_timeout: Duration,
}

impl Config {
    /// An account with its password, and defaults for everything else.
    #[must_use]
    pub fn new(jid: BareJid, password: impl Into<Secret>) -> Self {
        Self {
            jid,
            password: password.into(),
            resource: None,
            server: None,
            fallback: Vec::new(),
            direct_tls: None,
            require_tls: true,
            policy: Policy::default(),
            presence: Presence::default(),
            features: Vec::new(),
            identity: Identity::new("client", "pc", "Wayleave"),
            caps_node: "https://github.com/wayleave/wayleave".to_owned(),
            reconnect: true,
            keepalive: defaults::KEEPALIVE,
            request_timeout: defaults::REQUEST,
        }
    }
}

/// What we tell of ourselves (RFC 6121 §4.7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Whether to be seen at all. Who is not gets no messages to the account's bare address.
    pub hidden: bool,
    /// How available.
    pub show: Show,
    /// In words.
    pub status: Option<String>,
    /// Which of our resources is to get what is for all of them; a negative one gets none.
    pub priority: i8,
}

/// How available somebody is (RFC 6121 §4.7.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Show {
    /// Eager to talk.
    Chat,
    /// There.
    #[default]
    Online,
    /// Away for a moment.
    Away,
    /// Away for longer.
    ExtendedAway,
    /// Not to be disturbed.
    DoNotDisturb,
}

impl Show {
    /// The word on the wire; none for [`Online`](Self::Online).
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("chat"),
            Self::Online => None,
            Self::Away => Some("away"),
            Self::ExtendedAway => Some("xa"),
            Self::DoNotDisturb => Some("dnd"),
        }
    }

    /// The meaning of a word; one that is not known means [`Online`](Self::Online).
    #[must_use]
    pub fn parse(name: &str) -> Self {
        [Self::Chat, Self::Away, Self::ExtendedAway, Self::DoNotDisturb]
            .into_iter()
            .find(|show| show.name() == Some(name))
            .unwrap_or_default()
    }
}
