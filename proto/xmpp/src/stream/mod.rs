//! One stream (RFC 6120 §4 to §7), from either end.
