//! Renderings of a [`Description`](crate::Description) on the wire.
//!
//! Each rendering reads and writes, and names what it cannot say: see [`Loss`].

pub mod jingle;
pub mod sdp;

#[cfg(test)]
mod arbitrary;

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
    /// The ICE credentials break RFC 8839 §5.4, so that there is no ICE; or candidates came for other
    /// credentials than those that hold, and were left alone.
    #[error("content {0}: its ICE credentials")]
    Credentials(usize),
    /// Where who knows no ICE would send cannot be said; a reader takes it from the candidates.
    #[error("content {0}: its default destinations")]
    Defaults(usize),
    /// That an agent is lite cannot be said.
    #[error("content {0}: that its agent is lite")]
    Lite(usize),
    /// How the media are protected cannot be written, and the content with it; or protection was
    /// offered that can be done without, and will be.
    #[error("content {0}: its protection")]
    Keying(usize),
    /// The content is refused, and no place is kept for it.
    #[error("content {0}: its place, since it is refused")]
    Refused(usize),
    /// The packet time was rounded.
    #[error("content {0}: its packet time")]
    PacketTime(usize),
    /// The content is in no form that is understood, and will be refused.
    #[error("content {0}: all of it")]
    Content(usize),
    /// There were more than a limit allows.
    #[error("content {0}: what is over the limit")]
    TooMany(usize),
    /// Something that a description has no words for (yet), by the name that the wire gives it.
    #[error("content {0}: {1}")]
    Other(usize, String),
    /// Which contents belong together.
    #[error("which contents belong together")]
    Grouping,
}
