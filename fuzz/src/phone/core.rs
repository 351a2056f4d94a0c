//! A core of XMPP that lets the phone in, and people who speak through it.

use machine::Id;

/// The namespace of what the phone's account of XMPP opens: accounts count from 16 on.
pub(super) const NAMESPACE: u16 = 17;

const HEADER: &str = "<stream:stream from='example.org' id='1' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

const MECHANISMS: &str = "<stream:features><mechanisms \
    xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>\
    </stream:features>";

const BIND: &str = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
    </stream:features>";

const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

/// Who speaks: two devices of a friend's, another one of Alice's own, and a stranger.
const PEOPLE: [&str; 5] = [
    "bob@example.org/b",
    "bob@example.org/c",
    "alice@example.org/other",
    "mallory@example.org/m",
    "bob@example.org",
];

/// What they say. `$from` is who, `$sid` the last name of a session or proposal of the phone's, `$n` one
/// of theirs.
const STANZAS: [&str; 25] = [
    "<presence from='$from'/>",
    "<presence from='$from' type='unavailable'/>",
    "<presence from='$from'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' \
     ver='$sid'/></presence>",
    "<presence from='$from' type='subscribe'/>",
    "<message from='$from' type='chat'><body>hello</body></message>",
    "<message from='$from' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='$n'>\
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose></message>",
    "<message from='$from' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='$n'>\
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'/></propose></message>",
    "<message from='$from' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='$n'>\
     <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>\
     <delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00Z'/></message>",
    "<message from='$from' type='chat'><retract xmlns='urn:xmpp:jingle-message:0' id='$n'/></message>",
    "<message from='$from' type='chat'><accept xmlns='urn:xmpp:jingle-message:0' id='$n'/></message>",
    "<message from='$from' type='chat'><ringing xmlns='urn:xmpp:jingle-message:0' id='$sid'/>\
     </message>",
    "<message from='$from' type='chat'><proceed xmlns='urn:xmpp:jingle-message:0' id='$sid'/>\
     </message>",
    "<message from='$from' type='chat'><reject xmlns='urn:xmpp:jingle-message:0' id='$sid'/>\
     </message>",
    "<message from='$from' type='chat'><reject xmlns='urn:xmpp:jingle-message:0' id='$sid'>\
     <tie-break/></reject></message>",
    "<message from='$from' type='error' id='propose-$sid'><error type='cancel'>\
     <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
    "<iq from='$from' id='1' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='session-initiate' sid='$n'>$ice</jingle></iq>",
    "<iq from='$from' id='2' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='session-accept' sid='$sid'>$ice</jingle></iq>",
    "<iq from='$from' id='3' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='session-initiate' sid='$n'>$raw</jingle></iq>",
    "<iq from='$from' id='4' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='transport-info' sid='$sid'>$ice</jingle></iq>",
    "<iq from='$from' id='5' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='transport-replace' sid='$sid'>$ice</jingle></iq>",
    "<iq from='$from' id='6' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='transport-replace' sid='$sid'>$raw</jingle></iq>",
    "<iq from='$from' id='7' type='set'><jingle xmlns='urn:xmpp:jingle:1' action='session-info' \
     sid='$sid'><hold xmlns='urn:xmpp:jingle:apps:rtp:info:1'/></jingle></iq>",
    "<iq from='$from' id='8' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='content-remove' sid='$sid'><content creator='initiator' name='0'/></jingle></iq>",
    "<iq from='$from' id='9' type='set'><jingle xmlns='urn:xmpp:jingle:1' \
     action='session-terminate' sid='$sid'><reason><cancel/></reason></jingle></iq>",
    "<iq from='$from' id='a' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
];

const ICE: &str = "<content creator='initiator' name='0' senders='both'>\
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
    <payload-type id='0' name='PCMU' clockrate='8000'/><rtcp-mux/></description>\
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='peer' \
    pwd='0123456789012345678901'><candidate component='1' foundation='1' generation='0' id='1' \
    ip='203.0.113.4' network='0' port='4000' priority='1000' protocol='udp' type='host'/>\
    </transport></content>";

const RAW: &str = "<content creator='initiator' name='0' senders='both'>\
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
    <payload-type id='0' name='PCMU' clockrate='8000'/></description>\
    <transport xmlns='urn:xmpp:jingle:transports:raw-udp:1'>\
    <candidate component='1' generation='0' id='1' ip='203.0.113.4' port='4000'/></transport>\
    </content>";

/// What the core knows of the phone, and what it has to say to it.
#[derive(Debug, Default)]
pub(super) struct Core {
    /// The phone's connection, while there is one.
    pub(super) conn: Option<Id>,
    /// What is to be sent on it.
    pub(super) say: String,
    proven: bool,
    /// The phone is logged in.
    pub(super) bound: bool,
    /// The last session or proposal of which there was talk.
    sid: String,
    /// The phone's last request, and whom it is for.
    request: Option<(String, String)>,
}

impl Core {
    /// A connection stands.
    pub(super) fn connected(&mut self, conn: Id) {
        *self = Self { conn: Some(conn), sid: std::mem::take(&mut self.sid), ..Self::default() };
    }

    /// Reads what the phone wrote, and answers what a core answers itself.
    pub(super) fn read(&mut self, text: &str) {
        if text.contains("<stream:stream") {
            let features = if self.proven { BIND } else { MECHANISMS };
            self.say += &format!("{HEADER}{features}");
        }
        if text.contains("<auth") {
            self.proven = true;
            self.say += SUCCESS;
        }
        for iq in text.split("<iq ").skip(1) {
            self.request(iq);
        }
        if let Some(id) = text.split("<propose ").nth(1).and_then(|told| attribute(told, "id")) {
            id.clone_into(&mut self.sid);
        }
        if text.contains("<presence") {
            self.say += "<presence from='alice@example.org/phone'/>";
        }
    }

    fn request(&mut self, iq: &str) {
        let (Some(id), Some(kind)) = (attribute(iq, "id"), attribute(iq, "type")) else { return };
        if !matches!(kind, "get" | "set") {
            return;
        }
        let result = |payload: &str| format!("<iq id='{id}' type='result'>{payload}</iq>");
        if iq.contains("xmpp-bind") {
            self.bound = true;
            self.say += &result(
                "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@example.org/phone</jid>\
                 </bind>",
            );
        } else if iq.contains("jabber:iq:roster") {
            self.say += &result(
                "<query xmlns='jabber:iq:roster'><item jid='bob@example.org' \
                 subscription='both'/></query>",
            );
        } else if let Some(to) = attribute(iq, "to") {
            self.request = Some((id.to_owned(), to.to_owned()));
            if let Some(sid) = attribute(iq, "sid") {
                sid.clone_into(&mut self.sid);
            }
        }
    }

    /// Somebody says something.
    pub(super) fn speak(&mut self, what: u8, who: u8) {
        let stanza = STANZAS[usize::from(what) % STANZAS.len()];
        let from = PEOPLE[usize::from(who) % PEOPLE.len()];
        let (name, theirs) = (format!("-{}", who >> 5), stanza.contains("$n"));
        let said = stanza.replace("$ice", ICE).replace("$raw", RAW).replace("$from", from);
        self.say += &said.replace("$sid", &self.sid).replace("$n", &name);
        if theirs {
            self.sid = name;
        }
    }

    /// The phone's last request is answered.
    pub(super) fn answer(&mut self, how: u8) {
        let Some((id, from)) = self.request.take() else { return };
        let error = |condition: &str, more: &str| {
            format!(
                "<iq from='{from}' id='{id}' type='error'><error type='cancel'><{condition} \
                 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{more}</error></iq>"
            )
        };
        self.say += &match how % 4 {
            0 => format!("<iq from='{from}' id='{id}' type='result'/>"),
            1 => error("service-unavailable", ""),
            2 => error("item-not-found", "<unknown-session xmlns='urn:xmpp:jingle:errors:1'/>"),
            _ => error("conflict", "<tie-break xmlns='urn:xmpp:jingle:errors:1'/>"),
        };
    }
}

/// The first attribute of this name.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let after = text.split(&format!("{name}=")).nth(1)?;
    let quote = after.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    after.get(1..)?.split(quote).next()
}
