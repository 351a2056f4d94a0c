//! A whole server of one domain (RFC 6120 §10, RFC 6121).
