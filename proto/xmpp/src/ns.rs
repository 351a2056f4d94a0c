//! The names of namespaces, as they stand on the wire.

// Streams (RFC 6120).

/// The stream itself: `<stream:stream/>`, `<stream:features/>`, `<stream:error/>` (RFC 6120 §4.8.1).
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// The content of a stream between a client and its server (RFC 6120 §4.8.2).
pub const CLIENT: &str = "jabber:client";
/// The content of a stream between servers.
pub const SERVER: &str = "jabber:server";
/// Conditions of stream errors (RFC 6120 §4.9.2).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Conditions of stanza errors (RFC 6120 §8.3.2).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS (RFC 6120 §5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 §6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Which channel bindings a server can do (XEP-0440).
pub const SASL_CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// Resource binding (RFC 6120 §7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// The session request of RFC 3921, which some clients and servers still send; a formality.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// `xml:lang` and its like.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

// Jingle.

/// Jingle sessions (XEP-0166).
pub const JINGLE: &str = "urn:xmpp:jingle:1";
/// Conditions of Jingle's stanza errors (XEP-0166 §10).
pub const JINGLE_ERRORS: &str = "urn:xmpp:jingle:errors:1";
/// RTP sessions (XEP-0167).
pub const JINGLE_RTP: &str = "urn:xmpp:jingle:apps:rtp:1";
/// A feature: sound over RTP (XEP-0167 §11).
pub const JINGLE_RTP_AUDIO: &str = "urn:xmpp:jingle:apps:rtp:audio";
/// Ringing, hold, mute (XEP-0167 §8).
pub const JINGLE_RTP_INFO: &str = "urn:xmpp:jingle:apps:rtp:info:1";
/// Conditions of RTP's stanza errors and reasons (XEP-0167 §12).
pub const JINGLE_RTP_ERRORS: &str = "urn:xmpp:jingle:apps:rtp:errors:1";
/// Feedback in RTCP (XEP-0293).
pub const JINGLE_RTCP_FB: &str = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0";
/// Header extensions of RTP (XEP-0294).
pub const JINGLE_RTP_HDREXT: &str = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0";
/// Sources of RTP (XEP-0339).
pub const JINGLE_SSMA: &str = "urn:xmpp:jingle:apps:rtp:ssma:0";
/// The key agreement of RFC 6189 in an `<encryption/>` (XEP-0262).
pub const JINGLE_ZRTP: &str = "urn:xmpp:jingle:apps:rtp:zrtp:1";
/// The transport by ICE (XEP-0176).
pub const JINGLE_ICE_UDP: &str = "urn:xmpp:jingle:transports:ice-udp:1";
/// The transport by one address and port (XEP-0177).
pub const JINGLE_RAW_UDP: &str = "urn:xmpp:jingle:transports:raw-udp:1";
/// Fingerprints of DTLS certificates (XEP-0320).
pub const JINGLE_DTLS: &str = "urn:xmpp:jingle:apps:dtls:0";
/// Groups of contents (XEP-0338).
pub const JINGLE_GROUPING: &str = "urn:xmpp:jingle:apps:grouping:0";
/// Proposals of sessions in messages (XEP-0353).
pub const JINGLE_MESSAGE: &str = "urn:xmpp:jingle-message:0";

// Instant messaging and presence (RFC 6121), and what a server answers.

/// Rosters (RFC 6121 §2).
pub const ROSTER: &str = "jabber:iq:roster";
/// A feature: subscriptions may be approved before they are asked for (RFC 6121 §3.4).
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// What an entity is and can do (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// What an entity consists of (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Are you there? (XEP-0199)
pub const PING: &str = "urn:xmpp:ping";

// What a client knows beside.

/// Capabilities by a hash in presence (XEP-0115).
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// Forms of data (XEP-0004).
pub const DATA_FORM: &str = "jabber:x:data";

// What stands beside a payload.

/// That a stanza was kept on its way, and since when (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// What servers are to do with a message (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
