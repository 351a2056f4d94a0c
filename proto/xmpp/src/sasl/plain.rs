//! The message of PLAIN (RFC 4616 §2): `authzid NUL authcid NUL password`.

use crypto::Secret;

use crate::defaults::SASL_MESSAGE_MAX;

/// What a client of PLAIN says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who it wants to act as, where it says so.
    pub authzid: Option<String>,
    /// Whose password it has.
    pub user: String,
    /// The password, as it was typed.
    pub password: Secret,
}

impl Message {
    /// Reads a message; nothing for one that is not in form.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > SASL_MESSAGE_MAX {
            return None;
        }
        let mut parts = std::str::from_utf8(bytes).ok()?.split('\0');
        let (authzid, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        let in_form = parts.next().is_none() && !user.is_empty() && !password.is_empty();
        in_form.then(|| Self {
            authzid: (!authzid.is_empty()).then(|| authzid.to_owned()),
            user: user.to_owned(),
            password: Secret::new(password),
        })
    }

    /// Writes a message. Neither part may have a NUL in it.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let authzid = self.authzid.as_deref().unwrap_or_default();
        [authzid.as_bytes(), b"\0", self.user.as_bytes(), b"\0", self.password.reveal()].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Message;
    use crate::defaults::SASL_MESSAGE_MAX;

    /// RFC 4616 §4.
    #[test]
    fn rfc_4616_examples() {
        let tim = Message::parse(b"\0tim\0tanstaaftanstaaf").unwrap();
        assert_eq!((tim.authzid.as_deref(), &*tim.user), (None, "tim"));
        assert_eq!(tim.password.reveal(), b"tanstaaftanstaaf");
        let ursel = Message::parse(b"Ursel\0Kurt\0xipj3plmq").unwrap();
        assert_eq!((ursel.authzid.as_deref(), &*ursel.user), (Some("Ursel"), "Kurt"));
    }

    #[test]
    fn not_in_form() {
        for bad in [&b""[..], b"a", b"a\0b", b"\0\0pw", b"\0user\0", b"a\0b\0c\0", b"\0\xff\0c"] {
            assert_eq!(Message::parse(bad), None, "{bad:?}");
        }
        let long = format!("\0u\0{}", "p".repeat(SASL_MESSAGE_MAX));
        assert_eq!(Message::parse(long.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn messages_come_back(authzid in "[^\0]{0,9}", user in "[^\0]{1,9}", password in "[^\0]{1,9}") {
            let authzid = (!authzid.is_empty()).then_some(authzid);
            let message = Message { authzid, user, password: password.into() };
            prop_assert_eq!(Message::parse(&message.write()), Some(message));
        }

        #[test]
        fn nothing_panics(bytes in vec(any::<u8>(), 0..64)) {
            let _ = Message::parse(&bytes);
        }
    }
}
