//! Elements, read within limits. Doctypes, entities and instructions are refused; comments are
//! skipped, since descriptions of routers have some. Attributes are not kept: UPnP's say nothing.

use rxml::error::EndOrError;
use rxml::parser::CommentMode;
use rxml::{Event, Options, Parse, Parser, WithOptions};

use super::defaults;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its namespace, empty if it has none.
    pub namespace: String,
    /// Its local name.
    pub name: String,
    /// The text of all its text nodes, joined.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
}

/// Why a document was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A doctype, an entity or an instruction.
    #[error("the XML has a doctype, an entity or an instruction")]
    Forbidden,
    /// Larger than it may be.
    #[error("the XML has {0} than allowed")]
    TooLarge(&'static str),
    /// It ends before its root element does.
    #[error("the XML ends too early")]
    Truncated,
    /// Not XML.
    #[error("not XML: {0}")]
    Malformed(String),
}

impl Element {
    /// The first child of this local name. Its namespace is not looked at: routers get it wrong.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this local name, without white space around it.
    #[must_use]
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// The same element with another one in it, and text in that.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        let (namespace, name, text) = (self.namespace.clone(), name.into(), text.into());
        self.children.push(Self { namespace, name, text, children: Vec::new() });
        self
    }
}

/// Reads a document; what follows its root element is not looked at, nor white space before it.
///
/// # Errors
/// [`Error`].
pub fn read(bytes: &[u8]) -> Result<Element, Error> {
    let options = Options {
        max_token_length: defaults::XML_TOKEN_BYTES,
        comments: CommentMode::Discard,
        ..Options::default()
    };
    let mut parser = Parser::with_options(options);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut rest = bytes.trim_ascii_start();
    let mut stack: Vec<Element> = Vec::new();
    let mut elements = 0;
    loop {
        match parser.parse(&mut rest, true) {
            Ok(Some(Event::XmlDeclaration(..))) => {}
            Ok(Some(Event::StartElement(_, (namespace, name), attributes))) => {
                elements += 1;
                if elements > defaults::XML_ELEMENTS {
                    return Err(Error::TooLarge("more elements"));
                }
                if attributes.len() > defaults::XML_ATTRIBUTES {
                    return Err(Error::TooLarge("more attributes"));
                }
                if stack.len() >= defaults::XML_DEPTH {
                    return Err(Error::TooLarge("more elements in elements"));
                }
                let (namespace, name) = (String::from(namespace), name.to_string());
                stack.push(Element { namespace, name, ..Element::default() });
            }
            Ok(Some(Event::Text(_, text))) => {
                if let Some(element) = stack.last_mut() {
                    element.text.push_str(&text);
                }
            }
            Ok(Some(Event::EndElement(_))) => {
                let element = stack.pop().ok_or(Error::Truncated)?;
                match stack.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(element),
                }
            }
            Ok(None) | Err(EndOrError::NeedMoreData) => return Err(Error::Truncated),
            Err(EndOrError::Error(error)) => return Err(named(error)),
        }
    }
}

fn named(error: rxml::Error) -> Error {
    use rxml::Error as E;
    match error {
        E::RestrictedXml(text) if text.contains("long") => {
            Error::TooLarge("a longer name or value")
        }
        E::RestrictedXml(_) | E::UndeclaredEntity => Error::Forbidden,
        // `<!` of which neither a comment nor CDATA comes: nothing else stands there than a doctype.
        E::InvalidSyntax(text) if text.contains("comment") => Error::Forbidden,
        E::InvalidEof(_) => Error::Truncated,
        other => Error::Malformed(other.to_string()),
    }
}

/// Writes a document.
#[must_use]
pub fn write(root: &Element) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?>\n");
    write_in(root, "", &mut out);
    out
}

fn write_in(element: &Element, outer: &str, out: &mut String) {
    out.push('<');
    out.push_str(&element.name);
    if element.namespace != outer {
        out.push_str(" xmlns=\"");
        escape(&element.namespace, out);
        out.push('"');
    }
    out.push('>');
    escape(&element.text, out);
    for child in &element.children {
        write_in(child, &element.namespace, out);
    }
    out.push_str("</");
    out.push_str(&element.name);
    out.push('>');
}

/// Writes text or an attribute's value so that a parser reads the same; what XML cannot carry becomes
/// U+FFFD.
pub(crate) fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // A parser would normalise them (XML 1.0 §2.11, §3.3.3).
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(char))),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Element, Error, read, write};
    use crate::upnp::defaults;

    #[test]
    fn doctypes_entities_and_instructions_are_refused() {
        for document in [
            "<!DOCTYPE a><a/>",
            "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>",
            "<!DOCTYPE a SYSTEM \"http://192.0.2.1/\"><a/>",
            "<a>&b;</a>",
            "<a b='&c;'/>",
            "<a><?php ?></a>",
        ] {
            assert_eq!(read(document.as_bytes()), Err(Error::Forbidden), "{document}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_by_its_name() {
        let deep = "<a>".repeat(defaults::XML_DEPTH + 1);
        let many = format!("<a>{}</a>", "<b/>".repeat(defaults::XML_ELEMENTS));
        let long = format!("<{}/>", "a".repeat(defaults::XML_TOKEN_BYTES + 1));
        let attributes: String =
            (0..=defaults::XML_ATTRIBUTES).map(|n| format!(" a{n}='1'")).collect();
        let adorned = format!("<a{attributes}/>");
        for (document, what) in [
            (deep, "more elements in elements"),
            (many, "more elements"),
            (long, "a longer name or value"),
            (adorned, "more attributes"),
        ] {
            assert_eq!(read(document.as_bytes()), Err(Error::TooLarge(what)));
        }
    }

    #[test]
    fn what_routers_write_around_a_document_does_not_matter() {
        let document =
            "\u{feff}\r\n<?xml version=\"1.0\"?><!-- a --><a xmlns='b'> c<!-- d -->e <f/></a>\0\0";
        let a = read(document.as_bytes()).unwrap();
        assert_eq!((a.namespace.as_str(), a.name.as_str(), a.text.as_str()), ("b", "a", " ce "));
        assert_eq!(a.child_text("f"), Some(""));
        assert_eq!(read(b"<a>"), Err(Error::Truncated));
        assert_eq!(read(b""), Err(Error::Truncated));
        assert!(matches!(read(b"hello"), Err(Error::Malformed(_))));
        assert!(matches!(read(b"<a></b>"), Err(Error::Malformed(_))));
    }

    fn element() -> impl Strategy<Value = Element> {
        let leaf = ("[a-c:/]{0,6}", "[a-z][a-z0-9]{0,5}", "[a-z<>&\"' \t\r\n\u{e9}]{0,20}");
        let leaf = leaf.prop_map(|(namespace, name, text)| Element {
            namespace,
            name,
            text,
            ..Element::default()
        });
        leaf.prop_recursive(4, 30, 5, |inner| {
            (inner.clone(), vec(inner, 0..5))
                .prop_map(|(element, children)| Element { children, ..element })
        })
    }

    proptest! {
        #[test]
        fn read_after_write(element in element()) {
            prop_assert_eq!(read(write(&element).as_bytes()), Ok(element));
        }

        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), text in "[<>&;!?\\[\\]a/='\" -]{0,80}") {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }
    }
}
