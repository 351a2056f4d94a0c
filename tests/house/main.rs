//! The rules of the house, as ordinary tests.
//!
//! Each rule is a function from a source, a manifest or a page to the list of its violations, with
//! two tests: the project has none, and a bad sample has some.

mod front_page;
mod imports;
mod limits;
mod manifests;
mod rust;
mod sources;
mod text;
mod workspace;

/// Fails with every violation on a line of its own, and what to do about them.
fn assert_none(violations: &[String], remedy: &str) {
    assert!(violations.is_empty(), "\n  {}\n{remedy}\n", violations.join("\n  "));
}
