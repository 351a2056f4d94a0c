//! One content of a session: what it carries and how it travels (XEP-0166 §7.3).

use minidom::Element;
use xso::{AsXml, FromXml};

use super::rtp::Description;
use super::transport::Transport;
use super::word::words;
use crate::ns;

/// `<content/>`.
#[derive(FromXml, AsXml, Clone, Debug, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE, name = "content", on_unknown_attribute = Discard)]
pub struct Content {
    /// Who brought it into the session.
    #[xml(attribute)]
    pub creator: Creator,
    /// Its name, unique among its creator's.
    #[xml(attribute)]
    pub name: String,
    /// Who sends; both if nothing is said.
    #[xml(attribute(default))]
    pub senders: Option<Senders>,
    /// What it is for; a session if nothing is said.
    #[xml(attribute(default))]
    pub disposition: Option<String>,
    /// What it carries, if that is RTP.
    #[xml(child(default))]
    pub description: Option<Description>,
    /// How it travels, if in a way that we know.
    #[xml(child(default))]
    pub transport: Option<Transport>,
    /// What else it holds; descriptions and transports of other kinds are here.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

words! {
    /// A party of the session, who brought a content into it.
    Creator {
        /// Who began the session.
        Initiator = "initiator",
        /// Who was called.
        Responder = "responder",
    }
}

words! {
    /// Who sends.
    Senders {
        /// Both.
        Both = "both",
        /// Who began the session.
        Initiator = "initiator",
        /// Nobody.
        None = "none",
        /// Who was called.
        Responder = "responder",
    }
}

impl Content {
    /// A content that says nothing yet.
    #[must_use]
    pub fn new(creator: Creator, name: &str) -> Self {
        Self {
            creator,
            name: name.to_owned(),
            senders: None,
            disposition: None,
            description: None,
            transport: None,
            unknown: Vec::new(),
        }
    }

    /// Who sends.
    #[must_use]
    pub fn senders(&self) -> Senders {
        self.senders.unwrap_or(Senders::Both)
    }

    /// Whether both are the same content of a session.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.creator == other.creator && self.name == other.name
    }

    /// Every child, at any depth, that is kept and not understood.
    pub fn all_unknown(&self) -> impl Iterator<Item = &Element> {
        let carried = self.description.iter().flat_map(Description::all_unknown);
        let transport = self.transport.iter().flat_map(Transport::all_unknown);
        self.unknown.iter().chain(carried).chain(transport)
    }

    /// It without what it carries and how: its name alone.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self::new(self.creator, &self.name)
    }
}

/// `<group/>`: contents that belong together (XEP-0338).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_GROUPING, name = "group", on_unknown_attribute = Discard)]
pub struct Group {
    /// How (RFC 5888): `BUNDLE`, `LS`, …
    #[xml(attribute)]
    pub semantics: String,
    /// Which.
    #[xml(child(n = ..))]
    pub contents: Vec<Grouped>,
}

/// `<content/>` of a group.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_GROUPING, name = "content", on_unknown_attribute = Discard)]
pub struct Grouped {
    /// The content's name.
    #[xml(attribute)]
    pub name: String,
}
