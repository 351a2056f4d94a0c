//! Stanzas (RFC 6120 §8): a parsed header and an opaque tree that is passed on faithfully.

/// A stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza;
