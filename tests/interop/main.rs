//! Interop with other people's programs.
