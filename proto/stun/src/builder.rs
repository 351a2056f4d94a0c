//! Writing messages (RFC 8489 §6.1, §14).

use machine::{Endpoint, Writer};

use crate::attribute::{ErrorCode, PasswordAlgorithm, address};
use crate::defaults::MAX_TEXT_WRITTEN_BYTES;
use crate::header::{HEADER_BYTES, message_type};
use crate::integrity::{self, Integrity, Key};
use crate::{AttributeType, Class, MAGIC_COOKIE, Message, Method, TransactionId};

/// Writes one message: start it, add attributes, then integrity, then FINGERPRINT, then
/// [`finish`](Self::finish).
///
/// ```
/// # use wayleave_stun as stun;
/// # use stun::{Builder, Key, Message, Method, TransactionId};
/// # let id = TransactionId([7; 12]);
/// let mut request = Builder::request(Method::BINDING, id);
/// request.username("evtj:h6vY").priority(0x6e00_01ff).ice_controlled(0x932f_f9b1_5126_3b36);
/// request.integrity(&Key::short_term("VOkJxbRl1RmTxUk/WvJxBt")).fingerprint();
/// let bytes = request.finish();
/// assert_eq!(Message::parse(&bytes)?.username(), Some("evtj:h6vY"));
/// # Ok::<(), stun::message::Error>(())
/// ```
///
/// An attribute that would make the message longer than its 16-bit length field can say is left
/// out. No sum of values that [`Message`]'s getters give comes near that.
#[derive(Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    id: TransactionId,
    stage: Stage,
}

/// What may still be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Attributes,
    AfterSha1,
    AfterSha256,
    AfterFingerprint,
}

impl Builder {
    /// Starts a message.
    #[must_use]
    pub fn new(class: Class, method: Method, id: TransactionId) -> Self {
        Self::reusing(Vec::with_capacity(128), class, method, id)
    }

    /// Starts a message in the allocation of `buf`, whose contents are dropped.
    #[must_use]
    pub fn reusing(mut buf: Vec<u8>, class: Class, method: Method, id: TransactionId) -> Self {
        buf.clear();
        let mut writer = Writer::new(&mut buf);
        writer.u16(message_type(class, method)).u16(0).u32(MAGIC_COOKIE).bytes(&id.0);
        Self { bytes: buf, id, stage: Stage::Attributes }
    }

    /// Starts a request.
    #[must_use]
    pub fn request(method: Method, id: TransactionId) -> Self {
        Self::new(Class::Request, method, id)
    }

    /// Starts an indication.
    #[must_use]
    pub fn indication(method: Method, id: TransactionId) -> Self {
        Self::new(Class::Indication, method, id)
    }

    /// Starts the success response to `request`.
    #[must_use]
    pub fn success(request: &Message<'_>) -> Self {
        Self::new(Class::Success, request.method(), request.id())
    }

    /// Starts the error response to `request`, with `code` and the reason phrase of its RFC.
    #[must_use]
    pub fn error(request: &Message<'_>, code: u16) -> Self {
        let mut builder = Self::new(Class::Error, request.method(), request.id());
        builder.error_code(ErrorCode::new(code));
        builder
    }

    /// Adds an attribute.
    ///
    /// # Panics
    /// If the integrity or the FINGERPRINT is there already: what follows does not count.
    pub fn attribute(&mut self, kind: AttributeType, value: &[u8]) -> &mut Self {
        assert!(self.stage == Stage::Attributes, "{kind:?} after the integrity would not count");
        self.put(kind, &[value])
    }

    /// Adds an attribute coded like MAPPED-ADDRESS.
    pub fn address(&mut self, kind: AttributeType, endpoint: Endpoint) -> &mut Self {
        self.attribute(kind, address::Value::new(endpoint).as_bytes())
    }

    /// Adds an attribute coded like XOR-MAPPED-ADDRESS.
    pub fn xor_address(&mut self, kind: AttributeType, endpoint: Endpoint) -> &mut Self {
        self.attribute(kind, address::Value::xor(endpoint, self.id).as_bytes())
    }

    /// Adds MESSAGE-INTEGRITY under `key`.
    ///
    /// # Panics
    /// If another integrity or the FINGERPRINT is there already.
    pub fn integrity(&mut self, key: &Key) -> &mut Self {
        assert!(self.stage < Stage::AfterSha1, "MESSAGE-INTEGRITY comes first");
        self.stage = Stage::AfterSha1;
        let mac = key.mac(Integrity::Sha1, &self.bytes, 20);
        self.put(AttributeType::MESSAGE_INTEGRITY, &[mac.as_bytes()])
    }

    /// Adds MESSAGE-INTEGRITY-SHA256 under `key`, whole; after MESSAGE-INTEGRITY if both are wanted.
    ///
    /// # Panics
    /// If it or the FINGERPRINT is there already.
    pub fn integrity_sha256(&mut self, key: &Key) -> &mut Self {
        self.integrity_sha256_cut(key, 32)
    }

    /// Adds MESSAGE-INTEGRITY-SHA256 under `key`, cut to `value_bytes`, as a usage may specify.
    ///
    /// # Panics
    /// If it or the FINGERPRINT is there already, and if `value_bytes` is not 16, 20, 24, 28 or 32.
    pub fn integrity_sha256_cut(&mut self, key: &Key, value_bytes: usize) -> &mut Self {
        assert!(
            self.stage < Stage::AfterSha256,
            "one MESSAGE-INTEGRITY-SHA256, before FINGERPRINT"
        );
        assert!(matches!(value_bytes, 16 | 20 | 24 | 28 | 32), "RFC 8489 §14.6 has no such length");
        self.stage = Stage::AfterSha256;
        let mac = key.mac(Integrity::Sha256, &self.bytes, value_bytes);
        self.put(AttributeType::MESSAGE_INTEGRITY_SHA256, &[mac.as_bytes()])
    }

    /// Adds the integrity of the given kind, whole: for answering in the way that was asked.
    ///
    /// # Panics
    /// As [`integrity`](Self::integrity) and [`integrity_sha256`](Self::integrity_sha256) do.
    pub fn integrity_of(&mut self, integrity: Integrity, key: &Key) -> &mut Self {
        match integrity {
            Integrity::Sha1 => self.integrity(key),
            Integrity::Sha256 => self.integrity_sha256(key),
        }
    }

    /// Adds FINGERPRINT.
    ///
    /// # Panics
    /// If it is there already.
    pub fn fingerprint(&mut self) -> &mut Self {
        assert!(self.stage < Stage::AfterFingerprint, "one FINGERPRINT");
        self.stage = Stage::AfterFingerprint;
        let crc = integrity::fingerprint(&self.bytes);
        self.put(AttributeType::FINGERPRINT, &[&crc.to_be_bytes()])
    }

    /// The message. The builder is spent: it holds nothing afterwards.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Appends an attribute whose value comes in parts, pads it with zeros and adjusts the length.
    fn put(&mut self, kind: AttributeType, parts: &[&[u8]]) -> &mut Self {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let total = self.bytes.len().saturating_sub(HEADER_BYTES) + 4 + len.next_multiple_of(4);
        if let (Ok(len), Ok(total)) = (u16::try_from(len), u16::try_from(total)) {
            let mut writer = Writer::new(&mut self.bytes);
            writer.u16(kind.0).u16(len);
            parts.iter().for_each(|part| {
                writer.bytes(part);
            });
            writer.pad(4);
            let [high, low] = total.to_be_bytes();
            if let [_, _, l0, l1, ..] = self.bytes.as_mut_slice() {
                (*l0, *l1) = (high, low);
            }
        }
        self
    }
}

/// The attributes of RFC 8489 §14.
impl Builder {
    /// Adds MAPPED-ADDRESS.
    pub fn mapped_address(&mut self, endpoint: Endpoint) -> &mut Self {
        self.address(AttributeType::MAPPED_ADDRESS, endpoint)
    }

    /// Adds XOR-MAPPED-ADDRESS.
    pub fn xor_mapped_address(&mut self, endpoint: Endpoint) -> &mut Self {
        self.xor_address(AttributeType::XOR_MAPPED_ADDRESS, endpoint)
    }

    /// Adds USERNAME.
    pub fn username(&mut self, username: &str) -> &mut Self {
        self.attribute(AttributeType::USERNAME, username.as_bytes())
    }

    /// Adds USERHASH, which [`userhash`](crate::integrity::userhash) makes.
    pub fn userhash(&mut self, userhash: &[u8; 32]) -> &mut Self {
        self.attribute(AttributeType::USERHASH, userhash)
    }

    /// Adds REALM.
    pub fn realm(&mut self, realm: &str) -> &mut Self {
        self.attribute(AttributeType::REALM, realm.as_bytes())
    }

    /// Adds NONCE.
    pub fn nonce(&mut self, nonce: &[u8]) -> &mut Self {
        self.attribute(AttributeType::NONCE, nonce)
    }

    /// Adds ERROR-CODE; a reason phrase that is too long is cut.
    pub fn error_code(&mut self, error: ErrorCode<'_>) -> &mut Self {
        let reason = cut(error.reason);
        let (head, reason) = (error.head(), reason.as_bytes());
        self.put(AttributeType::ERROR_CODE, &[&head, reason])
    }

    /// Adds UNKNOWN-ATTRIBUTES.
    pub fn unknown_attributes(&mut self, unknown: &[AttributeType]) -> &mut Self {
        let value: Vec<u8> = unknown.iter().flat_map(|kind| kind.0.to_be_bytes()).collect();
        self.attribute(AttributeType::UNKNOWN_ATTRIBUTES, &value)
    }

    /// Adds PASSWORD-ALGORITHMS, none with parameters.
    pub fn password_algorithms(&mut self, algorithms: &[PasswordAlgorithm]) -> &mut Self {
        let value: Vec<u8> = algorithms.iter().flat_map(|a| entry(*a)).collect();
        self.attribute(AttributeType::PASSWORD_ALGORITHMS, &value)
    }

    /// Adds PASSWORD-ALGORITHM without parameters.
    pub fn password_algorithm(&mut self, algorithm: PasswordAlgorithm) -> &mut Self {
        self.attribute(AttributeType::PASSWORD_ALGORITHM, &entry(algorithm))
    }

    /// Adds SOFTWARE; what is too long is cut.
    pub fn software(&mut self, software: &str) -> &mut Self {
        self.attribute(AttributeType::SOFTWARE, cut(software).as_bytes())
    }

    /// Adds ALTERNATE-SERVER.
    pub fn alternate_server(&mut self, endpoint: Endpoint) -> &mut Self {
        self.address(AttributeType::ALTERNATE_SERVER, endpoint)
    }

    /// Adds ALTERNATE-DOMAIN.
    pub fn alternate_domain(&mut self, domain: &str) -> &mut Self {
        self.attribute(AttributeType::ALTERNATE_DOMAIN, domain.as_bytes())
    }
}

/// The attributes of RFC 8445 §16.1.
impl Builder {
    /// Adds PRIORITY.
    pub fn priority(&mut self, priority: u32) -> &mut Self {
        self.attribute(AttributeType::PRIORITY, &priority.to_be_bytes())
    }

    /// Adds USE-CANDIDATE.
    pub fn use_candidate(&mut self) -> &mut Self {
        self.attribute(AttributeType::USE_CANDIDATE, &[])
    }

    /// Adds ICE-CONTROLLED.
    pub fn ice_controlled(&mut self, tie_breaker: u64) -> &mut Self {
        self.attribute(AttributeType::ICE_CONTROLLED, &tie_breaker.to_be_bytes())
    }

    /// Adds ICE-CONTROLLING.
    pub fn ice_controlling(&mut self, tie_breaker: u64) -> &mut Self {
        self.attribute(AttributeType::ICE_CONTROLLING, &tie_breaker.to_be_bytes())
    }
}

/// An entry of PASSWORD-ALGORITHMS without parameters.
const fn entry(algorithm: PasswordAlgorithm) -> [u8; 4] {
    let [high, low] = algorithm.value().to_be_bytes();
    [high, low, 0, 0]
}

/// The start of `text` that SOFTWARE and reason phrases may have: fewer than 128 characters.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(127).map_or(text.len(), |(at, _)| at);
    &text[..text.floor_char_boundary(end.min(MAX_TEXT_WRITTEN_BYTES))]
}
