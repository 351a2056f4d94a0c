//! The topologies of the talk as values, simulated and in kernel namespaces.
