//! A STUN message as it was received: a checked view of bytes (RFC 8489 §5, §6.3).

use std::fmt;

use machine::{Endpoint, Reader};

use crate::attribute::{ErrorCode, PasswordAlgorithm, address};
use crate::defaults::{
    MAX_DOMAIN_BYTES, MAX_PASSWORD_ALGORITHMS, MAX_TEXT_READ_BYTES, MAX_UNKNOWN_ATTRIBUTES,
    MAX_USERNAME_READ_BYTES,
};
use crate::header::{HEADER_BYTES, class_and_method};
use crate::integrity::{self, Integrity, IntegrityError, Key};
use crate::{AttributeType, Class, MAGIC_COOKIE, Method, TransactionId};

/// Why bytes are no STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first two bits are not zero, or the magic cookie is missing.
    #[error("not STUN")]
    NotStun,
    /// The header is cut off.
    #[error("shorter than a header")]
    Truncated,
    /// The length field is no multiple of 4 or does not match the number of bytes.
    #[error("the length field does not match")]
    Length,
    /// An attribute reaches past the end.
    #[error("an attribute is cut off")]
    Attribute,
    /// There is a FINGERPRINT and it is wrong: RFC 8489 §14.7 takes this for another protocol.
    #[error("the FINGERPRINT is wrong")]
    Fingerprint,
}

/// One attribute, raw.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value, padding left off.
    pub value: &'a [u8],
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of others may be names of users.
        write!(f, "{:?}[{}]", self.kind, self.value.len())
    }
}

/// A STUN message whose structure has been checked: every attribute lies inside it, and its
/// FINGERPRINT is right if it has one. Whether its MESSAGE-INTEGRITY is right is
/// [`verify_integrity`](Self::verify_integrity)'s to say, since that takes a key.
///
/// Only attributes that count are seen: those before the integrity, since what follows it is
/// not protected. Of several with one type the first counts (RFC 8489 §14). A getter gives
/// nothing when the attribute is missing or its value is malformed.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    id: TransactionId,
    layout: Layout,
}

/// Where things stand in the message, as offsets from its start.
#[derive(Clone, Copy, Default)]
struct Layout {
    /// The end of the attributes that count.
    end: usize,
    /// The header of MESSAGE-INTEGRITY.
    sha1: Option<usize>,
    /// The header of MESSAGE-INTEGRITY-SHA256.
    sha256: Option<usize>,
    /// The header of FINGERPRINT.
    fingerprint: Option<usize>,
}

impl<'a> Message<'a> {
    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// [`Error`] says what is wrong with its structure.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (message, cookie) = Self::structure(bytes)?;
        //= RFC 8489 §5: the cookie is fixed.
        if cookie != MAGIC_COOKIE {
            return Err(Error::NotStun);
        }
        if let Some(at) = message.layout.fingerprint {
            let right = integrity::fingerprint(message.before(at)).to_be_bytes();
            if message.value_at(at) != right {
                return Err(Error::Fingerprint);
            }
        }
        Ok(message)
    }

    /// Reads a message of RFC 3489, which has a transaction id of 128 bits: the first 32 of them
    /// where the cookie stands now.
    pub(crate) fn parse_classic(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::structure(bytes).map(|(message, _)| message)
    }

    /// Reads what RFC 3489 and RFC 8489 have in common, and what stands in the cookie's place.
    fn structure(bytes: &'a [u8]) -> Result<(Self, u32), Error> {
        let mut reader = Reader::new(bytes);
        let header = reader.array::<HEADER_BYTES>().map_err(|_| Error::Truncated)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, id @ ..] = header;
        //= RFC 8489 §5: the first two bits are zero.
        if t0 & 0xc0 != 0 {
            return Err(Error::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if !length.is_multiple_of(4) || length != reader.remaining() {
            return Err(Error::Length);
        }
        let (class, method) = class_and_method(u16::from_be_bytes([t0, t1]));
        let layout = Layout::of(bytes)?;
        let message = Self { bytes, class, method, id: TransactionId(id), layout };
        Ok((message, u32::from_be_bytes([c0, c1, c2, c3])))
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Its method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Its transaction id.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// The bytes that it was read from.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes that count, in order: those before the integrity and the FINGERPRINT.
    pub fn attributes(&self) -> Attributes<'a> {
        let counted = self.bytes.get(HEADER_BYTES..self.layout.end).unwrap_or_default();
        Attributes { reader: Reader::new(counted) }
    }

    /// Every attribute, in order, those that do not count too: for people who look at messages.
    pub fn all_attributes(&self) -> Attributes<'a> {
        let all = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
        Attributes { reader: Reader::new(all) }
    }

    /// The value of the first attribute of type `kind` that counts.
    #[must_use]
    pub fn attribute(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.attributes().find(|attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }

    /// The comprehension-required attributes that are not among `understood`
    /// ([`UNDERSTOOD`](crate::attribute::UNDERSTOOD) or a list of one's own), each once. A request
    /// with any of them is owed a 420 that lists them (RFC 8489 §6.3.1); an indication or a response
    /// is dropped.
    //= RFC 8489 §6.3.1: an unknown comprehension-required attribute in a request is answered by
    // 420 with UNKNOWN-ATTRIBUTES.
    #[must_use]
    pub fn unknown_required(&self, understood: &[AttributeType]) -> Vec<AttributeType> {
        let mut unknown = Vec::new();
        for Attribute { kind, .. } in self.attributes() {
            if kind.is_comprehension_required()
                && !understood.contains(&kind)
                && !unknown.contains(&kind)
                && unknown.len() < MAX_UNKNOWN_ATTRIBUTES
            {
                unknown.push(kind);
            }
        }
        unknown
    }

    /// Whether it has a FINGERPRINT; it is right then.
    #[must_use]
    pub const fn has_fingerprint(&self) -> bool {
        self.layout.fingerprint.is_some()
    }

    /// The integrity that [`verify_integrity`](Self::verify_integrity) would check, if there is one:
    /// SHA-256 when there are both.
    #[must_use]
    pub const fn integrity(&self) -> Option<Integrity> {
        match (self.layout.sha256, self.layout.sha1) {
            (Some(_), _) => Some(Integrity::Sha256),
            (None, Some(_)) => Some(Integrity::Sha1),
            (None, None) => None,
        }
    }

    /// Checks the message's integrity under `key`, the stronger one when there are two, in constant
    /// time. Says which it was.
    ///
    /// # Errors
    /// [`IntegrityError`] says whether there was none, or a wrong one.
    pub fn verify_integrity(&self, key: &Key) -> Result<Integrity, IntegrityError> {
        let (integrity, at) = match (self.layout.sha256, self.layout.sha1) {
            (Some(at), _) => (Integrity::Sha256, at),
            (None, Some(at)) => (Integrity::Sha1, at),
            (None, None) => return Err(IntegrityError::Missing),
        };
        integrity::verify(integrity, key, self.before(at), self.value_at(at))?;
        Ok(integrity)
    }

    /// What stands before the attribute at `at`.
    fn before(&self, at: usize) -> &'a [u8] {
        self.bytes.get(..at).unwrap_or_default()
    }

    /// The value of the attribute at `at`.
    fn value_at(&self, at: usize) -> &'a [u8] {
        let rest = self.bytes.get(at..).unwrap_or_default();
        Attributes { reader: Reader::new(rest) }.next().map_or(&[], |attribute| attribute.value)
    }

    fn text(&self, kind: AttributeType, max: usize) -> Option<&'a str> {
        self.attribute(kind)
            .filter(|value| value.len() <= max)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    fn number<const N: usize>(&self, kind: AttributeType) -> Option<[u8; N]> {
        self.attribute(kind)?.try_into().ok()
    }
}

/// The attributes of RFC 8489 §14.
impl<'a> Message<'a> {
    /// MAPPED-ADDRESS.
    #[must_use]
    pub fn mapped_address(&self) -> Option<Endpoint> {
        self.attribute(AttributeType::MAPPED_ADDRESS).and_then(address::read)
    }

    /// XOR-MAPPED-ADDRESS.
    #[must_use]
    pub fn xor_mapped_address(&self) -> Option<Endpoint> {
        self.xor_address(AttributeType::XOR_MAPPED_ADDRESS)
    }

    /// Where the server saw the request come from: XOR-MAPPED-ADDRESS, or else MAPPED-ADDRESS, which
    /// old servers send alone.
    #[must_use]
    pub fn reflexive_address(&self) -> Option<Endpoint> {
        self.xor_mapped_address().or_else(|| self.mapped_address())
    }

    /// An attribute of type `kind` that is coded like MAPPED-ADDRESS.
    #[must_use]
    pub fn address(&self, kind: AttributeType) -> Option<Endpoint> {
        self.attribute(kind).and_then(address::read)
    }

    /// An attribute of type `kind` that is coded like XOR-MAPPED-ADDRESS.
    #[must_use]
    pub fn xor_address(&self, kind: AttributeType) -> Option<Endpoint> {
        self.attribute(kind).and_then(|value| address::read_xor(value, self.id))
    }

    /// Every attribute of type `kind` that is coded like XOR-MAPPED-ADDRESS, in order; `None` stands
    /// for one that is malformed.
    pub fn xor_addresses(
        &self,
        kind: AttributeType,
    ) -> impl Iterator<Item = Option<Endpoint>> + use<'a> {
        let id = self.id;
        self.attributes()
            .filter(move |attribute| attribute.kind == kind)
            .map(move |attribute| address::read_xor(attribute.value, id))
    }

    /// USERNAME.
    #[must_use]
    pub fn username(&self) -> Option<&'a str> {
        self.text(AttributeType::USERNAME, MAX_USERNAME_READ_BYTES)
    }

    /// USERHASH.
    #[must_use]
    pub fn userhash(&self) -> Option<[u8; 32]> {
        self.number(AttributeType::USERHASH)
    }

    /// REALM.
    #[must_use]
    pub fn realm(&self) -> Option<&'a str> {
        self.text(AttributeType::REALM, MAX_TEXT_READ_BYTES)
    }

    /// NONCE, as bytes: it is echoed, not read.
    #[must_use]
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.attribute(AttributeType::NONCE).filter(|nonce| nonce.len() <= MAX_TEXT_READ_BYTES)
    }

    /// ERROR-CODE.
    #[must_use]
    pub fn error_code(&self) -> Option<ErrorCode<'a>> {
        self.attribute(AttributeType::ERROR_CODE).and_then(ErrorCode::read)
    }

    /// UNKNOWN-ATTRIBUTES.
    pub fn unknown_attributes(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        let value = self.attribute(AttributeType::UNKNOWN_ATTRIBUTES).unwrap_or_default();
        value.as_chunks::<2>().0.iter().map(|&kind| AttributeType(u16::from_be_bytes(kind)))
    }

    /// PASSWORD-ALGORITHMS, in the server's order of preference; the first
    /// [`MAX_PASSWORD_ALGORITHMS`] of them.
    #[must_use]
    pub fn password_algorithms(&self) -> Option<Vec<PasswordAlgorithm>> {
        let mut reader = Reader::new(self.attribute(AttributeType::PASSWORD_ALGORITHMS)?);
        let mut algorithms = Vec::new();
        while !reader.is_empty() && algorithms.len() < MAX_PASSWORD_ALGORITHMS {
            algorithms.push(PasswordAlgorithm::read(&mut reader)?);
        }
        Some(algorithms)
    }

    /// PASSWORD-ALGORITHM.
    #[must_use]
    pub fn password_algorithm(&self) -> Option<PasswordAlgorithm> {
        let mut reader = Reader::new(self.attribute(AttributeType::PASSWORD_ALGORITHM)?);
        PasswordAlgorithm::read(&mut reader).filter(|_| reader.is_empty())
    }

    /// SOFTWARE.
    #[must_use]
    pub fn software(&self) -> Option<&'a str> {
        self.text(AttributeType::SOFTWARE, MAX_TEXT_READ_BYTES)
    }

    /// ALTERNATE-SERVER.
    #[must_use]
    pub fn alternate_server(&self) -> Option<Endpoint> {
        self.address(AttributeType::ALTERNATE_SERVER)
    }

    /// ALTERNATE-DOMAIN.
    #[must_use]
    pub fn alternate_domain(&self) -> Option<&'a str> {
        self.text(AttributeType::ALTERNATE_DOMAIN, MAX_DOMAIN_BYTES)
    }
}

/// The attributes of RFC 8445 §16.1.
impl Message<'_> {
    /// PRIORITY.
    #[must_use]
    pub fn priority(&self) -> Option<u32> {
        self.number(AttributeType::PRIORITY).map(u32::from_be_bytes)
    }

    /// Whether there is a USE-CANDIDATE.
    #[must_use]
    pub fn use_candidate(&self) -> bool {
        self.attribute(AttributeType::USE_CANDIDATE).is_some()
    }

    /// The tie-breaker of ICE-CONTROLLED.
    #[must_use]
    pub fn ice_controlled(&self) -> Option<u64> {
        self.number(AttributeType::ICE_CONTROLLED).map(u64::from_be_bytes)
    }

    /// The tie-breaker of ICE-CONTROLLING.
    #[must_use]
    pub fn ice_controlling(&self) -> Option<u64> {
        self.number(AttributeType::ICE_CONTROLLING).map(u64::from_be_bytes)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?} ", self.method, self.class, self.id)?;
        f.debug_list().entries(self.all_attributes()).finish()
    }
}

impl Layout {
    /// Walks over all attributes of a message whose length is right.
    fn of(bytes: &[u8]) -> Result<Self, Error> {
        let mut layout = Self { end: bytes.len(), ..Self::default() };
        let body = bytes.get(HEADER_BYTES..).ok_or(Error::Truncated)?;
        let mut attributes = Attributes { reader: Reader::new(body) };
        while !attributes.reader.is_empty() {
            let at = HEADER_BYTES + attributes.reader.position();
            let attribute = attributes.next().ok_or(Error::Attribute)?;
            layout.note(attribute.kind, at, attributes.reader.is_empty());
        }
        Ok(layout)
    }

    /// Notes the attribute of type `kind` at `at`.
    fn note(&mut self, kind: AttributeType, at: usize, last: bool) {
        match kind {
            //= RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is ignored, but for
            // MESSAGE-INTEGRITY-SHA256 and FINGERPRINT.
            AttributeType::MESSAGE_INTEGRITY if self.sha1.is_none() && self.sha256.is_none() => {
                self.sha1 = Some(at);
                self.end = self.end.min(at);
            }
            //= RFC 8489 §14.6: what follows MESSAGE-INTEGRITY-SHA256 is ignored, but for
            // FINGERPRINT.
            AttributeType::MESSAGE_INTEGRITY_SHA256 if self.sha256.is_none() => {
                self.sha256 = Some(at);
                self.end = self.end.min(at);
            }
            //= RFC 8489 §14.7: FINGERPRINT is the last attribute.
            AttributeType::FINGERPRINT if last => {
                self.fingerprint = Some(at);
                self.end = self.end.min(at);
            }
            _ => {}
        }
    }
}

/// Attributes in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    /// The next attribute; nothing at the end and when it is cut off.
    fn next(&mut self) -> Option<Attribute<'a>> {
        let kind = AttributeType(self.reader.u16().ok()?);
        let len = usize::from(self.reader.u16().ok()?);
        let padded = self.reader.take(len.next_multiple_of(4)).ok()?;
        Some(Attribute { kind, value: padded.get(..len)? })
    }
}

#[cfg(test)]
mod tests;
