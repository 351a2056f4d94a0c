//! Jingle (XEP-0166, 0167, 0176, 0177, 0353): what stands on the wire, and one session's state.
