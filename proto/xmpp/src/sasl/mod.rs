//! SASL for XMPP (RFC 6120 §6): SCRAM with channel binding, PLAIN.
