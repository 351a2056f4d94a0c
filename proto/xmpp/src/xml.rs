//! Restricted XML (RFC 6120 §11.1), pushed in as bytes arrive; elements come out, within limits.
