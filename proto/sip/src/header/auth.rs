//! WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization and
//! Authentication-Info as text: a scheme and a list of parameters (RFC 7235 §2.1).
//!
//! What the parameters mean is the business of [`crate::auth`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::Malformed;
use crate::text;

/// `name=value, name="value"`: values as written, names without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthParams(Vec<(String, String)>);

impl AuthParams {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of `name`, without quotes.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| text::plain(v))
    }

    /// Adds `name=value`; the value is a token.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds `name="value"`.
    pub fn push_quoted(&mut self, name: &str, value: &str) {
        self.push(name, text::quote(value));
    }

    /// Names and values as written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromStr for AuthParams {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut params = Self::new();
        // Empty elements are allowed in such lists, and peers write them.
        for item in text::split(text, b',').filter(|item| !item.is_empty()) {
            let (name, value) = item.split_once('=').ok_or(Malformed)?;
            let (name, value) = (text::trim(name), text::trim(value));
            let whole = !value.starts_with('"') || text::unquote(value).is_some();
            //= RFC 7616 §3.3, §3.4: no parameter may stand twice.
            if !text::is_token(name) || !whole || params.get(name).is_some() {
                return Err(Malformed);
            }
            params.push(name, value);
        }
        Ok(params)
    }
}

impl fmt::Display for AuthParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(i, (name, value))| {
            write!(f, "{}{name}={value}", if i == 0 { "" } else { ", " })
        })
    }
}

macro_rules! scheme_and_params {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// `Digest`.
            pub scheme: String,
            /// What the scheme wants to know.
            pub params: AuthParams,
        }

        impl $name {
            /// A `Digest` with no parameters yet.
            #[must_use]
            pub fn digest() -> Self {
                Self { scheme: "Digest".to_owned(), params: AuthParams::new() }
            }

            /// Whether the scheme is Digest.
            #[must_use]
            pub fn is_digest(&self) -> bool {
                self.scheme.eq_ignore_ascii_case("Digest")
            }

            /// The value of a parameter, without quotes.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
                self.params.get(name)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                let (scheme, params) = text.split_once([' ', '\t']).ok_or(Malformed)?;
                if !text::is_token(scheme) {
                    return Err(Malformed);
                }
                Ok(Self { scheme: scheme.to_owned(), params: params.parse()? })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {}", self.scheme, self.params)
            }
        }
    };
}

scheme_and_params! {
    /// One challenge of WWW-Authenticate or Proxy-Authenticate.
    Challenge
}

scheme_and_params! {
    /// One answer in Authorization or Proxy-Authorization.
    Credentials
}

#[cfg(test)]
mod tests {
    use super::{Challenge, Credentials};

    #[test]
    fn reads_what_peers_write() {
        let challenge: Challenge =
            "digest realm = \"a, \\\"b\\\"\" ,, nonce=\"x==\",qop=\"auth,auth-int\", stale=FALSE,"
                .parse()
                .unwrap();
        assert!(challenge.is_digest());
        assert_eq!(challenge.get("realm").as_deref(), Some("a, \"b\""));
        assert_eq!(challenge.get("NONCE").as_deref(), Some("x=="));
        assert_eq!(challenge.get("stale").as_deref(), Some("FALSE"));
        assert_eq!(challenge.to_string().parse(), Ok(challenge));
    }

    #[test]
    fn refuses_doubles_and_open_quotes() {
        for text in ["Digest", "Digest realm", "Digest a=1, A=2", "Digest a=\"b", "Di(gest a=b"] {
            assert!(text.parse::<Credentials>().is_err(), "{text}");
        }
    }
}
