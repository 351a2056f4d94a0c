//! A whole client (RFC 6121).
