//! The Port Control Protocol (RFC 6887).
