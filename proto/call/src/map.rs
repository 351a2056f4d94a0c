//! Renderings of a [`Description`](crate::Description) on the wire.
//!
//! Each rendering reads and writes, and names what it cannot say: see [`Loss`].

pub mod sdp;

/// Something that was lost between a description and its rendering, either way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Who created the content cannot be said; a reader takes it for the initiator's.
    #[error("content {0}: its creator")]
    Creator(usize),
    /// The content's name cannot be written; a reader gives it another.
    #[error("content {0}: its name")]
    Name(usize),
    /// A codec, or one of its parameters, cannot be written or understood.
    #[error("content {0}: payload type {1}")]
    Codec(usize, u8),
    /// A candidate cannot be written or used: a name in the place of an address, a transport other
    /// than UDP.
    #[error("content {0}: candidate {1}")]
    Candidate(usize, String),
    /// The ICE credentials break RFC 8839 §5.4, so that there is no ICE.
    #[error("content {0}: its ICE credentials")]
    Credentials(usize),
    /// The packet time was rounded.
    #[error("content {0}: its packet time")]
    PacketTime(usize),
    /// The content is in no form that is understood, and will be refused.
    #[error("content {0}: all of it")]
    Content(usize),
    /// There were more than a limit allows.
    #[error("content {0}: what is over the limit")]
    TooMany(usize),
}
