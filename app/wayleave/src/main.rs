//! The `wayleave` program.

fn main() {}
