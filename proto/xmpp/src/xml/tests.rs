//! What is read, what is refused and how; and properties of both directions.

use minidom::Node;
use proptest::collection::vec;
use proptest::prelude::*;
use rxml::Namespace;

use super::{Frame, Header, Limits, Parser, attribute, write, write_header};
use crate::stream::{Condition, StreamError};
use crate::{Element, ns};

const OPEN: &str = "<stream:stream to='example.org' version='1.0' xmlns='jabber:client' \
                    xmlns:stream='http://etherx.jabber.org/streams'>";

/// Every frame, and the error that ended them.
fn frames(limits: Limits, chunks: &[&[u8]]) -> (Vec<Frame>, Option<StreamError>) {
    let (mut parser, mut frames) = (Parser::new(limits), Vec::new());
    for chunk in chunks {
        parser.push(chunk);
        while let Some(next) = parser.next() {
            match next {
                Ok(frame) => frames.push(frame),
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(parser.waiting() == 0 || frames.last() == Some(&Frame::Close));
    }
    (frames, None)
}

fn read(content: &str) -> Result<Vec<Frame>, StreamError> {
    let (frames, error) = frames(Limits::CLIENT, &[OPEN.as_bytes(), content.as_bytes()]);
    error.map_or(Ok(frames), Err)
}

fn element(content: &str) -> Element {
    match read(content).unwrap().pop() {
        Some(Frame::Element(element)) => element,
        other => panic!("{other:?} is no element"),
    }
}

fn condition(content: &str) -> Condition {
    read(content).unwrap_err().condition
}

fn written(element: &Element) -> String {
    let mut bytes = Vec::new();
    write(element, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_stream_from_end_to_end() {
    let header = "<?xml version='1.0' encoding='UTF-8'?>\n<stream:stream from='a@b' to='b' id='7' \
                  version='1.0' xml:lang='de' xmlns='jabber:client' \
                  xmlns:stream='http://etherx.jabber.org/streams'>";
    let content = " \n<message to='x'><body>1 &lt; &#50;<![CDATA[ & <3]]></body></message>\r\n\
                   <iq xmlns:p='urn:p' p:a='1'><p:q/></iq></stream:stream>";
    let (frames, error) = frames(Limits::CLIENT, &[header.as_bytes(), content.as_bytes()]);
    assert_eq!(error, None);
    let some = |text: &str| Some(text.to_owned());
    let expected = Header {
        to: some("b"),
        from: some("a@b"),
        id: some("7"),
        version: some("1.0"),
        lang: some("de"),
    };
    let [Frame::Open(header), Frame::Element(message), Frame::Element(iq), Frame::Close] =
        &frames[..]
    else {
        panic!("{frames:?}");
    };
    assert_eq!(*header, expected);
    assert_eq!(message.get_child("body", ns::CLIENT).unwrap().text(), "1 < 2 & <3");
    assert_eq!(attribute(message, "to"), Some("x"));
    assert!(iq.has_child("q", "urn:p") && iq.attr_ns("urn:p", "a") == Some("1"));
}

#[test]
fn an_element_is_there_with_its_last_byte() {
    for content in ["<a/>", "<a></a>", "<a>text</a>", "<a><b/></a>"] {
        let mut parser = Parser::new(Limits::CLIENT);
        parser.push(OPEN.as_bytes());
        assert!(matches!(parser.next(), Some(Ok(Frame::Open(_)))));
        for (n, byte) in content.bytes().enumerate() {
            parser.push(&[byte]);
            assert_eq!(parser.next().is_some(), n + 1 == content.len(), "{content} {n}");
        }
    }
}

#[test]
fn what_streams_do_not_have() {
    //= RFC 6120 §11.1: each of these is restricted-xml
    for content in [
        "<!-- a comment -->",
        "<message><!-- a comment --></message>",
        "<?php run() ?>",
        "<!DOCTYPE foo [<!ENTITY a 'b'>]>",
        "<message>&lol;</message>",
        "<?xml version='1.0'?>",
    ] {
        assert_eq!(condition(content), Condition::RestrictedXml, "{content}");
    }
    for content in [
        "<a></b>",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<a b='<'/>",
        "<a>]]></a>",
        "<a>&#0;</a>",
        "<a>\u{1}</a>",
        "< a/>",
        "<a:b:c/>",
        "<a xmlns:xml='urn:x'/>",
        "<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='' q:b=''/>",
        "</a>",
    ] {
        assert_eq!(condition(content), Condition::NotWellFormed, "{content}");
    }
    assert_eq!(condition("<p:a/>"), Condition::BadNamespacePrefix);
    assert_eq!(condition("<a p:b=''/>"), Condition::BadNamespacePrefix);
    assert_eq!(condition("text between stanzas<a/>"), Condition::BadFormat);
    assert_eq!(condition(OPEN), Condition::UnsupportedStanzaType);
}

#[test]
fn bytes_that_are_not_utf_8() {
    for bad in [&b"<a>\xff</a>"[..], b"<a b='\xc0\x80'/>", b"<a>\xed\xa0\x80</a>", b"<\xe4/>"] {
        let (frames, error) = frames(Limits::CLIENT, &[OPEN.as_bytes(), bad]);
        assert_eq!(frames.len(), 1);
        assert_eq!(error.unwrap().condition, Condition::UnsupportedEncoding, "{bad:?}");
    }
    for encoding in ["ISO-8859-1", "UTF-16"] {
        let header = format!("<?xml version='1.0' encoding='{encoding}'?>{OPEN}");
        let (frames, error) = frames(Limits::CLIENT, &[header.as_bytes()]);
        assert!(frames.is_empty());
        assert_eq!(error.unwrap().condition, Condition::UnsupportedEncoding, "{encoding}");
    }
}

#[test]
fn headers_that_are_none() {
    for (header, condition) in [
        ("<stream xmlns='jabber:client'>", Condition::InvalidNamespace),
        ("<html>", Condition::InvalidNamespace),
        ("<s:features xmlns:s='http://etherx.jabber.org/streams'>", Condition::BadFormat),
        ("<stream:stream>", Condition::BadNamespacePrefix),
        ("GET / HTTP/1.1\r\n", Condition::NotWellFormed),
        ("\x16\x03\x01\x02\0\x01\0\x01", Condition::NotWellFormed),
    ] {
        let (frames, error) = frames(Limits::CLIENT, &[header.as_bytes()]);
        assert!(frames.is_empty());
        assert_eq!(error.unwrap().condition, condition, "{header}");
    }
}

#[test]
fn limits() {
    let small =
        Limits { header_bytes: 300, stanza_bytes: 1000, depth: 5, attributes: 4, elements: 20 };
    let outcome = |chunks: &[&[u8]]| frames(small, chunks);
    let fits = |content: &str| outcome(&[OPEN.as_bytes(), content.as_bytes()]).1.is_none();
    let refused = |content: &str| {
        let (frames, error) = outcome(&[OPEN.as_bytes(), content.as_bytes()]);
        assert_eq!(frames.len(), 1, "only the header came out");
        assert_eq!(error.unwrap().condition, Condition::PolicyViolation);
    };
    // Bytes: of text, of names and values, of everything that is no end.
    let text = |len: usize| format!("<a>{}</a>", "x".repeat(len - 7));
    assert!(fits(&text(1000)));
    refused(&text(1001));
    refused(&text(100_000));
    refused(&format!("<a b='{}'/>", "x".repeat(1000)));
    refused(&format!("<{}/>", "x".repeat(1000)));
    refused(&format!("<a{}/>", " ".repeat(1000)));
    refused(&format!("<a>{}", "&amp;".repeat(1000)));
    // Each stanza has its own.
    assert!(fits(&text(900).repeat(50)));
    // Depth, attributes, elements.
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(fits(&nested(5)));
    refused(&nested(6));
    assert!(fits("<a b='' c='' d='' e=''/>"));
    refused("<a b='' c='' d='' e='' f=''/>");
    assert!(fits(&format!("<a>{}</a>", "<b/>".repeat(19))));
    refused(&format!("<a>{}</a>", "<b/>".repeat(20)));
    // The header.
    let header = OPEN.replace(" to=", &format!("{}to=", " ".repeat(300)));
    let (frames, error) = outcome(&[header.as_bytes()]);
    assert!(frames.is_empty());
    assert_eq!(error.unwrap().condition, Condition::PolicyViolation);
}

#[test]
fn a_name_or_a_value_of_any_length_is_not_kept() {
    let long = "x".repeat(crate::defaults::TOKEN_BYTES + 1);
    for content in [format!("<{long}/>"), format!("<a {long}=''/>"), format!("<a b='{long}'/>")] {
        assert_eq!(condition(&content), Condition::PolicyViolation);
    }
    // Text comes in parts, and is one.
    let message = element(&format!("<a>{long}&amp;{long}</a>"));
    assert_eq!(message.text(), format!("{long}&{long}"));
    assert_eq!(message.nodes().count(), 1);
}

#[test]
fn white_space_keeps_a_stream_alive_for_ever() {
    let mut parser = Parser::new(Limits::CLIENT);
    parser.push(OPEN.as_bytes());
    assert!(parser.next().is_some());
    for _ in 0..10_000 {
        parser.push(&[b' '; 100]);
        assert_eq!(parser.next(), None);
        assert!(parser.partial() <= 2 * crate::defaults::TOKEN_BYTES);
    }
    parser.push(b"<a/>");
    assert!(matches!(parser.next(), Some(Ok(Frame::Element(_)))));
}

#[test]
fn nothing_comes_after_the_end_or_after_an_error() {
    let mut parser = Parser::new(Limits::CLIENT);
    parser.push(format!("{OPEN}</stream:stream><a/>").as_bytes());
    assert!(matches!(parser.next(), Some(Ok(Frame::Open(_)))));
    assert_eq!(parser.next(), Some(Ok(Frame::Close)));
    parser.push(b"<a/>\xff");
    assert_eq!((parser.next(), parser.waiting()), (None, 0));
    let mut parser = Parser::new(Limits::CLIENT);
    parser.push(b"<");
    parser.push(b"<");
    let error = parser.next().unwrap().unwrap_err();
    parser.push(OPEN.as_bytes());
    assert_eq!(parser.next(), Some(Err(error)));
}

#[test]
fn as_it_stands_inside_a_stream() {
    for content in [
        "<message to='a@b'><body>1 &lt; 2 &amp; 3</body></message>",
        "<iq id='1' type='get'><query xmlns='jabber:iq:roster'><item/></query></iq>",
        "<a b='&apos;&quot;&#10;&#9;&#13;&lt;' xml:lang='de'/>",
        "<a>&#13;\n<b xmlns='urn:b'><c xmlns='jabber:client'/></b></a>",
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
        "<a b='' xmlns:a1='urn:a' a1:c='1'/>",
    ] {
        let content = content.replace("&quot;", "\"");
        assert_eq!(written(&element(&content)).replace("&quot;", "\""), content);
    }
}

#[test]
fn what_xml_cannot_carry_becomes_a_replacement() {
    let element = Element::builder("a", ns::CLIENT).append("\0\u{1}b\u{ffff}\u{1b}").build();
    assert_eq!(written(&element), "<a>\u{fffd}\u{fffd}b\u{fffd}\u{fffd}</a>");
}

#[test]
fn headers_are_written_as_they_are_read() {
    let text = |text: &str| Some(text.to_owned());
    let header = Header {
        to: text("a'b"),
        from: text("<&>"),
        id: text("\n"),
        version: text("1.0"),
        lang: text("x\ty"),
    };
    for header in [header, Header::default()] {
        let mut bytes = Vec::new();
        write_header(&header, &mut bytes);
        assert_eq!(frames(Limits::CLIENT, &[&bytes]), (vec![Frame::Open(header)], None));
    }
}

/// Text that XML can carry.
fn text() -> impl Strategy<Value = String> {
    let any = any::<char>().prop_filter("XML has it", |&char| {
        !matches!(char, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
    });
    let special = prop::sample::select(vec!['<', '>', '&', '\'', '"', ']', '\r', '\n', '\t', ' ']);
    vec(prop_oneof![any, special, prop::char::range('a', 'z')], 1..20)
        .prop_map(|chars| chars.into_iter().collect())
}

fn namespace() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![ns::CLIENT, ns::STREAMS, ns::XML, ns::SASL, "urn:x:'&<", "u"])
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z_\u{e4}\u{4e00}][a-z0-9._\u{e4}-]{0,6}"
}

fn attributes() -> impl Strategy<Value = Vec<(&'static str, String, String)>> {
    let ns = prop_oneof![3 => Just(""), 1 => namespace()];
    vec((ns, name(), prop_oneof![text(), Just(String::new())]), 0..4)
}

fn build(name: &str, ns: &str, attributes: Vec<(&'static str, String, String)>) -> Element {
    let mut element = Element::bare(name, ns);
    for (ns, name, value) in attributes {
        let name = rxml::NcName::try_from(name).unwrap();
        element.attrs_mut().insert(Namespace::from(ns.to_owned()), name, value);
    }
    element
}

fn tree() -> impl Strategy<Value = Element> {
    let leaf = (name(), namespace(), attributes())
        .prop_map(|(name, ns, attributes)| build(&name, ns, attributes));
    leaf.prop_recursive(4, 24, 4, |inner| {
        let node = prop_oneof![inner.prop_map(Node::Element), text().prop_map(Node::Text),];
        (name(), namespace(), attributes(), vec(node, 0..4)).prop_map(
            |(name, ns, attributes, nodes)| {
                let mut element = build(&name, ns, attributes);
                for node in nodes {
                    match node {
                        Node::Element(child) => {
                            element.append_child(child);
                        }
                        // Two texts in a row are one.
                        Node::Text(text) => element.append_text(text),
                    }
                }
                element
            },
        )
    })
    .prop_filter("a stream has one header", |element| !element.is("stream", ns::STREAMS))
}

/// Cuts bytes at these places.
fn cut<'a>(bytes: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// What one might well send: pieces of streams, in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            OPEN,
            "<a>",
            "</a>",
            "<a/>",
            "<a b='c'/>",
            "<a xmlns='u'>",
            "<p:a xmlns:p='u'/>",
            " ",
            "\n",
            "text",
            "&amp;",
            "&#x41;",
            "&",
            "]]>",
            "<![CDATA[",
            "<!--",
            "-->",
            "<?",
            "'",
            "\"",
            "=",
            "<?xml version='1.0'?>",
            "</stream:stream>",
            "<stream:stream>",
            "xmlns=",
            "\u{e4}",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read(trees in vec(tree(), 1..4), places in vec(any::<prop::sample::Index>(), 0..12)) {
        let mut bytes = OPEN.as_bytes().to_vec();
        for tree in &trees {
            write(tree, &mut bytes);
        }
        let (read, error) = frames(Limits::SERVER, &cut(&bytes, &places));
        prop_assert_eq!(error, None);
        let expected: Vec<Frame> = trees.into_iter().map(Frame::Element).collect();
        prop_assert_eq!(&read[1..], &expected[..]);
    }

    /// However bytes are cut, the same frames come out, and the same bytes are refused.
    #[test]
    fn cuts_change_nothing(bytes in pieces(), open: bool, places in vec(any::<prop::sample::Index>(), 0..12)) {
        let limits = Limits { stanza_bytes: 100, ..Limits::UNAUTHENTICATED };
        let bytes = if open { [OPEN.as_bytes(), &bytes].concat() } else { bytes };
        let whole = frames(limits, &[&bytes]);
        let parts = frames(limits, &cut(&bytes, &places));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let single = frames(limits, &single);
        prop_assert_eq!(&whole.0, &parts.0);
        prop_assert_eq!(&whole.0, &single.0);
        prop_assert_eq!(whole.1.is_some(), parts.1.is_some());
        prop_assert_eq!(whole.1.is_some(), single.1.is_some());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), open: bool) {
        let open = if open { OPEN.as_bytes() } else { b"" };
        frames(Limits::UNAUTHENTICATED, &[open, &bytes]);
    }

    /// Whatever was read can be written, and is read again as the same.
    #[test]
    fn what_is_read_is_written(bytes in pieces()) {
        let (read, _) = frames(Limits::CLIENT, &[OPEN.as_bytes(), &bytes]);
        for frame in read {
            let Frame::Element(first) = frame else { continue };
            let again = written(&first);
            let (second, error) = frames(Limits::SERVER, &[OPEN.as_bytes(), again.as_bytes()]);
            prop_assert_eq!(error, None, "{}", again);
            prop_assert_eq!(&second[1..], &[Frame::Element(first)]);
        }
    }
}
