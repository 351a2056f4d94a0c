//! The names of namespaces, as they stand on the wire.
