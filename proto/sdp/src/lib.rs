//! SDP: RFC 8866 text that survives a rewrite, RFC 3264 offer/answer.
