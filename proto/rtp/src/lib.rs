//! RTP, RTCP, G.711, jitter buffer and quality statistics.
