//! The formula of the response (RFC 7616 §3.4.1 to §3.4.3, RFC 2069 for peers without qop).

use crypto::Secret;

use super::algorithm::{Algorithm, Hash};

/// What a password becomes before it is used: the hash of `user:realm:password`, in hexadecimal
/// digits. It is as good as the password for this user and realm, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ha1 {
    /// The hash that made it.
    pub hash: Hash,
    hex: Secret,
}

impl Ha1 {
    /// Derives the key.
    #[must_use]
    pub fn derive(hash: Hash, user: &str, realm: &str, password: &[u8]) -> Self {
        let hex = hash.hex(&[user.as_bytes(), b":", realm.as_bytes(), b":", password]);
        Self { hash, hex: Secret::new(hex) }
    }

    /// A key as it was kept: hexadecimal digits.
    #[must_use]
    pub fn from_hex(hash: Hash, hex: &str) -> Self {
        Self { hash, hex: Secret::new(hex.to_ascii_lowercase()) }
    }

    /// The digits, to be kept.
    #[must_use]
    pub const fn hex(&self) -> &Secret {
        &self.hex
    }
}

/// What protects the message: nothing more than method and URI, or the body too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop<'a> {
    /// Without `qop`, as RFC 2069 had it.
    Absent,
    /// `auth`.
    Auth(Count<'a>),
    /// `auth-int`.
    AuthInt(Count<'a>),
}

/// The client's part in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<'a> {
    /// The nonce count as eight digits, as written.
    pub nc: &'a str,
    /// The client's nonce.
    pub cnonce: &'a str,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The server's nonce.
    pub nonce: &'a str,
    /// The client's nonce, which the `-sess` variants need even without qop.
    pub cnonce: &'a str,
    /// The protection.
    pub qop: Qop<'a>,
    /// The request's method; empty in Authentication-Info.
    pub method: &'a str,
    /// The `uri` parameter.
    pub uri: &'a str,
    /// The body, which counts with `auth-int` alone.
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// The `response` parameter.
    #[must_use]
    pub fn response(&self, ha1: &Ha1) -> String {
        let hash = self.algorithm.hash;
        let nonce = self.nonce.as_bytes();
        let session;
        let key = if self.algorithm.session {
            //= RFC 7616 §3.4.2: the session variants hash the key with the nonces.
            session = hash.hex(&[ha1.hex.reveal(), b":", nonce, b":", self.cnonce.as_bytes()]);
            session.as_bytes()
        } else {
            ha1.hex.reveal()
        };
        let (method, uri) = (self.method.as_bytes(), self.uri.as_bytes());
        let a2 = match self.qop {
            Qop::AuthInt(_) => {
                let body = hash.hex(&[self.body]);
                hash.hex(&[method, b":", uri, b":", body.as_bytes()])
            }
            Qop::Absent | Qop::Auth(_) => hash.hex(&[method, b":", uri]),
        };
        let with_count = |count: Count<'_>, qop: &[u8]| {
            let (nc, cnonce) = (count.nc.as_bytes(), count.cnonce.as_bytes());
            hash.hex(&[key, b":", nonce, b":", nc, b":", cnonce, b":", qop, b":", a2.as_bytes()])
        };
        match self.qop {
            Qop::Absent => hash.hex(&[key, b":", nonce, b":", a2.as_bytes()]),
            Qop::Auth(count) => with_count(count, b"auth"),
            Qop::AuthInt(count) => with_count(count, b"auth-int"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Count, Ha1, Hash, Qop, Signed};

    fn get(algorithm: Algorithm, nonce: &str, cnonce: &str, nc: bool) -> String {
        let (user, realm) =
            ("Mufasa", if nc { "http-auth@example.org" } else { "testrealm@host.com" });
        let password: &[u8] = if nc { b"Circle of Life" } else { b"CircleOfLife" };
        let ha1 = Ha1::derive(algorithm.hash, user, realm, password);
        let qop = if nc { Qop::Auth(Count { nc: "00000001", cnonce }) } else { Qop::Absent };
        Signed { algorithm, nonce, cnonce, qop, method: "GET", uri: "/dir/index.html", body: b"" }
            .response(&ha1)
    }

    /// RFC 7616 §3.9.1.
    #[test]
    fn examples_of_rfc_7616() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        assert_eq!(get(Hash::Md5.into(), nonce, cnonce, true), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            get(Hash::Sha256.into(), nonce, cnonce, true),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    /// RFC 2069 §2.4 with the response of its erratum 749.
    #[test]
    fn example_of_rfc_2069() {
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        assert_eq!(get(Algorithm::MD5, nonce, "", false), "1949323746fe6a43ef61f9606e7febea");
    }

    /// RFC 7616 §3.9.2 with the response of its erratum 4897.
    #[test]
    fn example_of_sha_512_256() {
        let ha1 = Ha1::derive(
            Hash::Sha512_256,
            "J\u{e4}s\u{f8}n Doe",
            "api@example.org",
            b"Secret, or not?",
        );
        let signed = Signed {
            algorithm: Hash::Sha512_256.into(),
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            qop: Qop::Auth(Count {
                nc: "00000001",
                cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            }),
            method: "GET",
            uri: "/doe.json",
            body: b"",
        };
        assert_eq!(
            signed.response(&ha1),
            "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
        );
    }

    /// The session variant and `auth-int`, against the formula written out.
    #[test]
    fn session_and_body() {
        let ha1 = Ha1::derive(Hash::Md5, "u", "r", b"p");
        let signed = Signed {
            algorithm: Algorithm { hash: Hash::Md5, session: true },
            nonce: "n",
            cnonce: "c",
            qop: Qop::AuthInt(Count { nc: "00000002", cnonce: "c" }),
            method: "INVITE",
            uri: "sip:a@b",
            body: b"v=0",
        };
        let md5 = |text: &str| crypto::to_hex(&crypto::md5(&[text.as_bytes()]));
        let key = md5(&format!("{}:n:c", md5("u:r:p")));
        let a2 = md5(&format!("INVITE:sip:a@b:{}", md5("v=0")));
        assert_eq!(signed.response(&ha1), md5(&format!("{key}:n:00000002:c:auth-int:{a2}")));
    }
}
