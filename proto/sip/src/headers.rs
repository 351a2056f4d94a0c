//! The header section: an ordered list of fields (RFC 3261 §7.3).
//!
//! A field that came off the wire keeps its own text, so that forwarding does not rewrite what it
//! does not touch. A field name is compared without case, and its compact form counts as the name.

mod typed;

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use crate::header::name;
use crate::text;

pub use self::typed::HeaderError;

/// Room that most messages do not outgrow: fields, and bytes of a value that is put together.
/// (Below 1,024 bytes in all, from where on glibc's allocator takes a much slower way.)
const USUAL_FIELDS: usize = 12;
const USUAL_VALUE_BYTES: usize = 128;

/// One header field.
#[derive(Clone, Debug)]
pub struct Header {
    name: Cow<'static, str>,
    value: String,
    /// The bytes as received, line ends included, where they differ from how we would write them.
    raw: Option<Box<[u8]>>,
}

impl Header {
    /// A field of our own. Line ends in `value` become spaces: they would start another field.
    #[must_use]
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        let mut value = value.into();
        if value.contains(['\r', '\n']) {
            value = value.replace(['\r', '\n'], " ");
        }
        Self { name: name::canonical(name), value, raw: None }
    }

    /// A field as received: `raw` is its lines, which say `name` and, unfolded, `value`.
    pub(crate) fn received(name: &str, value: String, raw: &[u8]) -> Self {
        let name = name::canonical(name);
        let written = raw.strip_prefix(name.as_bytes()).and_then(|raw| raw.strip_prefix(b": "));
        let ours = written.and_then(|raw| raw.strip_suffix(b"\r\n")) == Some(value.as_bytes());
        let raw = (!ours || value.is_empty()).then(|| raw.into());
        Self { name, value, raw }
    }

    /// The name in its long form.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, unfolded, without white space around it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Appends the field as it goes onto the wire, line end included.
    pub fn write_to(&self, buf: &mut Vec<u8>) {
        match &self.raw {
            Some(raw) => buf.extend_from_slice(raw),
            None => {
                buf.extend_from_slice(self.name.as_bytes());
                buf.extend_from_slice(if self.value.is_empty() { b":" } else { b": " });
                buf.extend_from_slice(self.value.as_bytes());
                buf.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Whether it is called `name`, which is in long form.
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Names and values count, not how they were spelt on the wire.
impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.name) && self.value == other.value
    }
}

impl Eq for Header {}

/// An ordered list of header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No fields yet, and room for those of most messages.
    pub(crate) fn with_room() -> Self {
        Self(Vec::with_capacity(USUAL_FIELDS))
    }

    /// How many bytes the fields are about, as they go onto the wire.
    pub(crate) fn wire_len(&self) -> usize {
        self.0
            .iter()
            .map(|h| h.raw.as_ref().map_or(h.name.len() + h.value.len() + 4, |r| r.len()))
            .sum()
    }

    /// The value of the first field called `name`, as one text.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        let name = name::long(name);
        self.0.iter().find(|h| h.is(name)).map(Header::value)
    }

    /// The values of every field called `name`, one a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let name = name::long(name);
        self.0.iter().filter(move |h| h.is(name)).map(Header::value)
    }

    /// The elements of the list that all fields called `name` make together: `Via: a, b` is the
    /// same as two fields (RFC 3261 §7.3.1). Empty elements are skipped.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(|value| text::split(value, b',')).filter(|item| !item.is_empty())
    }

    /// Whether there is a field called `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// Whether the list of `name` has this token, compared without case: option tags, methods.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// Appends a field.
    pub fn push(&mut self, name: &str, value: impl Display) {
        self.0.push(Header::new(name, written(value)));
    }

    /// Puts a field before the first of its name, or before all others if it is the first: what a
    /// proxy does with Via and Record-Route.
    pub fn push_front(&mut self, name: &str, value: impl Display) {
        let header = Header::new(name, written(value));
        let at = self.0.iter().position(|h| h.is(&header.name)).unwrap_or(0);
        self.0.insert(at, header);
    }

    /// Makes `value` the only one of `name`, where the first stood or at the end.
    pub fn set(&mut self, name: &str, value: impl Display) {
        let header = Header::new(name, written(value));
        let Some(at) = self.0.iter().position(|h| h.is(&header.name)) else {
            return self.0.push(header);
        };
        self.remove(name);
        self.0.insert(at, header);
    }

    /// Removes every field called `name`; says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let (name, before) = (name::long(name), self.0.len());
        self.0.retain(|h| !h.is(name));
        before - self.0.len()
    }

    /// Takes the first element off the list of `name` (for a field that is no list: its first
    /// field): the top Via of a response, the Route entry that names us.
    pub fn remove_first(&mut self, name: &str) -> Option<String> {
        self.change_first(name, None)
    }

    /// Replaces the first element of the list of `name` and returns the old one; without one,
    /// nothing happens.
    pub fn replace_first(&mut self, name: &str, value: impl Display) -> Option<String> {
        self.change_first(name, Some(written(value)))
    }

    /// Appends copies of all fields of `other` called `name`.
    pub fn copy_from(&mut self, other: &Self, name: &str) {
        let name = name::long(name);
        self.0.extend(other.0.iter().filter(|h| h.is(name)).cloned());
    }

    /// The fields in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Header> {
        self.0.iter()
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a field as it is.
    pub fn push_header(&mut self, header: Header) {
        self.0.push(header);
    }

    fn change_first(&mut self, name: &str, new: Option<String>) -> Option<String> {
        let name = name::long(name);
        let at = self.0.iter().position(|h| h.is(name) && !h.value.is_empty())?;
        let header = self.0.get_mut(at)?;
        let (head, tail) = if name::is_list(name) {
            text::cut(&header.value, b',')
        } else {
            (&*header.value, None)
        };
        let old = text::trim(head).to_owned();
        let rest: Vec<&str> = new.as_deref().into_iter().chain(tail.map(text::trim)).collect();
        if rest.is_empty() {
            self.0.remove(at);
        } else {
            *header = Header::new(name, rest.join(", "));
        }
        Some(old)
    }
}

/// The text of `value`, which grows once at most where values are of the usual size.
fn written(value: impl Display) -> String {
    let mut text = String::with_capacity(USUAL_VALUE_BYTES);
    write!(text, "{value}").expect("a String takes what is written");
    text
}

#[cfg(test)]
mod tests;
