//! From elements to bytes.

use minidom::Node;

use super::Header;
use crate::{Element, ns};

/// Writes an element as it stands inside a stream between a client and its server: `jabber:client`
/// is the default namespace, `stream:` the prefix of streams. What XML cannot carry (control
/// characters) becomes U+FFFD.
pub fn write(element: &Element, out: &mut Vec<u8>) {
    write_in(element, ns::CLIENT, out);
}

/// Writes the header of a stream.
///
//= RFC 6120 §4.8.1: the header declares both namespaces
pub fn write_header(header: &Header, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
    write_attribute("xmlns", ns::CLIENT, out);
    write_attribute("xmlns:stream", ns::STREAMS, out);
    let Header { to, from, id, version, lang } = header;
    let attributes =
        [("from", from), ("to", to), ("id", id), ("version", version), ("xml:lang", lang)];
    for (name, value) in attributes {
        if let Some(value) = value {
            write_attribute(name, value, out);
        }
    }
    out.push(b'>');
}

/// The end of a stream.
pub const CLOSE: &[u8] = b"</stream:stream>";

fn write_in(element: &Element, default: &str, out: &mut Vec<u8>) {
    let prefix = if element.has_ns(default) {
        ""
    } else if element.has_ns(ns::STREAMS) {
        "stream:"
    } else if element.has_ns(ns::XML) {
        "xml:"
    } else {
        return write_as("", element, &element.ns(), true, out);
    };
    write_as(prefix, element, default, false, out);
}

/// Writes an element whose children inherit `default`, which it declares if it must.
fn write_as(prefix: &str, element: &Element, default: &str, declare: bool, out: &mut Vec<u8>) {
    let tag = |out: &mut Vec<u8>| {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(element.name().as_bytes());
    };
    out.push(b'<');
    tag(out);
    if declare {
        write_attribute("xmlns", default, out);
    }
    for (n, ((ns, name), value)) in element.attrs().iter().enumerate() {
        if *ns == rxml::Namespace::NONE {
            write_attribute(name.as_str(), value, out);
        } else if *ns == ns::XML {
            write_attribute(&format!("xml:{name}"), value, out);
        } else {
            write_attribute(&format!("xmlns:a{n}"), ns, out);
            write_attribute(&format!("a{n}:{name}"), value, out);
        }
    }
    let mut nodes = element.nodes().peekable();
    if nodes.peek().is_none() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    for node in nodes {
        match node {
            Node::Element(child) => write_in(child, default, out),
            Node::Text(text) => escape(text, false, out),
        }
    }
    out.extend_from_slice(b"</");
    tag(out);
    out.push(b'>');
}

/// Writes ` name='value'`, escaped.
pub fn write_attribute(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escape(value, true, out);
    out.push(b'\'');
}

/// Writes text so that a parser reads the same; line ends and, in attributes, white space would be
/// normalised otherwise (XML 1.0 §2.11, §3.3.3).
fn escape(text: &str, attribute: bool, out: &mut Vec<u8>) {
    for char in text.chars() {
        let escaped = match char {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '\r' => "&#13;",
            '\'' if attribute => "&apos;",
            '\n' if attribute => "&#10;",
            '\t' if attribute => "&#9;",
            '\t' | '\n' => "",
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
            _ => "",
        };
        match escaped {
            "" => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            escaped => out.extend_from_slice(escaped.as_bytes()),
        }
    }
}
