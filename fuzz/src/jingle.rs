//! Jingle, as a session and a call understand it.

use call::map::jingle as map;
use call::map::sdp;
use call::negotiate::Capabilities;
use call::{Creator, Description, Direction, Ice, Transport};
use ice::Credentials;
use machine::Entropy;
use xmpp::jingle::{
    Action, Event, Initiation, Jingle, Proposal, Reason, Refusal, Session, State, limits,
};
use xmpp::xml::{Frame, Limits, Parser, write};
use xmpp::{Element, Jid, jingle, ns};

const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// Takes `bytes` as stanzas that somebody sends. The first step of a session is taken for a call that
/// comes, or, if it does not begin one, for an answer to one of ours. Whatever comes: what is written is
/// read the same, a refused step has changed nothing, descriptions keep to the limits and are written
/// in both renderings.
pub fn run(bytes: &[u8]) {
    let mut world = World::default();
    for element in elements(bytes) {
        for child in element.children() {
            match element.attr("type") {
                Some("error" | "result") => world.result(&element),
                _ => world.take(child),
            }
        }
    }
}

fn elements(bytes: &[u8]) -> Vec<Element> {
    let mut parser = Parser::new(Limits::CLIENT);
    parser.push(HEADER);
    parser.push(bytes);
    let mut elements = Vec::new();
    while let Some(Ok(frame)) = parser.next() {
        if let Frame::Element(element) = frame {
            elements.push(element);
        }
    }
    elements
}

#[derive(Default)]
struct World {
    call: Option<Call>,
    proposal: Option<Proposal>,
}

struct Call {
    session: Session,
    map: map::Session,
    contents: Vec<jingle::Content>,
    /// Our last step.
    last: Action,
}

impl World {
    fn take(&mut self, child: &Element) {
        if let Ok(initiation) = Initiation::try_from(child) {
            let again = Initiation::try_from(&Element::from(&initiation));
            assert_eq!(again.as_ref(), Ok(&initiation));
            self.propose(&initiation);
        }
        let Ok(step) = Jingle::try_from(child) else { return };
        let (_, _) = (Jingle::dropped(child), step.unknown());
        assert_eq!(carried(&step), Some(step.clone()));
        if self.call.as_ref().is_none_or(|call| call.session.state() == State::Ended) {
            self.call = Call::begin(&step);
        }
        if let Some(call) = &mut self.call {
            call.take(&step);
        }
    }

    fn propose(&mut self, initiation: &Initiation) {
        match &mut self.proposal {
            Some(proposal) => {
                proposal.handle(&them(), initiation);
                proposal.ringing();
                let _ = proposal.glare(&them(), initiation);
            }
            None => {
                let incoming = Proposal::incoming(us(), them(), initiation);
                let ours = || Proposal::propose(us(), them(), initiation.id(), "audio").0;
                self.proposal = Some(incoming.unwrap_or_else(ours));
            }
        }
    }

    /// What came of our last step.
    fn result(&mut self, stanza: &Element) {
        let Some(call) = &mut self.call else { return };
        let error = stanza.children().find(|child| child.name() == "error");
        let error = error.map(xmpp::stanza::StanzaError::parse);
        let result = error.as_ref().map_or(Ok(()), Err);
        call.session.handle_result(call.last, result);
    }
}

impl Call {
    fn begin(step: &Jingle) -> Option<Self> {
        if step.action == Action::SessionInitiate {
            let session = Session::incoming(us(), them(), step).ok()?;
            let mut map = map::Session::new(Creator::Responder, &Entropy::seeded(1));
            check(&map.read(&step.contents, &step.groups).0);
            let contents = step.contents.clone();
            return Some(Self { session, map, contents, last: Action::SessionInfo });
        }
        limits::check(step).ok()?;
        let mut offer = offer("aaaa");
        let mut contents = Vec::new();
        for content in &step.contents {
            contents
                .push(call::Content { name: content.name.clone(), ..offer.contents[0].clone() });
        }
        offer.contents = contents;
        let mut map = map::Session::new(Creator::Initiator, &Entropy::seeded(1));
        let (contents, _) = map.write(&offer);
        let (session, _) =
            Session::initiate(us(), them(), &step.sid, contents.clone(), Vec::new()).ok()?;
        Some(Self { session, map, contents, last: Action::SessionInitiate })
    }

    fn take(&mut self, step: &Jingle) {
        let stranger: Jid = "mallory@example.org/m".parse().expect("an address");
        assert_eq!(self.session.handle(&stranger, step), Err(Refusal::UnknownSession));
        let before = self.session.clone();
        match self.session.handle(&them(), step) {
            Ok(events) => events.into_iter().for_each(|event| self.hear(event)),
            Err(_) => assert_eq!(self.session, before, "a refused step has not happened"),
        }
        self.speak();
    }

    fn hear(&mut self, event: Event) {
        let read = match event {
            Event::Accepted { contents, groups } => Some(self.map.read(&contents, &groups).0),
            Event::Info(info) => self.map.read_info(&info),
            Event::Transport(contents) => {
                self.map.read_candidates(&contents);
                self.map.theirs().cloned()
            }
            Event::Modified(contents) => self.map.read_senders(&contents),
            Event::Removed(contents) => self.map.read_removed(&contents),
            Event::TransportOffered(contents) => {
                let read = self.map.read_transports(&contents);
                let (answer, _) = self.map.write_transports(&offer("cccc"));
                if let Ok(step) = self.session.accept_transport(answer) {
                    self.last = step.action;
                } else {
                    let reject = self.session.reject_transport(&contents, Reason::default());
                    self.last = reject.map_or(self.last, |step| step.action);
                }
                read.map(|(read, _)| read)
            }
            Event::TransportAccepted(contents) => {
                self.map.read_transports(&contents).map(|(read, _)| read)
            }
            Event::TransportRejected(_) | Event::Send(_) | Event::Ended(_) => None,
        };
        read.iter().for_each(check);
    }

    /// Does what there is to do.
    fn speak(&mut self) {
        let Some(theirs) = self.map.theirs().cloned() else { return };
        let capabilities = Capabilities::default();
        let step = match (self.session.state(), capabilities.choose(&theirs)) {
            (State::Pending, Ok(index)) => {
                let transport = offer("bbbb").contents.swap_remove(0).transport;
                let answer = capabilities.answer(&theirs, index, Direction::BOTH, transport);
                let (contents, _) = self.map.write(&answer);
                self.session.accept(contents, Vec::new())
            }
            (State::Pending, Err(error)) => {
                let condition = map::condition(&self.contents, &error);
                self.session.terminate(condition.into())
            }
            (State::Active, _) => {
                let (contents, _) = self.map.write_transports(&offer("dddd"));
                self.session.replace_transport(contents)
            }
            (State::Ended, _) => return,
        };
        if let Ok(step) = step {
            self.last = step.action;
            assert_eq!(carried(&step), Some(step.clone()));
        }
    }
}

/// What a reader makes of the bytes that `step` is written as.
fn carried(step: &Jingle) -> Option<Jingle> {
    let mut bytes = Vec::new();
    write(&Element::from(step), &mut bytes);
    let element = elements(&bytes).pop()?;
    assert!(element.is("jingle", ns::JINGLE));
    Jingle::try_from(&element).ok()
}

/// A description keeps to the limits, and is written and read in both renderings.
fn check(description: &Description) {
    use call::defaults::{MAX_CANDIDATES, MAX_CODECS, MAX_PARAMETERS};

    for content in &description.contents {
        assert!(content.codecs.len() <= MAX_CODECS);
        assert!(content.codecs.iter().all(|codec| codec.parameters.len() <= MAX_PARAMETERS));
        let ice = content.transport.ice.as_ref();
        assert!(ice.is_none_or(|ice| ice.candidates.len() <= MAX_CANDIDATES));
    }
    let mut ours = map::Session::new(Creator::Initiator, &Entropy::seeded(2));
    let (contents, losses) = ours.write(description);
    let mut theirs = map::Session::new(Creator::Responder, &Entropy::seeded(3));
    let (again, more) = theirs.read(&contents, &[]);
    assert_eq!(more, [], "what is written is understood");
    if losses.is_empty() {
        assert_eq!(again, *description);
    }
    let (text, _) = sdp::Session::new(&mut Entropy::seeded(4)).write(description);
    if let Ok((read, _)) = sdp::Session::new(&mut Entropy::seeded(5)).read(&text) {
        assert_eq!(read.contents.len(), description.contents.len(), "no line makes another");
    }
}

fn offer(ufrag: &str) -> Description {
    let credentials = Credentials { ufrag: ufrag.to_owned(), pwd: "p".repeat(22) };
    let ice = Ice { credentials, lite: false, complete: true, candidates: Vec::new() };
    let transport = Transport { ice: Some(ice), defaults: vec![None] };
    Capabilities::default().offer(Direction::BOTH, transport)
}

fn us() -> Jid {
    "bob@example.org/b".parse().expect("an address")
}

fn them() -> Jid {
    "alice@example.org/a".parse().expect("an address")
}
