//! Names and passwords as SCRAM carries them: SASLprep (RFC 4013) and `saslname` (RFC 5802 §5.1).

use std::borrow::Cow;

/// Prepares a name or a password: what looks the same is the same. Nothing for text with characters
/// that are forbidden, and for what is empty once prepared.
#[must_use]
pub fn saslprep(text: &str) -> Option<Cow<'_, str>> {
    stringprep::saslprep(text).ok().filter(|prepared| !prepared.is_empty())
}

/// Writes a name so that it can stand between commas.
///
//= RFC 5802 §5.1: a comma is `=2C` and an equals sign `=3D`.
#[must_use]
pub fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// Reads such a name; nothing where an equals sign stands for anything else.
///
//= RFC 5802 §5.1: an equals sign that begins neither `=2C` nor `=3D` fails the authentication.
#[must_use]
pub fn unescape(escaped: &str) -> Option<String> {
    if escaped.contains(['\0', ',']) {
        return None;
    }
    let mut parts = escaped.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        name.push(match code {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{escape, saslprep, unescape};

    /// RFC 4013 §3.
    #[test]
    fn rfc_4013_examples() {
        let prepared = |text: &str| saslprep(text).map(|text| text.into_owned());
        assert_eq!(prepared("I\u{ad}X").as_deref(), Some("IX"));
        assert_eq!(prepared("user").as_deref(), Some("user"));
        assert_eq!(prepared("USER").as_deref(), Some("USER"));
        assert_eq!(prepared("\u{aa}").as_deref(), Some("a"));
        assert_eq!(prepared("\u{2168}").as_deref(), Some("IX"));
        assert_eq!(prepared("\u{7}"), None);
        assert_eq!(prepared("\u{627}1"), None);
        assert_eq!(prepared("\u{ad}"), None);
    }

    #[test]
    fn what_an_equals_sign_may_begin() {
        assert_eq!(unescape("a=2Cb=3Dc").as_deref(), Some("a,b=c"));
        for bad in ["=", "a=2", "=2c", "=3d", "==3D", "a=40"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn names_come_back(name in "[^\0]*") {
            let escaped = escape(&name);
            prop_assert!(!escaped.contains(','));
            prop_assert_eq!(unescape(&escaped), Some(name));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = (unescape(&text), saslprep(&text));
        }
    }
}
