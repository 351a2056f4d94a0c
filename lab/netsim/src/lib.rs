//! The simulated internet: links, routers, NATs, capture and replay by seed.
