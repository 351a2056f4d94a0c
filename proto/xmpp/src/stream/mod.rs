//! One stream (RFC 6120 §4 to §7), from either end.
//!
//! Both ends are parts that return values: bytes, answers and the time in; [`server::Action`]s or
//! [`client::Action`]s out, in order. Each is an enum of states that carry what is true in them: the
//! user is known from authentication on, the full JID from binding on, so a stanza cannot come out
//! of a stream that has none. A restart (after STARTTLS and after SASL) makes a new parser.

mod error;
mod features;
mod rate;

pub mod client;
pub mod server;

#[cfg(test)]
mod tests;

pub use error::{Condition, StreamError};
pub use features::Features;

use crate::sasl::base64;
use crate::{Element, ns, xml};

fn bytes_of(element: &Element) -> Vec<u8> {
    let mut bytes = Vec::new();
    xml::write(element, &mut bytes);
    bytes
}

/// An element of SASL with its payload; nothing at all for an empty one.
fn sasl_element(name: &str, payload: &[u8]) -> Element {
    Element::builder(name, ns::SASL).append(base64::encode(payload)).build()
}
