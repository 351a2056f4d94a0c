//! ICE: the RFC 8445 agent, candidates in, checks out.
