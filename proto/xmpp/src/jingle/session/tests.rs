//! One session, both ends of it.
