//! Jingle: what stands on the wire, and one session's state.
//!
//! | module | what | by |
//! |---|---|---|
//! | this | [`Jingle`], the element of every request | XEP-0166 §7 |
//! | [`content`] | [`Content`], who brought it, who sends; groups of them | XEP-0166 §7.3, XEP-0338 |
//! | [`rtp`] | what a content carries, and what goes on: ringing, hold, mute | XEP-0167, 0262, 0293, 0294, 0339 |
//! | [`transport`] | how it travels: ICE, raw UDP; fingerprints | XEP-0176, 0177, 0320 |
//! | [`reason`] | why it ends | XEP-0166 §7.4 |
//! | [`refusal`] | the stanza errors of Jingle | XEP-0166 §10 |
//! | [`limits`] | what is too much | |
//! | [`session`] | [`Session`]: the state of one session | XEP-0166 §5, §6 |
//! | [`initiation`] | [`Initiation`], a session proposed in messages, and the [`Proposal`]'s state | XEP-0353 |
//!
//! The types are our own: those of `xmpp-parsers` refuse candidates without a name, as browsers send
//! them, know no `<encryption/>` and no `<gathering-complete/>`, and forget what they do not know. Ours
//! keep unknown children, see [`Jingle::unknown`]; what reading loses of an element, unknown attributes
//! for one, [`Jingle::dropped`] names.

pub mod content;
pub mod initiation;
pub mod limits;
pub mod reason;
pub mod refusal;
pub mod rtp;
pub mod session;
pub mod transport;
mod tree;
mod word;

use jid::Jid;
use minidom::Element;
use xso::{AsXml, FromXml};

pub use content::{Content, Creator, Group, Grouped, Senders};
pub use initiation::{Initiation, Proposal};
pub use reason::{Condition, Reason};
pub use refusal::Refusal;
pub use rtp::Info;
pub use session::{Event, Session, State};
pub use transport::{IceUdp, RawUdp, Transport};

use crate::ns;
use word::words;

/// Why an element is not Jingle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is another element, or breaks the schema.
    #[error("not Jingle: {0}")]
    Schema(String),
}

impl From<xso::error::Error> for Error {
    fn from(error: xso::error::Error) -> Self {
        Self::Schema(error.to_string())
    }
}

/// `<jingle/>`: one step of a session.
#[derive(FromXml, AsXml, Clone, Debug, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE, name = "jingle", on_unknown_attribute = Discard)]
pub struct Jingle {
    /// What is to be done.
    #[xml(attribute)]
    pub action: Action,
    /// The session's name, which its initiator made.
    #[xml(attribute)]
    pub sid: String,
    /// Who began it, as the sender says. Who believes it is a fool: the stanza's `from` counts.
    #[xml(attribute(default))]
    pub initiator: Option<Jid>,
    /// Who answers, as the sender says.
    #[xml(attribute(default))]
    pub responder: Option<Jid>,
    /// The contents that the step is about.
    #[xml(child(n = ..))]
    pub contents: Vec<Content>,
    /// Contents that belong together.
    #[xml(child(n = ..))]
    pub groups: Vec<Group>,
    /// Why.
    #[xml(child(default))]
    pub reason: Option<Reason>,
    /// What goes on.
    #[xml(child(default))]
    pub info: Option<Info>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

words! {
    /// What is to be done (XEP-0166 §7.2).
    Action {
        /// A content-add is agreed to.
        ContentAccept = "content-accept",
        /// More contents are offered.
        ContentAdd = "content-add",
        /// Who sends changes.
        ContentModify = "content-modify",
        /// A content-add is not agreed to.
        ContentReject = "content-reject",
        /// Contents go.
        ContentRemove = "content-remove",
        /// Parameters of the application change, for information.
        DescriptionInfo = "description-info",
        /// Parameters of security.
        SecurityInfo = "security-info",
        /// The session is agreed to.
        SessionAccept = "session-accept",
        /// Something goes on; empty it is a ping.
        SessionInfo = "session-info",
        /// A session is offered.
        SessionInitiate = "session-initiate",
        /// The session ends.
        SessionTerminate = "session-terminate",
        /// A transport-replace is agreed to.
        TransportAccept = "transport-accept",
        /// Candidates.
        TransportInfo = "transport-info",
        /// A transport-replace is not agreed to.
        TransportReject = "transport-reject",
        /// Another transport is offered.
        TransportReplace = "transport-replace",
    }
}

impl Jingle {
    /// A step that says nothing yet.
    #[must_use]
    pub fn new(action: Action, sid: &str) -> Self {
        Self {
            action,
            sid: sid.to_owned(),
            initiator: None,
            responder: None,
            contents: Vec::new(),
            groups: Vec::new(),
            reason: None,
            info: None,
            unknown: Vec::new(),
        }
    }

    /// Every child, at any depth, that is kept and not understood.
    #[must_use]
    pub fn unknown(&self) -> Vec<&Element> {
        let mut unknown: Vec<&Element> = self.unknown.iter().collect();
        unknown.extend(self.contents.iter().flat_map(Content::all_unknown));
        unknown.extend(self.reason.iter().flat_map(|reason| &reason.unknown));
        unknown
    }

    /// What is lost when `element` is read and written again: attributes and texts that are not
    /// understood, one line each; nothing if it is not Jingle.
    #[must_use]
    pub fn dropped(element: &Element) -> Vec<String> {
        let Ok(read) = Self::try_from(element) else { return Vec::new() };
        tree::missing(element, &Element::from(&read))
    }
}

impl TryFrom<&Element> for Jingle {
    type Error = Error;

    fn try_from(element: &Element) -> Result<Self, Error> {
        Ok(xso::transform(element)?)
    }
}

#[cfg(test)]
mod tests;
