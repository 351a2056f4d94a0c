//! The server and the client in the simulated internet.
