//! What the peers' tests share.

pub(crate) mod certificate;
pub(crate) mod need;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod sound;
