//! Restricted XML (RFC 6120 §11.1), pushed in as bytes arrive; elements come out, within limits.
//!
//! [`Parser`] wraps rxml's push parser, which knows no comments, DTDs, processing instructions nor
//! entities of one's own, and builds one tree for each child of the stream. [`write()`] is its
//! inverse.

mod parser;
#[cfg(test)]
mod tests;
mod write;

pub use parser::{Frame, Header, Limits, Parser};
pub use write::{CLOSE, write, write_attribute, write_header};

use crate::Element;

/// A name that we know to be one.
///
/// # Panics
/// If `name` is none; it is a constant of our own.
#[must_use]
pub fn name(name: &'static str) -> rxml::NcName {
    rxml::NcName::try_from(name).expect("names of our own are names")
}

/// The value of an attribute without a namespace.
#[must_use]
pub fn attribute<'a>(element: &'a Element, name: &'static str) -> Option<&'a str> {
    element.attr(name)
}

/// Sets an attribute without a namespace, or removes it.
pub fn set_attribute(element: &mut Element, name: &'static str, value: Option<&str>) {
    match value {
        Some(value) => {
            let value = value.to_owned();
            element.attrs_mut().insert(rxml::Namespace::NONE, self::name(name), value);
        }
        None => {
            element.attrs_mut().remove(&rxml::Namespace::NONE, name);
        }
    }
}
