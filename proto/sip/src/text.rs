//! Pieces of the grammar that many headers share (RFC 3261 §25.1): tokens, quoted strings, lists,
//! escapes.

use std::borrow::Cow;

/// Whether `byte` may stand in a token.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether `text` is a token: one or more token characters.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// `text` without white space around it.
pub(crate) fn trim(text: &str) -> &str {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let bytes = text.as_bytes();
    let Some(start) = bytes.iter().position(|byte| !space(byte)) else { return "" };
    let end = bytes.iter().rposition(|byte| !space(byte)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or(text)
}

/// Where `wanted` first stands outside of quotes and angle brackets.
pub(crate) fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut angled) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angled => quoted = !quoted,
            _ if quoted => {}
            _ if byte == wanted && !angled => return Some(at),
            b'<' => angled = true,
            b'>' => angled = false,
            _ => {}
        }
    }
    None
}

/// Cuts `text` in two at the first `separator` outside of quotes and angle brackets.
pub(crate) fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    find_outside(text, separator)
        .and_then(|at| Some((text.get(..at)?, Some(text.get(at + 1..)?))))
        .unwrap_or((text, None))
}

/// The pieces of `text` between separators outside of quotes and angle brackets, trimmed.
pub(crate) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (head, tail) = cut(rest?, separator);
        rest = tail;
        Some(trim(head))
    })
}

/// `text` in double quotes, escaped as a quoted-string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            // No quoted pair holds a line end.
            '\r' | '\n' => quoted.push(' '),
            '"' | '\\' | '\0'..' ' | '\x7f' => quoted.extend(['\\', c]),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What a quoted-string says; `None` if `text` is not exactly one.
pub(crate) fn unquote(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?;
    let mut plain = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if at + 1 == inner.len() && plain.is_empty() => {
                return inner.get(..at).map(Cow::Borrowed);
            }
            '"' => return (at + 1 == inner.len()).then_some(Cow::Owned(plain)),
            '\\' => {
                if plain.is_empty() {
                    plain.push_str(inner.get(..at)?);
                }
                plain.push(chars.next()?.1);
            }
            _ if !plain.is_empty() => plain.push(c),
            _ => {}
        }
    }
    None
}

/// The value of a parameter or display name, without quotes if it had them.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    unquote(text).unwrap_or(Cow::Borrowed(text))
}

/// Whether every `%` in `text` is followed by two hexadecimal digits.
pub(crate) fn escapes_are_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|&(_, &b)| b == b'%')
        .all(|(at, _)| hex_pair(bytes, at).is_some())
}

/// The byte that `%hh` at `at` stands for.
fn hex_pair(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |i: usize| char::from(*bytes.get(i)?).to_digit(16);
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

/// Decodes `%hh` where `decode` likes the byte it stands for; other escapes get capital digits.
pub(crate) fn unescape_where(text: &str, decode: impl Fn(u8) -> bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex_pair(bytes, at)) {
            (b'%', Some(escaped)) if decode(escaped) => {
                plain.push(escaped);
                at += 3;
            }
            (b'%', Some(escaped)) => {
                plain.extend_from_slice(format!("%{escaped:02X}").as_bytes());
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

/// Decodes every escape; what would not be UTF-8 then stays escaped.
pub(crate) fn unescape(text: &str) -> String {
    String::from_utf8(unescape_where(text, |_| true)).unwrap_or_else(|_| text.to_owned())
}

/// The form of `text` under which equal things look equal (RFC 3261 §19.1.4): unreserved
/// characters plain, all else as it is, its escapes with capital digits.
pub(crate) fn normal_escapes(text: &str) -> String {
    String::from_utf8(unescape_where(text, is_unreserved)).unwrap_or_else(|_| text.to_owned())
}

/// Whether a byte is `unreserved`: never needs an escape.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

/// Escapes each byte that is neither unreserved nor in `also`.
pub(crate) fn escape(text: &str, also: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) || also.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_of_quotes_and_brackets() {
        let list = r#""a, \", b" <sip:a,b@c>;x="1,2" , <sip:d>,e"#;
        let pieces: Vec<_> = split(list, b',').collect();
        assert_eq!(pieces, [r#""a, \", b" <sip:a,b@c>;x="1,2""#, "<sip:d>", "e"]);
        assert_eq!(split("", b',').collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn quoting_round_trips() {
        for text in ["", "a", r#"a"b\c"#, "\\", "\"", "ü \" ü", "a\0\x07\x7f\t"] {
            assert_eq!(unquote(&quote(text)).as_deref(), Some(text));
        }
        assert_eq!(unquote(r#""a"b""#), None);
        assert_eq!(unquote(r#""a"#), None);
        assert_eq!(unquote(r#""a\"#), None);
        assert_eq!(unquote("\""), None);
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("a%00b%6A"), "a\0bj");
        assert_eq!(unescape("%ff"), "%ff");
        assert_eq!(normal_escapes("%6a%3b"), "j%3B");
        assert_eq!(escape("a b%;", b";"), "a%20b%25;");
        assert!(escapes_are_whole("%41"));
        assert!(!escapes_are_whole("%4"));
        assert!(!escapes_are_whole("%4g"));
    }
}
