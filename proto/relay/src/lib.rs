//! The forwarding table of the media relays: flows, permissions, channels, counters.
