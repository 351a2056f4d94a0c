//! From bytes to elements.

use rxml::error::EndOrError;
use rxml::{AttrMap, Event, Namespace, Options, Parse, QName, WithOptions};

use crate::stream::{Condition, StreamError};
use crate::{Element, defaults, ns};

/// How large the parts of a stream may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes up to the end of the stream's header.
    pub header_bytes: usize,
    /// Bytes of one child of the stream.
    pub stanza_bytes: usize,
    /// Elements in elements, the child of the stream being 1.
    pub depth: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Elements of one child of the stream, itself among them.
    pub elements: usize,
}

impl Limits {
    /// For a stream whose peer is not authenticated.
    pub const UNAUTHENTICATED: Self = Self {
        header_bytes: defaults::HEADER_BYTES,
        stanza_bytes: defaults::UNAUTHENTICATED_STANZA_BYTES,
        depth: defaults::UNAUTHENTICATED_DEPTH,
        attributes: defaults::ATTRIBUTES,
        elements: defaults::UNAUTHENTICATED_ELEMENTS,
    };

    /// For an authenticated client's stream.
    pub const CLIENT: Self = Self {
        header_bytes: defaults::HEADER_BYTES,
        stanza_bytes: defaults::STANZA_BYTES,
        depth: defaults::DEPTH,
        attributes: defaults::ATTRIBUTES,
        elements: defaults::ELEMENTS,
    };

    /// For what one's own server sends: rosters are long.
    pub const SERVER: Self = Self {
        header_bytes: defaults::HEADER_BYTES,
        stanza_bytes: defaults::SERVER_STANZA_BYTES,
        depth: defaults::DEPTH,
        attributes: defaults::ATTRIBUTES,
        elements: defaults::SERVER_ELEMENTS,
    };
}

/// What a stream is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Its header.
    Open(Header),
    /// A child.
    Element(Element),
    /// Its end.
    Close,
}

/// The header of a stream (RFC 6120 §4.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Whom it is for.
    pub to: Option<String>,
    /// Whom it is from.
    pub from: Option<String>,
    /// What the server calls it.
    pub id: Option<String>,
    /// Its version of XMPP; none before XMPP 1.0.
    pub version: Option<String>,
    /// The language of its stanzas that name none.
    pub lang: Option<String>,
}

/// A stream's parser. A restart of the stream makes a new one.
pub struct Parser {
    inner: rxml::Parser,
    limits: Limits,
    /// Bytes that wait to be parsed, from `at` on.
    bytes: Vec<u8>,
    at: usize,
    /// Bytes of the frame under way.
    frame_bytes: usize,
    elements: usize,
    stack: Vec<Element>,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Before the header.
    Start,
    Open,
    Closed,
    Failed(StreamError),
}

impl std::fmt::Debug for Parser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Parser {
    /// A parser at the beginning of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let max_token_length = defaults::TOKEN_BYTES;
        let options = Options { max_token_length, ..Options::default() };
        Self {
            inner: rxml::Parser::with_options(options),
            limits,
            bytes: Vec::new(),
            at: 0,
            frame_bytes: 0,
            elements: 0,
            stack: Vec::new(),
            state: State::Start,
        }
    }

    /// Takes bytes; they are looked at by [`next`](Self::next).
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that wait to be parsed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Takes the bytes back that wait to be parsed.
    pub fn take_waiting(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..std::mem::take(&mut self.at));
        bytes
    }

    /// Bytes of the frame that is not complete.
    #[must_use]
    pub const fn partial(&self) -> usize {
        self.frame_bytes
    }

    /// The next frame. After the end of the stream there is none; after an error there are only
    /// errors.
    #[expect(clippy::should_implement_trait, reason = "more may come after None")]
    pub fn next(&mut self) -> Option<Result<Frame, StreamError>> {
        loop {
            match &self.state {
                State::Failed(error) => return Some(Err(error.clone())),
                State::Closed => {
                    self.forget();
                    return None;
                }
                State::Start | State::Open => {}
            }
            match self.step() {
                Ok(Step::Frame(frame)) => return Some(Ok(frame)),
                Ok(Step::More) => {}
                Ok(Step::Starved) => {
                    self.forget();
                    return None;
                }
                Err(error) => {
                    self.state = State::Failed(error);
                    self.forget();
                    self.stack = Vec::new();
                }
            }
        }
    }

    /// Gives the buffers back, so that a silent stream holds little.
    fn forget(&mut self) {
        self.bytes = Vec::new();
        self.at = 0;
        if self.frame_bytes == 0 {
            self.inner.release_temporaries();
        }
    }

    /// One event of the parser below.
    fn step(&mut self) -> Result<Step, StreamError> {
        let limit = match self.state {
            State::Start => self.limits.header_bytes,
            _ => self.limits.stanza_bytes,
        };
        if self.state == State::Start && self.frame_bytes == 0 {
            not_xml(self.bytes.get(self.at))?;
        }
        // Never more than one byte beyond the limit is looked at, however much has come.
        let allowed = (limit + 1).saturating_sub(self.frame_bytes);
        let bytes = self.bytes.get(self.at..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(allowed)];
        let mut rest = bytes;
        let event = self.inner.parse(&mut rest, false);
        let used = bytes.len() - rest.len();
        self.at += used;
        self.frame_bytes += used;
        if self.frame_bytes > limit {
            return Err(too_big("more bytes than allowed"));
        }
        match event {
            Ok(Some(event)) => self.handle(event),
            Ok(None) => Ok(Step::Starved),
            Err(EndOrError::NeedMoreData) => Ok(Step::Starved),
            Err(EndOrError::Error(error)) => Err(condition_of(error)),
        }
    }

    fn handle(&mut self, event: Event) -> Result<Step, StreamError> {
        match (event, &self.state) {
            (Event::XmlDeclaration(..), _) => Ok(Step::More),
            (Event::StartElement(_, name, attributes), State::Start) => {
                self.state = State::Open;
                self.frame_bytes = 0;
                header(&name, attributes).map(|header| Step::Frame(Frame::Open(header)))
            }
            (Event::StartElement(_, name, attributes), _) => self.start(name, attributes),
            (Event::Text(_, text), _) => self.text(text),
            (Event::EndElement(_), _) => Ok(self.end()),
        }
    }

    fn start(&mut self, (ns, name): QName, attributes: AttrMap) -> Result<Step, StreamError> {
        if self.stack.is_empty() {
            self.elements = 0;
            if ns == ns::STREAMS && name == "stream" {
                //= RFC 6120 §4.9.3.24: a second header is a child of the stream that is not known
                let condition = Condition::UnsupportedStanzaType;
                return Err(StreamError::new(condition, "a stream has one header"));
            }
        }
        self.elements += 1;
        if attributes.len() > self.limits.attributes {
            return Err(too_big("more attributes than allowed"));
        }
        if self.elements > self.limits.elements {
            return Err(too_big("more elements than allowed"));
        }
        if self.stack.len() >= self.limits.depth {
            return Err(too_big("deeper than allowed"));
        }
        let mut element = Element::bare(name.to_string(), String::from(ns));
        *element.attrs_mut() = attributes;
        self.stack.push(element);
        Ok(Step::More)
    }

    fn text(&mut self, text: String) -> Result<Step, StreamError> {
        match self.stack.last_mut() {
            Some(element) => element.append_text(text),
            //= RFC 6120 §4.6.1: white space between stanzas keeps a connection alive, and says nothing
            None if text.bytes().all(|byte| byte.is_ascii_whitespace()) => self.frame_bytes = 0,
            None => return Err(StreamError::new(Condition::BadFormat, "text between stanzas")),
        }
        Ok(Step::More)
    }

    fn end(&mut self) -> Step {
        let Some(element) = self.stack.pop() else {
            self.state = State::Closed;
            return Step::Frame(Frame::Close);
        };
        if let Some(parent) = self.stack.last_mut() {
            parent.append_child(element);
            return Step::More;
        }
        self.frame_bytes = 0;
        Step::Frame(Frame::Element(element))
    }
}

enum Step {
    Frame(Frame),
    More,
    Starved,
}

fn header((ns, name): &QName, attributes: AttrMap) -> Result<Header, StreamError> {
    //= RFC 6120 §4.9.3.10: a stream is <stream/> in the namespace of streams
    if ns != ns::STREAMS {
        return Err(StreamError::new(Condition::InvalidNamespace, "not the namespace of streams"));
    }
    if name != "stream" {
        return Err(StreamError::new(Condition::BadFormat, "not a stream"));
    }
    let mut header = Header::default();
    for ((ns, name), value) in attributes {
        let place = match (ns == Namespace::NONE, ns == ns::XML, name.as_str()) {
            (true, _, "to") => &mut header.to,
            (true, _, "from") => &mut header.from,
            (true, _, "id") => &mut header.id,
            (true, _, "version") => &mut header.version,
            (_, true, "lang") => &mut header.lang,
            _ => continue,
        };
        *place = Some(value);
    }
    Ok(header)
}

/// Refuses at its first byte what speaks another protocol (HTTP, TLS); the parser below would read on
/// for an angle bracket.
fn not_xml(first: Option<&u8>) -> Result<(), StreamError> {
    match first {
        Some(byte) if byte.is_ascii() && *byte != b'<' && !byte.is_ascii_whitespace() => {
            Err(Condition::NotWellFormed.into())
        }
        _ => Ok(()),
    }
}

fn too_big(text: &str) -> StreamError {
    //= RFC 6120 §13.12: what is larger than local policy allows ends the stream with policy-violation
    StreamError::new(Condition::PolicyViolation, text)
}

/// Which stream error the parser's error is.
fn condition_of(error: rxml::Error) -> StreamError {
    use rxml::Error;
    let condition = match error {
        Error::InvalidUtf8Byte(_) => Condition::UnsupportedEncoding,
        Error::RestrictedXml(text) if text.contains("utf-8") => Condition::UnsupportedEncoding,
        Error::RestrictedXml(text) if text.contains("long") => {
            return too_big("a name or a value is longer than allowed");
        }
        //= RFC 6120 §11.1: comments, instructions, DTDs and entities are refused
        Error::RestrictedXml(_) | Error::UndeclaredEntity => Condition::RestrictedXml,
        // `<!` of which neither a comment nor CDATA comes: XML has nothing else there than a DTD.
        Error::InvalidSyntax(text) if text.contains("comment") => Condition::RestrictedXml,
        //= RFC 6120 §4.9.3.2: a prefix that stands for nothing
        Error::UndeclaredNamespacePrefix(_) => Condition::BadNamespacePrefix,
        _ => Condition::NotWellFormed,
    };
    condition.into()
}
