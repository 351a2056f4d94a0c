use machine::Endpoint;
use proptest::prelude::*;

use super::{Attribute, Error, Message};
use crate::attribute::{UNDERSTOOD, UNDERSTOOD_BY_ICE};
use crate::{
    AttributeType, Builder, Class, ErrorCode, Integrity, IntegrityError, Key, Method,
    PasswordAlgorithm, TransactionId,
};

const ID: TransactionId = TransactionId(*b"transaction!");

fn builder() -> Builder {
    Builder::request(Method::BINDING, ID)
}

fn key() -> Key {
    Key::short_term("password")
}

#[test]
fn every_attribute_round_trips() {
    let v4: Endpoint = "192.0.2.1:32853".parse().unwrap();
    let v6: Endpoint = "[2001:db8::1]:1".parse().unwrap();
    let mut b = builder();
    b.mapped_address(v4)
        .xor_mapped_address(v6)
        .alternate_server(v6)
        .alternate_domain("example.org");
    b.username("alice").userhash(&[3; 32]).realm("example.org").nonce(b"nonce\xff");
    b.error_code(ErrorCode { code: 487, reason: "Role Conflict" });
    b.unknown_attributes(&[AttributeType(0x7001), AttributeType(2), AttributeType(3)]);
    b.password_algorithms(&[PasswordAlgorithm::Sha256, PasswordAlgorithm::Unknown(9)]);
    b.password_algorithm(PasswordAlgorithm::Md5).software("Wayleave");
    b.priority(0x6e00_01ff).use_candidate().ice_controlled(5).ice_controlling(u64::MAX);
    b.integrity(&key()).integrity_sha256(&key()).fingerprint();
    let bytes = b.finish();
    let m = Message::parse(&bytes).unwrap();
    assert_eq!((m.class(), m.method(), m.id()), (Class::Request, Method::BINDING, ID));
    assert_eq!((m.mapped_address(), m.xor_mapped_address()), (Some(v4), Some(v6)));
    assert_eq!(m.reflexive_address(), Some(v6));
    assert_eq!((m.alternate_server(), m.alternate_domain()), (Some(v6), Some("example.org")));
    assert_eq!((m.username(), m.userhash()), (Some("alice"), Some([3; 32])));
    assert_eq!((m.realm(), m.nonce()), (Some("example.org"), Some(&b"nonce\xff"[..])));
    assert_eq!(m.error_code(), Some(ErrorCode::new(487)));
    let unknown: Vec<_> = m.unknown_attributes().map(|kind| kind.0).collect();
    assert_eq!(unknown, [0x7001, 2, 3]);
    let algorithms = vec![PasswordAlgorithm::Sha256, PasswordAlgorithm::Unknown(9)];
    assert_eq!(m.password_algorithms(), Some(algorithms));
    assert_eq!(m.password_algorithm(), Some(PasswordAlgorithm::Md5));
    assert_eq!(m.software(), Some("Wayleave"));
    assert_eq!((m.priority(), m.use_candidate()), (Some(0x6e00_01ff), true));
    assert_eq!((m.ice_controlled(), m.ice_controlling()), (Some(5), Some(u64::MAX)));
    assert_eq!(m.verify_integrity(&key()), Ok(Integrity::Sha256));
    assert!(m.has_fingerprint());
    assert_eq!(m.all_attributes().count(), m.attributes().count() + 3);
}

#[test]
fn structure_is_checked() {
    let bytes = builder().username("abc").finish();
    let parse = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        edit(&mut bytes);
        Message::parse(&bytes).map(|_| ())
    };
    assert_eq!(parse(&|_| ()), Ok(()));
    assert_eq!(parse(&|b| b.truncate(19)), Err(Error::Truncated));
    assert_eq!(parse(&|b| b[0] = 0x80), Err(Error::NotStun));
    assert_eq!(parse(&|b| b[4] = 0), Err(Error::NotStun));
    assert_eq!(parse(&|b| b.push(0)), Err(Error::Length));
    assert_eq!(parse(&|b| b[3] += 1), Err(Error::Length));
    assert_eq!(parse(&|b| b[23] = 5), Err(Error::Attribute));
}

#[test]
fn what_follows_the_integrity_does_not_count() {
    let mut bytes = builder().username("alice").integrity(&key()).finish();
    let tail = builder().use_candidate().username("mallory").finish();
    bytes.extend(&tail[20..]);
    bytes[3] += u8::try_from(tail.len() - 20).unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.verify_integrity(&key()), Ok(Integrity::Sha1));
    assert!(!message.use_candidate());
    assert_eq!(message.attributes().count(), 1);
    assert_eq!(message.all_attributes().count(), 4);
}

#[test]
fn a_sha1_integrity_after_the_sha256_one_does_not_count() {
    let mut bytes = builder().integrity_sha256(&key()).finish();
    bytes.extend([0, 8, 0, 20]);
    bytes.extend([0; 20]);
    bytes[3] += 24;
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.verify_integrity(&key()), Ok(Integrity::Sha256));
}

#[test]
fn the_first_of_several_counts() {
    let bytes = builder().username("first").username("second").finish();
    assert_eq!(Message::parse(&bytes).unwrap().username(), Some("first"));
}

#[test]
fn integrity_fails_when_missing_wrong_or_too_short() {
    let plain = builder().finish();
    let missing = Message::parse(&plain).unwrap().verify_integrity(&key());
    assert_eq!(missing, Err(IntegrityError::Missing));
    let verify = |bytes: &[u8], key: &Key| Message::parse(bytes).unwrap().verify_integrity(key);
    for len in [16, 20, 24, 28, 32] {
        let bytes = builder().integrity_sha256_cut(&key(), len).fingerprint().finish();
        assert_eq!(verify(&bytes, &key()), Ok(Integrity::Sha256));
        assert_eq!(verify(&bytes, &Key::short_term("other")), Err(IntegrityError::Wrong));
    }
    // A MESSAGE-INTEGRITY-SHA256 cut to 12 bytes: right as far as it goes, and too short.
    let whole = builder().integrity_sha256(&key()).finish();
    let mut short = whole[..36].to_vec();
    (short[3], short[23]) = (16, 12);
    assert_eq!(verify(&short, &key()), Err(IntegrityError::Wrong));
}

#[test]
fn a_wrong_fingerprint_is_not_stun() {
    let mut bytes = builder().fingerprint().finish();
    bytes[10] ^= 1;
    assert_eq!(Message::parse(&bytes).map(|_| ()), Err(Error::Fingerprint));
}

#[test]
fn a_fingerprint_that_is_not_last_is_an_attribute_like_any() {
    let mut bytes = builder().fingerprint().finish();
    bytes.extend([0x80, 0x22, 0, 0]);
    bytes[3] += 4;
    let message = Message::parse(&bytes).unwrap();
    assert!(!message.has_fingerprint());
    assert_eq!(message.attributes().count(), 2);
}

#[test]
fn unknown_attributes_are_kept_and_reported() {
    let kind = AttributeType(0x7abc);
    let bytes = builder().attribute(kind, b"xyz").attribute(kind, b"").priority(1).finish();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.attribute(kind), Some(&b"xyz"[..]));
    assert_eq!(message.unknown_required(UNDERSTOOD_BY_ICE), [kind]);
    assert_eq!(message.unknown_required(UNDERSTOOD), [kind, AttributeType::PRIORITY]);
}

#[test]
fn malformed_values_read_as_missing() {
    let mut b = builder();
    b.attribute(AttributeType::PRIORITY, &[1, 2, 3]);
    b.attribute(AttributeType::USERNAME, &[0xff]);
    b.attribute(AttributeType::REALM, &[b'a'; 764]);
    b.attribute(AttributeType::ERROR_CODE, &[0, 0, 7, 0]);
    b.attribute(AttributeType::XOR_MAPPED_ADDRESS, &[0; 21]);
    b.attribute(AttributeType::PASSWORD_ALGORITHMS, &[0, 1, 0, 9]);
    let bytes = b.finish();
    let m = Message::parse(&bytes).unwrap();
    assert_eq!((m.priority(), m.username(), m.realm()), (None, None, None));
    assert_eq!((m.error_code(), m.xor_mapped_address()), (None, None));
    assert_eq!(m.password_algorithms(), None);
}

#[test]
fn limits_of_what_is_written() {
    let long = "ß".repeat(200);
    let bytes = builder().software(&long).finish();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.software().unwrap().chars().count(), 127);
    // What does not fit into the length field is left out whole.
    let mut b = builder();
    b.attribute(AttributeType(0xf000), &[1; 65_000]).attribute(AttributeType(0xf001), &[2; 600]);
    let bytes = b.attribute(AttributeType(0xf002), &[3; 70_000]).username("alice").finish();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.attributes().count(), 2);
    assert_eq!(message.username(), Some("alice"));
}

#[test]
fn many_password_algorithms_are_not_all_looked_at() {
    let many = [PasswordAlgorithm::Md5; 300];
    let bytes = builder().password_algorithms(&many).finish();
    let read = Message::parse(&bytes).unwrap().password_algorithms().unwrap();
    assert_eq!(read.len(), crate::defaults::MAX_PASSWORD_ALGORITHMS);
}

/// Calls every getter.
fn look_at(m: &Message<'_>) {
    let _ = (m.mapped_address(), m.xor_mapped_address(), m.reflexive_address(), m.username());
    let _ = (m.userhash(), m.realm(), m.nonce(), m.error_code(), m.unknown_attributes().count());
    let _ = (m.password_algorithms(), m.password_algorithm(), m.software());
    let _ = (m.alternate_server(), m.alternate_domain(), m.priority(), m.use_candidate());
    let _ = (m.ice_controlled(), m.ice_controlling(), m.verify_integrity(&key()));
    let _ = (m.unknown_required(UNDERSTOOD), format!("{m:?}"), m.all_attributes().count());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        if let Ok(message) = Message::parse(&bytes) {
            look_at(&message);
        }
    }

    #[test]
    fn arbitrary_attributes_never_panic(
        kinds in prop::collection::vec((0_u16..0x30, any::<bool>(), any::<Vec<u8>>()), 0..12),
        cut in 0_usize..400,
    ) {
        let mut b = builder();
        for (kind, optional, value) in kinds {
            b.attribute(AttributeType(kind | u16::from(optional) << 15), &value);
        }
        let mut bytes = b.finish();
        if let Ok(message) = Message::parse(&bytes) {
            look_at(&message);
        }
        bytes.truncate(cut);
        if let Ok(message) = Message::parse(&bytes) {
            look_at(&message);
        }
    }

    #[test]
    fn what_is_written_is_read(
        class in prop::sample::select(
            &[Class::Request, Class::Indication, Class::Success, Class::Error][..]
        ),
        method in 0_u16..0x1000,
        id: [u8; 12],
        // From 0x4000 on, so that none is an integrity.
        attributes in prop::collection::vec((0x4000_u16..0x8000, any::<Vec<u8>>()), 0..20),
        password: String,
        sha256: bool,
    ) {
        let (method, id, key) = (Method::new(method), TransactionId(id), Key::short_term(&password));
        let integrity = if sha256 { Integrity::Sha256 } else { Integrity::Sha1 };
        let mut b = Builder::new(class, method, id);
        for (kind, value) in &attributes {
            b.attribute(AttributeType(*kind), value);
        }
        let bytes = b.integrity_of(integrity, &key).fingerprint().finish();
        prop_assert!(crate::is_stun(&bytes));
        prop_assert_eq!(crate::header::stream_bytes(&bytes), Some(bytes.len()));
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!((message.class(), message.method(), message.id()), (class, method, id));
        let read: Vec<_> = message.attributes().collect();
        let written: Vec<_> = attributes
            .iter()
            .map(|(kind, value)| Attribute { kind: AttributeType(*kind), value })
            .collect();
        prop_assert_eq!(read, written);
        prop_assert_eq!(message.verify_integrity(&key), Ok(integrity));
    }

    #[test]
    fn a_changed_bit_is_noticed(at in 0_usize..72, bit in 0_u32..8) {
        let mut bytes = builder().username("alice").software("abc").integrity(&key()).finish();
        let whole = bytes.len();
        prop_assert_eq!(whole, 64);
        bytes[at % whole] ^= 1 << bit;
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert!(message.verify_integrity(&key()).is_err());
        }
    }
}
