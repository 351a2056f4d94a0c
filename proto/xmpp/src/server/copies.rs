//! One stanza for many: written once, each copy with its own `to`.

use crate::stanza::Stanza;
use crate::xml;
use crate::{Element, Jid};

/// A stanza without `to`, as bytes.
#[derive(Debug)]
pub(super) struct Copies {
    bytes: Vec<u8>,
    /// Where ` to='…'` goes: after the name of the element.
    at: usize,
    copy: Vec<u8>,
}

impl Copies {
    /// Writes `stanza`, which has no `to`.
    pub(super) fn new(stanza: &Stanza) -> Self {
        debug_assert!(stanza.to().is_none(), "each copy has its own");
        Self::of(stanza.element())
    }

    fn of(element: &Element) -> Self {
        let mut bytes = Vec::with_capacity(256);
        xml::write(element, &mut bytes);
        Self { bytes, at: 1 + element.name().len(), copy: Vec::new() }
    }

    /// The copy for `to`.
    pub(super) fn to(&mut self, to: &Jid) -> &[u8] {
        let (name, rest) = self.bytes.split_at(self.at.min(self.bytes.len()));
        self.copy.clear();
        self.copy.extend_from_slice(name);
        xml::write_attribute("to", to.as_str(), &mut self.copy);
        self.copy.extend_from_slice(rest);
        &self.copy
    }
}

#[cfg(test)]
mod tests {
    use super::Copies;
    use crate::stanza::{PresenceType, Stanza};
    use crate::{Jid, xml};

    #[test]
    fn a_copy_is_the_stanza_with_its_to() {
        let from = Jid::new("alice@example.org/<'&'>").unwrap();
        let to = Jid::new("bob@example.org/a 'b' <c>").unwrap();
        let mut stanza = Stanza::presence(None, PresenceType::Unavailable, []);
        stanza.set_from(from);
        let mut copies = Copies::new(&stanza);
        for _ in 0..2 {
            let copy = std::str::from_utf8(copies.to(&to)).unwrap().to_owned();
            assert!(copy.starts_with("<presence to='bob@example.org/a &apos;b&apos; &lt;c&gt;' "));
            let read = copy.replacen("<presence", "<presence xmlns='jabber:client'", 1);
            let mut expected = stanza.clone();
            expected.set_to(to.clone());
            assert_eq!(Stanza::parse(read.parse().unwrap()).unwrap(), expected);
            let mut written = Vec::new();
            xml::write(expected.element(), &mut written);
            assert_eq!(written.len(), copy.len());
        }
    }
}
