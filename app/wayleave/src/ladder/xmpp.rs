//! What the frames of an XMPP stream are, in a few words (RFC 6120, RFC 6121, XEP-0166, XEP-0353).
//!
//! An empty result says nothing by itself, so what was asked is remembered by its id.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use xmpp::Element;
use xmpp::xml::Frame;

use super::Topic;
use super::classify::Said;

/// The most requests that are remembered without an answer; the capture has no more of interest.
const MAX_ASKED: usize = 1024;

/// Characters of a message's body that a label shows.
const BODY: usize = 16;

/// Reads what streams carry, both ways, in order.
#[derive(Debug, Default)]
pub struct Reader {
    /// What was asked, by the columns of who asks and who is asked, and by its id.
    asked: BTreeMap<(Way, String), Asked>,
}

/// The columns of who speaks and who is spoken to.
pub type Way = (usize, usize);

#[derive(Clone, Debug)]
struct Asked {
    topic: Topic,
    label: String,
}

impl Reader {
    /// Whether bytes begin a stream (RFC 6120 §4.2), which they do anew after TLS and after SASL.
    pub fn is_header(bytes: &[u8]) -> bool {
        bytes.starts_with(b"<?xml") || bytes.starts_with(b"<stream:stream")
    }

    /// What a frame is; nothing where it says nothing of its own.
    pub fn read(&mut self, way: Way, frame: &Frame) -> Option<Said> {
        match frame {
            // The server's header comes with its features, which say more.
            Frame::Open(header) => header
                .to
                .as_ref()
                .filter(|_| header.id.is_none())
                .map(|to| Said::new(Topic::Login, format!("stream to {to}"))),
            Frame::Element(element) => Some(self.element(way, element)),
            Frame::Close => Some(Said::new(Topic::Login, "stream closed")),
        }
    }

    fn element(&mut self, way: Way, element: &Element) -> Said {
        let (topic, label) = match element.name() {
            "iq" => self.iq(way, element),
            "presence" => (Topic::Login, presence(element)),
            "message" => (Topic::Signalling, message(element)),
            _ => return Said { topic: Topic::Login, label: negotiation(element), text: None },
        };
        Said { topic, label, text: Some(pretty(element)) }
    }

    fn iq(&mut self, way: Way, iq: &Element) -> (Topic, String) {
        let payload = iq.children().find(|child| child.name() != "error");
        let id = iq.attr("id").unwrap_or_default().to_owned();
        let asked = self.asked.get(&((way.1, way.0), id.clone()));
        match iq.attr("type") {
            Some("result") => {
                let topic = asked.map_or(Topic::Signalling, |asked| asked.topic);
                let label = match (payload.and_then(answer), asked) {
                    (Some(label), _) => label,
                    (None, Some(asked)) => format!("ok: {}", asked.label),
                    (None, None) => "ok".to_owned(),
                };
                (topic, label)
            }
            Some("error") => {
                let topic = asked.map_or(Topic::Signalling, |asked| asked.topic);
                (topic, format!("error: {}", condition(iq)))
            }
            kind => {
                let set = kind == Some("set");
                let (topic, label) = payload
                    .map_or((Topic::Other, "iq".to_owned()), |payload| request(payload, set));
                if self.asked.len() < MAX_ASKED {
                    let asked = label.split([',', ':', '?']).next().unwrap_or(&label).to_owned();
                    self.asked.insert((way, id), Asked { topic, label: asked });
                }
                (topic, label)
            }
        }
    }
}

/// What is asked by an IQ.
fn request(payload: &Element, set: bool) -> (Topic, String) {
    let ns = payload.ns();
    let label = match (payload.name(), ns.as_str()) {
        ("jingle", _) => return (Topic::Signalling, jingle(payload)),
        ("bind", _) => match child_text(payload, "resource") {
            Some(resource) => format!("bind /{resource}"),
            None => "bind".to_owned(),
        },
        ("session", _) => "session".to_owned(),
        ("query", "jabber:iq:roster") if set => match payload.children().next() {
            Some(item) => format!("roster: {}", item.attr("jid").unwrap_or_default()),
            None => "roster".to_owned(),
        },
        ("query", "jabber:iq:roster") => "roster?".to_owned(),
        ("query", ns) if ns.ends_with("disco#info") => {
            return (Topic::Signalling, "disco: features?".to_owned());
        }
        ("query", ns) if ns.ends_with("disco#items") => "disco: items?".to_owned(),
        ("ping", _) => return (Topic::Other, "ping".to_owned()),
        (name, _) => format!("iq {} {name}", if set { "set" } else { "get" }),
    };
    (Topic::Login, label)
}

/// What a result with a payload says.
fn answer(payload: &Element) -> Option<String> {
    let ns = payload.ns();
    Some(match (payload.name(), ns.as_str()) {
        ("bind", _) => {
            let jid = child_text(payload, "jid")?;
            format!("bound {jid}")
        }
        ("query", "jabber:iq:roster") => counted("roster", payload, "item", "contact"),
        ("query", ns) if ns.ends_with("disco#info") => {
            counted("disco", payload, "feature", "feature")
        }
        ("query", ns) if ns.ends_with("disco#items") => counted("disco", payload, "item", "item"),
        _ => return None,
    })
}

/// `roster: 2 contacts`.
fn counted(what: &str, payload: &Element, name: &str, noun: &str) -> String {
    let count = payload.children().filter(|child| child.name() == name).count();
    format!("{what}: {}", number(count, noun))
}

fn number(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A step of a session (XEP-0166 §7.2), with what it brings.
fn jingle(jingle: &Element) -> String {
    let action = jingle.attr("action").unwrap_or("jingle");
    let transports = || {
        let contents = jingle.children().filter(|child| child.name() == "content");
        contents.flat_map(Element::children).filter(|child| child.name() == "transport")
    };
    let within = |name: &'static str| {
        transports().flat_map(Element::children).filter(|child| child.name() == name).count()
    };
    match action {
        "session-initiate" | "session-accept" | "transport-replace" | "transport-accept" => {
            match within("candidate") {
                0 => action.to_owned(),
                count => format!("{action}, {}", number(count, "candidate")),
            }
        }
        "transport-info" => {
            let last = within("gathering-complete") > 0;
            match (within("candidate"), last) {
                (0, true) => format!("{action}: that was all"),
                (1, true) => format!("{action}: last candidate"),
                (count, true) => format!("{action}: last {}", number(count, "candidate")),
                (count, false) => format!("{action}: {}", number(count, "candidate")),
            }
        }
        "session-info" => match jingle.children().next() {
            Some(info) => format!("{action}: {}", info.name()),
            None => format!("{action}: alive?"),
        },
        "session-terminate" => {
            let reason = jingle.children().find(|child| child.name() == "reason");
            match reason.and_then(|reason| reason.children().next()) {
                Some(why) => format!("{action}: {}", why.name()),
                None => action.to_owned(),
            }
        }
        _ => action.to_owned(),
    }
}

/// `presence: here` of one's own, `presence: bob is here` of others.
fn presence(presence: &Element) -> String {
    let whose = presence.attr("from").and_then(|from| from.split_once('@'));
    let whose = whose.map_or_else(String::new, |(name, _)| format!("{name} is "));
    match presence.attr("type") {
        None => match child_text(presence, "show") {
            Some(show) => format!("presence: {whose}{show}"),
            None => format!("presence: {whose}here"),
        },
        Some("unavailable") => format!("presence: {whose}gone"),
        Some("error") => format!("presence: error, {}", condition(presence)),
        Some(kind) => format!("presence: {kind}"),
    }
}

fn message(message: &Element) -> String {
    if message.attr("type") == Some("error") {
        return format!("message: error, {}", condition(message));
    }
    let initiation = message.children().find(|child| child.ns().contains(":jingle-message:"));
    match (initiation, child_text(message, "body")) {
        (Some(step), _) => format!("call: {}", step.name()),
        (None, Some(body)) if body.chars().count() > BODY => {
            let start: String = body.chars().take(BODY).collect();
            format!("message: “{start}…”")
        }
        (None, Some(body)) => format!("message: “{body}”"),
        (None, None) => match message.children().next() {
            Some(payload) => format!("message: {}", payload.name()),
            None => "message".to_owned(),
        },
    }
}

/// The negotiation of the stream: features, TLS, SASL, errors. What it carries is not for showing.
fn negotiation(element: &Element) -> String {
    match element.name() {
        "features" => features(element),
        "starttls" => "STARTTLS".to_owned(),
        "proceed" => "STARTTLS: go ahead".to_owned(),
        "auth" => match element.attr("mechanism") {
            Some(mechanism) => format!("auth {mechanism}"),
            None => "auth".to_owned(),
        },
        "challenge" => "challenge".to_owned(),
        "response" => "response".to_owned(),
        "success" => "authenticated".to_owned(),
        "failure" => match element.children().next() {
            Some(why) => format!("refused: {}", why.name()),
            None => "refused".to_owned(),
        },
        "error" => match element.children().find(|child| child.name() != "text") {
            Some(why) => format!("stream error: {}", why.name()),
            None => "stream error".to_owned(),
        },
        name => name.to_owned(),
    }
}

/// What the server lets one do next (RFC 6120 §4.3.2): what matters most of it.
fn features(features: &Element) -> String {
    let names: Vec<&str> = features.children().map(Element::name).collect();
    if names.contains(&"starttls") {
        return "features: STARTTLS".to_owned();
    }
    if let Some(list) = features.children().find(|child| child.name() == "mechanisms") {
        let ways = list.children().filter(|child| child.name() == "mechanism").count();
        return format!("features: SASL, {}", number(ways, "way"));
    }
    format!("features: {}", names.join(", "))
}

/// The condition of an error (RFC 6120 §8.3.3).
fn condition(stanza: &Element) -> String {
    let error = stanza.children().find(|child| child.name() == "error");
    let condition = error.and_then(|error| error.children().find(|child| child.name() != "text"));
    condition.map_or_else(|| "unnamed".to_owned(), |condition| condition.name().to_owned())
}

fn child_text(element: &Element, name: &str) -> Option<String> {
    let child = element.children().find(|child| child.name() == name)?;
    let text = child.text();
    (!text.is_empty()).then_some(text)
}

/// An element as people like to read it: a line a tag, a namespace where it changes, what is longer
/// than a line with its attributes below each other. The parser's limit holds the depth.
pub fn pretty(element: &Element) -> String {
    let mut text = String::new();
    lines(element, "jabber:client", 0, &mut text);
    text
}

/// Columns of a line before attributes go below each other.
const LINE: usize = 96;

fn lines(element: &Element, outer: &str, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let mut parts = Vec::new();
    if element.ns() != outer {
        parts.push(format!("xmlns='{}'", escape(&element.ns())));
    }
    parts.extend(element.attrs().into_iter().map(|((ns, name), value)| {
        let prefix = if ns.is_empty() { "" } else { "xml:" };
        format!("{prefix}{name}='{}'", escape(value))
    }));
    let name = element.name();
    let length: usize = parts.iter().map(|part| part.chars().count() + 1).sum();
    let between = if indent.len() + name.len() + length + 3 > LINE {
        format!("\n{indent} {}", " ".repeat(name.len() + 1))
    } else {
        " ".to_owned()
    };
    let attributes = parts.join(&between);
    let gap = if attributes.is_empty() { "" } else { " " };
    let _ = write!(text, "{indent}<{name}{gap}{attributes}");
    let inner = element.text();
    if element.children().next().is_some() {
        text.push_str(">\n");
        element.children().for_each(|child| lines(child, &element.ns(), depth + 1, text));
        let _ = writeln!(text, "{indent}</{name}>");
    } else if inner.is_empty() {
        text.push_str("/>\n");
    } else {
        let _ = writeln!(text, ">{}</{name}>", escape(&inner));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}

#[cfg(test)]
mod tests {
    use xmpp::Element;
    use xmpp::xml::Frame;

    use super::{Reader, pretty};

    fn label(reader: &mut Reader, xml: &str) -> String {
        let element: Element = xml.parse().unwrap();
        // Who is asked answers.
        let way = if element.attr("type") == Some("result") { (1, 0) } else { (0, 1) };
        reader.read(way, &Frame::Element(element)).unwrap().label
    }

    const JINGLE: &str = "<iq xmlns='jabber:client' type='set' id='j1' to='b@x/y'>\
        <jingle xmlns='urn:xmpp:jingle:1' action='ACTION' sid='s'>INSIDE</jingle></iq>";

    fn step(action: &str, inside: &str) -> String {
        let xml = JINGLE.replace("ACTION", action).replace("INSIDE", inside);
        label(&mut Reader::default(), &xml)
    }

    fn transport(inside: &str) -> String {
        format!(
            "<content creator='initiator' name='voice'>\
             <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>{inside}</transport></content>"
        )
    }

    #[test]
    fn the_steps_of_a_call() {
        let two = transport("<candidate ip='192.0.2.1'/><candidate ip='192.0.2.2'/>");
        assert_eq!(step("session-initiate", &two), "session-initiate, 2 candidates");
        assert_eq!(step("session-accept", &transport("")), "session-accept");
        let one = transport("<candidate ip='192.0.2.1'/>");
        assert_eq!(step("transport-info", &one), "transport-info: 1 candidate");
        let last = transport("<candidate ip='192.0.2.1'/><gathering-complete/>");
        assert_eq!(step("transport-info", &last), "transport-info: last candidate");
        let end = transport("<gathering-complete/>");
        assert_eq!(step("transport-info", &end), "transport-info: that was all");
        let ringing = "<ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>";
        assert_eq!(step("session-info", ringing), "session-info: ringing");
        let reason = "<reason><success/><text>bye</text></reason>";
        assert_eq!(step("session-terminate", reason), "session-terminate: success");
    }

    #[test]
    fn an_empty_result_says_what_it_answers() {
        let mut reader = Reader::default();
        let initiate = JINGLE.replace("ACTION", "session-initiate");
        let initiate = initiate.replace("INSIDE", &transport("<candidate ip='192.0.2.1'/>"));
        label(&mut reader, &initiate);
        let ok = label(&mut reader, "<iq xmlns='jabber:client' type='result' id='j1'/>");
        assert_eq!(ok, "ok: session-initiate");
        let error = "<iq xmlns='jabber:client' type='error' id='j2'><error type='cancel'>\
            <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
        assert_eq!(label(&mut reader, error), "error: service-unavailable");
    }

    #[test]
    fn logging_in() {
        let mut reader = Reader::default();
        for (xml, expected) in [
            (
                "<features xmlns='http://etherx.jabber.org/streams'>\
                 <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></features>",
                "features: STARTTLS",
            ),
            (
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256-PLUS'>\
                 secret</auth>",
                "auth SCRAM-SHA-256-PLUS",
            ),
            ("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>v=</success>", "authenticated"),
            (
                "<iq xmlns='jabber:client' type='result' id='b'>\
                 <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@x/y</jid></bind></iq>",
                "bound a@x/y",
            ),
            ("<presence xmlns='jabber:client'/>", "presence: here"),
            (
                "<presence xmlns='jabber:client' type='unavailable' from='bob@x/y'/>",
                "presence: bob is gone",
            ),
            (
                "<message xmlns='jabber:client'><body>Wherefore art thou, Romeo?</body></message>",
                "message: “Wherefore art th…”",
            ),
        ] {
            assert_eq!(label(&mut reader, xml), expected);
        }
    }

    #[test]
    fn what_logs_in_is_not_shown_and_the_rest_is_shown_in_lines() {
        let auth: Element = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>\
            c2VjcmV0</auth>"
            .parse()
            .unwrap();
        assert_eq!(Reader::default().read((0, 1), &Frame::Element(auth)).unwrap().text, None);
        let message = "<message xmlns='jabber:client' to='b@x'><body>1 &lt; 2</body>\
            <active xmlns='http://jabber.org/protocol/chatstates'/></message>";
        let text = pretty(&message.parse().unwrap());
        let expected = "<message to='b@x'>\n  <body>1 &lt; 2</body>\n  \
            <active xmlns='http://jabber.org/protocol/chatstates'/>\n</message>\n";
        assert_eq!(text, expected);
    }
}
