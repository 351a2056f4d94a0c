//! STUN: RFC 8489 messages, client transactions, the Binding server.
