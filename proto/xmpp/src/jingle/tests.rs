//! Jingle as others write it, and as we do.
