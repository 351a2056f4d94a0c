//! What a client counted.

/// What a client counted, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Logins.
    pub logins: u64,
    /// Answers that nobody waited for, or that came from somebody else than who was asked.
    pub answers_unasked: u64,
    /// Changes of the roster that did not come from our own account.
    pub pushes_refused: u64,
    /// Contacts that were not kept: there are too many.
    pub contacts_refused: u64,
    /// Resources that were not kept: there are too many.
    pub resources_refused: u64,
    /// Capabilities that had another hash than was told.
    pub caps_mismatched: u64,
}
