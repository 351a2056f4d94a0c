//! `tls-server-end-point`: a certificate hashed the way that it was signed (RFC 5929 §4.1).

use machine::Reader;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The channel binding of a server's certificate in DER; `None` if its signature uses no single
/// hash function, or is unknown.
pub(crate) fn hash(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signature_hash(signature_algorithm(certificate)?)? {
        // RFC 5929 §4.1: MD5 and SHA-1 become SHA-256.
        Hash::Sha256OrWeaker => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256OrWeaker,
    Sha384,
    Sha512,
}

/// The hash function of a signature algorithm, by the bytes of its object identifier.
fn signature_hash(oid: &[u8]) -> Option<Hash> {
    /// 1.2.840.113549.1.1: RSA of PKCS #1 (RFC 8017 App. A.2).
    const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    /// 1.2.840.10045.4.1: ECDSA with SHA-1 (RFC 3279 §2.2.3).
    const ECDSA_SHA1: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    /// 1.2.840.10045.4.3: ECDSA with SHA-2 (RFC 5758 §3.2).
    const ECDSA: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    if oid == ECDSA_SHA1 {
        return Some(Hash::Sha256OrWeaker);
    }
    let (last, family) = oid.split_last()?;
    if family == RSA {
        // MD5, SHA-1 and SHA-256; SHA-384; SHA-512.
        return match last {
            4 | 5 | 11 => Some(Hash::Sha256OrWeaker),
            12 => Some(Hash::Sha384),
            13 => Some(Hash::Sha512),
            _ => None,
        };
    }
    if family == ECDSA {
        return match last {
            2 => Some(Hash::Sha256OrWeaker),
            3 => Some(Hash::Sha384),
            4 => Some(Hash::Sha512),
            _ => None,
        };
    }
    None
}

/// The object identifier of the algorithm that signed a certificate:
/// `SEQUENCE { tbsCertificate, SEQUENCE { OID, … }, … }` (RFC 5280 §4.1).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let mut certificate = Reader::new(element(&mut Reader::new(certificate), SEQUENCE)?);
    element(&mut certificate, SEQUENCE)?;
    let algorithm = element(&mut certificate, SEQUENCE)?;
    element(&mut Reader::new(algorithm), OBJECT_IDENTIFIER)
}

/// The contents of the next DER element, which must have the tag `tag`.
fn element<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    if reader.u8().ok()? != tag {
        return None;
    }
    let len = match reader.u8().ok()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8().ok()?),
        0x82 => usize::from(reader.u16().ok()?),
        // No certificate is as long.
        _ => return None,
    };
    reader.take(len).ok()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256, Sha384};

    use super::hash;

    /// As much of a certificate as counts, signed with the algorithm `oid`.
    fn certificate(oid: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, inner: &[u8]| [&[tag, inner.len() as u8][..], inner].concat();
        let algorithm = wrap(0x30, &wrap(0x06, oid));
        wrap(0x30, &[wrap(0x30, b"to be signed"), algorithm, wrap(0x03, b"signature")].concat())
    }

    #[test]
    fn by_the_hash_of_the_signature() {
        let rsa_sha1 = certificate(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]);
        assert_eq!(hash(&rsa_sha1), Some(Sha256::digest(&rsa_sha1).to_vec()));
        let ecdsa_sha384 = certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]);
        assert_eq!(hash(&ecdsa_sha384), Some(Sha384::digest(&ecdsa_sha384).to_vec()));
        let ed25519 = certificate(&[0x2b, 0x65, 0x70]);
        assert_eq!(hash(&ed25519), None);
    }

    #[test]
    fn what_is_no_certificate() {
        let whole = certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
        for len in 0..whole.len() {
            assert_eq!(hash(&whole[..len]), None);
        }
    }
}
