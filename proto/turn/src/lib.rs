//! TURN (RFC 8656, with RFC 5766 clients; RFC 6062; RFC 8016): the server and the client, both
//! without sockets.
