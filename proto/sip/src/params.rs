//! Parameters: `;name=value;flag`, on URIs and on header values alike.

use std::borrow::Cow;
use std::fmt;

use crate::text;

/// An ordered list of parameters. Names are compared without case; values stand as they were
/// written, quotes included.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads what follows the first semicolon: `name=value;flag`, white space around `;` and `=`
    /// allowed. `None` if a name is no token or missing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text::split(text, b';').map(param).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Reads like [`parse_rest`](Self::parse_rest), passing over empty parameters.
    pub(crate) fn parse_generously(rest: Option<&str>) -> Option<Self> {
        let pieces = rest.into_iter().flat_map(|text| text::split(text, b';'));
        pieces.filter(|piece| !piece.is_empty()).map(param).collect::<Option<_>>().map(Self)
    }

    /// Reads `rest` as it comes out of a cut at the first semicolon.
    pub(crate) fn parse_rest(rest: Option<&str>) -> Option<Self> {
        rest.map_or(Some(Self::new()), Self::parse)
    }

    /// The value of `name` as written; a flag has the empty value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| is_name(n, name)).map(|(_, v)| v.unwrap_or(""))
    }

    /// The value of `name` without quotes.
    #[must_use]
    pub fn plain(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(text::plain)
    }

    /// Whether `name` is there, with or without a value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets `name` to `value`, where it stood or at the end. What `value` holds beyond a token
    /// is the caller's to quote: [`set_quoted`](Self::set_quoted).
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.put(name, Some(clean(value.into())));
    }

    /// Sets `name` to `value` in quotes.
    pub fn set_quoted(&mut self, name: &str, value: &str) {
        self.put(name, Some(text::quote(value)));
    }

    /// Sets `name` without a value.
    pub fn set_flag(&mut self, name: &str) {
        self.put(name, None);
    }

    /// Removes `name`; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(n, _)| !is_name(n, name));
        self.0.len() != before
    }

    /// Names and values in order; `None` marks a flag.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(n, _)| is_name(n, name)) {
            Some(param) => param.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

/// A name may be written with escapes: `%6C%72` is `lr` (RFC 3261 §19.1.2).
fn is_name(written: &str, name: &str) -> bool {
    written.eq_ignore_ascii_case(name)
        || written.contains('%') && text::unescape(written).eq_ignore_ascii_case(name)
}

fn param(text: &str) -> Option<(String, Option<String>)> {
    let (name, value) = text::cut(text, b'=');
    let (name, value) = (text::trim(name), value.map(text::trim));
    // URI parameters may escape and hold a few characters more than a token.
    let fits = |b: u8| {
        text::is_token_byte(b) || matches!(b, b'[' | b']' | b'/' | b':' | b'&' | b'$' | b'(' | b')')
    };
    (!name.is_empty() && name.bytes().all(fits))
        .then(|| (name.to_owned(), value.map(str::to_owned)))
}

/// Line ends would start a header of the caller's data.
fn clean(value: String) -> String {
    if value.contains(['\r', '\n']) { value.replace(['\r', '\n'], " ") } else { value }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, ";{name}={value}"),
            None => write!(f, ";{name}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn reads_flags_values_quotes_and_space() {
        let params = Params::parse(r#"lr ; Foo = "a;b" ;x="#).unwrap();
        assert_eq!(params.get("lr"), Some(""));
        assert_eq!(params.plain("foo").as_deref(), Some("a;b"));
        assert_eq!(params.get("X"), Some(""));
        assert_eq!(params.to_string(), r#";lr;Foo="a;b";x="#);
        assert_eq!(Params::parse(";"), None);
    }

    #[test]
    fn sets_in_place() {
        let mut params = Params::parse("a=1;b=2").unwrap();
        params.set("A", "3\r\nEvil: x");
        params.set_flag("c");
        assert!(params.remove("B"));
        assert_eq!(params.to_string(), ";a=3  Evil: x;c");
    }
}
