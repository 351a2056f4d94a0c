//! A call over Jingle: its descriptions travel in the steps of a session (XEP-0166, XEP-0167).
//!
//! Before there is a session, a caller has to know which device to call:
//!
//! ```text
//! a person ── Seeking ──┬── (a device that can) ───────────┐
//!                       └── Proposing ── (who proceeds) ───┤
//! a device ────────────────────────────────────────────────┴── Calling ── Open
//! ```
//!
//! *Seeking* waits for what the devices that we see say of themselves (XEP-0115). *Proposing* asks all
//! of a person's devices by a message (XEP-0353), which needs no presence. *Calling* waits for our
//! offer. *Open* is the session, as it is for a callee from the start.
//!
//! A device that says that it knows no ICE is offered raw UDP. One that says nothing is offered ICE, and
//! has to take it or refuse the call: raw UDP in answer to ICE is refused, since nothing would ask
//! whoever is at the address that is named whether the media are wanted (RFC 7675).
//!
//! Media need no signalling. When our stream is lost, or the other side's presence goes, a call that was
//! answered goes on; it ends when it is hung up, when the other side says so, or when it falls silent
//! ([`SILENCE_LIMIT`](crate::defaults::SILENCE_LIMIT)). One that was not answered ends at once.

use call::Call;
use call::description::{Creator, Description};
use call::map::jingle as map;
use call::media::Source;
use machine::{Entropy, Instant, Now};
use xmpp::client::{Client, RequestId, SendError};
use xmpp::jingle::{
    self as wire, Action, Condition, Content, Initiation, Jingle, Proposal, Reason, Refusal,
};
use xmpp::stanza::{MessageType, StanzaError};
use xmpp::{BareJid, Element, Jid, Stanza, ns};

use super::Context;
use crate::account::Line;
use crate::defaults::{INITIATE_LIMIT, MAX_STEPS_OF_ONE, PROPOSE_LIMIT, RING_LIMIT, SEEK_LIMIT};
use crate::reason::JingleEnd;

pub(crate) mod device;
mod terms;

use device::{Found, find};

/// How far signalling has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Which of a person's devices to call is not known yet.
    Seeking(BareJid),
    /// All of a person's devices were asked.
    Proposing(Proposal),
    /// A device will be called.
    Calling(Calling),
    /// There is a session.
    Open(Box<Open>),
}

/// A device that will be called.
#[derive(Debug)]
pub(crate) struct Calling {
    device: Jid,
    /// It knows no ICE: it is told one address, when all are known.
    raw: bool,
    /// It took our proposal, and waits for the session.
    proceeded: bool,
}

/// A session at work.
#[derive(Debug)]
pub(crate) struct Open {
    session: wire::Session,
    /// The other side was told nothing of ICE.
    raw: bool,
    /// We hold.
    held: bool,
    /// Candidates that came before the answer that they belong to.
    early: Vec<Content>,
    /// Our steps that were not answered yet.
    asked: Vec<(RequestId, Action)>,
}

/// One call's signalling.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) account: usize,
    /// The session's name, and the proposal's.
    pub(crate) sid: String,
    pub(crate) stage: Stage,
    /// What we play, for a call that takes this one's place.
    pub(crate) source: Source,
    /// When the next decision is due: about a device, or that nobody answers.
    pub(crate) deadline: Option<Instant>,
    map: map::Session,
    /// A step could not be sent, and will not be.
    stuck: bool,
}

impl Leg {
    /// A call of ours, to a person or to a device.
    pub(crate) fn outgoing(
        now: Now,
        account: usize,
        to: &Jid,
        source: Source,
        entropy: &Entropy,
    ) -> Self {
        let random: [u8; 10] = entropy.fork("phone.sid").bytes();
        let sid = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let (stage, limit) = match to.try_as_full() {
            Ok(device) => {
                let device = device.clone().into();
                (Stage::Calling(Calling { device, raw: false, proceeded: false }), RING_LIMIT)
            }
            Err(person) => (Stage::Seeking(person.clone()), SEEK_LIMIT),
        };
        let map = map::Session::new(Creator::Initiator, entropy);
        let deadline = Some(now.mono + limit);
        Self { account, sid, stage, source, deadline, map, stuck: false }
    }

    /// A session that came, with what was read of it.
    pub(crate) fn incoming(
        now: Now,
        account: usize,
        session: wire::Session,
        map: map::Session,
    ) -> Self {
        let sid = session.sid().to_owned();
        let deadline = Some(now.mono + RING_LIMIT);
        let stage = Stage::open(session, false);
        Self { account, sid, stage, source: Source::silence(), deadline, map, stuck: false }
    }

    /// The session, if there is one.
    pub(crate) fn session(&self) -> Option<&wire::Session> {
        match &self.stage {
            Stage::Open(open) => Some(&open.session),
            _ => None,
        }
    }

    fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.stage {
            Stage::Open(open) => Some(open),
            _ => None,
        }
    }

    /// The proposal of ours, while it waits.
    pub(crate) const fn proposal(&self) -> Option<&Proposal> {
        match &self.stage {
            Stage::Proposing(proposal) => Some(proposal),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) const fn proposal_mut(&mut self) -> Option<&mut Proposal> {
        match &mut self.stage {
            Stage::Proposing(proposal) => Some(proposal),
            _ => None,
        }
    }

    /// Whether we are the one who is called.
    pub(crate) fn is_called(&self) -> bool {
        self.session().is_some_and(|session| session.role() == wire::Creator::Responder)
    }

    /// Whether a step that matters could not be sent.
    pub(crate) const fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Whom the call is with or to, once that is one device.
    pub(crate) fn device(&self) -> Option<&Jid> {
        match &self.stage {
            Stage::Calling(calling) => Some(&calling.device),
            Stage::Open(open) => Some(open.session.peer()),
            Stage::Seeking(_) | Stage::Proposing(_) => None,
        }
    }

    /// Whether the device `who`, or all of the person, is whom the call is with or to.
    pub(crate) fn is_with(&self, who: &Jid) -> bool {
        self.device().is_some_and(|peer| peer == who || (who.is_bare() && peer.to_bare() == *who))
    }

    /// Looks which device to call; asks all of them if none that we see can be called. `hurry`: now
    /// is the time to decide.
    ///
    /// # Errors
    /// If there is nobody to call: a device that calls itself would talk in both sides of a session.
    pub(crate) fn seek(
        &mut self,
        context: &mut Context<'_>,
        call: &mut Call,
        hurry: bool,
    ) -> Result<(), JingleEnd> {
        let line = context.lines.get(self.account);
        let Some((client, us)) = line.and_then(|line| Some((line.client()?, line.jid()?))) else {
            return Err(JingleEnd::Offline);
        };
        let person = match &self.stage {
            Stage::Seeking(person) => person,
            Stage::Calling(calling) if calling.device == *us => return Err(JingleEnd::NOBODY),
            _ => return Ok(()),
        };
        match find(client, us, person, hurry) {
            Found::Unsure => {}
            Found::Nobody if us.to_bare() == *person => return Err(JingleEnd::NOBODY),
            Found::Incapable => return Err(JingleEnd::Incapable),
            Found::Device { device, raw } => {
                let device = device.into();
                self.stage = Stage::Calling(Calling { device, raw, proceeded: false });
                self.deadline = Some(context.now.mono + RING_LIMIT);
                self.initiate(context, call);
            }
            Found::Nobody => {
                let (us, person) = (us.clone(), Jid::from(person.clone()));
                let (proposal, propose) =
                    Proposal::propose(us.into(), person.clone(), &self.sid, "audio");
                tell(context.now, context.lines, self.account, &person, &propose);
                self.stage = Stage::Proposing(proposal);
                self.deadline = Some(context.now.mono + PROPOSE_LIMIT);
            }
        }
        Ok(())
    }

    /// What we proposed rings.
    pub(crate) fn rings(&mut self, now: Now) {
        self.deadline = Some(now.mono + RING_LIMIT);
    }

    /// A device takes our proposal: the session begins.
    pub(crate) fn proceed(&mut self, context: &mut Context<'_>, call: &mut Call, device: Jid) {
        self.stage = Stage::Calling(Calling { device, raw: false, proceeded: true });
        self.deadline = Some(context.now.mono + INITIATE_LIMIT);
        self.initiate(context, call);
    }

    /// Begins the session, as soon as there are a device and an offer.
    fn initiate(&mut self, context: &mut Context<'_>, call: &mut Call) {
        let Stage::Calling(calling) = &self.stage else { return };
        let gathered = context.connect.local(call.session()).is_some_and(|local| local.gathered);
        if calling.raw && !gathered {
            return;
        }
        let us = context.lines.get(self.account).and_then(Line::jid).cloned();
        let (Some(us), Some(offer)) = (us, call.describe(context.connect)) else { return };
        let (device, raw) = (calling.device.clone(), calling.raw);
        let (contents, _) = self.map.write(&if raw { without_ice(offer) } else { offer });
        let begun = wire::Session::initiate(us.into(), device, &self.sid, contents, Vec::new());
        if let Ok((session, initiate)) = begun {
            self.stage = Stage::open(session, raw);
            self.send(context, initiate);
        }
    }

    /// Says that it rings here.
    pub(crate) fn ring(&mut self, context: &mut Context<'_>) {
        let ringing = self.session().map(|session| session.info(Some(wire::Info::Ringing)));
        if let Some(Ok(ringing)) = ringing {
            self.tell(context, &ringing);
        }
    }

    /// Ends what there is of it, and says why.
    pub(crate) fn end(&mut self, context: &mut Context<'_>, condition: Condition) {
        let reason = Reason::from(condition);
        match &mut self.stage {
            Stage::Proposing(proposal) => {
                let peer = proposal.peer().clone();
                if let Some(retract) = proposal.retract(reason) {
                    tell(context.now, context.lines, self.account, &peer, &retract);
                }
            }
            Stage::Calling(Calling { device, proceeded: true, .. }) => {
                let retract = Proposal::take_back(&self.sid);
                tell(context.now, context.lines, self.account, device, &retract);
            }
            Stage::Open(open) => {
                if let Ok(terminate) = open.session.terminate(reason) {
                    self.tell(context, &terminate);
                }
            }
            Stage::Seeking(_) | Stage::Calling(_) => {}
        }
    }

    /// The client that speaks for the session: none while there is no stream, nor when we came back
    /// under another address, since the other side would not know us.
    fn client<'a>(&self, lines: &'a mut [Line]) -> Option<&'a mut Client> {
        let us = self.session()?.us();
        let client = lines.get_mut(self.account).and_then(Line::client_mut);
        client.filter(|client| client.jid().is_some_and(|jid| us == jid))
    }

    /// Sends a step of the session's whose answer matters.
    pub(crate) fn send(&mut self, context: &mut Context<'_>, step: Jingle) {
        let (Some(client), Some(session)) = (self.client(context.lines), self.session()) else {
            return;
        };
        let (action, payload) = (step.action, Element::from(&step));
        if self.asked() >= MAX_STEPS_OF_ONE {
            self.stuck = true;
            return;
        }
        match client.request(context.now, session.peer().clone(), payload, true) {
            Ok(request) => {
                if let Some(open) = self.open_mut() {
                    open.asked.push((request, action));
                }
            }
            Err(SendError::Full) => self.stuck = true,
            Err(SendError::Offline) => {}
        }
    }

    /// How many of our steps were not answered yet.
    fn asked(&self) -> usize {
        match &self.stage {
            Stage::Open(open) => open.asked.len(),
            _ => 0,
        }
    }

    /// Sends a step of the session's that is sent once and whose answer does not matter: however many
    /// the other side makes us say, they take no place among the requests that wait for an answer.
    pub(crate) fn tell(&self, context: &mut Context<'_>, step: &Jingle) {
        if let (Some(client), Some(session)) = (self.client(context.lines), self.session()) {
            let stanza = untracked(session.peer(), step);
            let _ = client.send(context.now, stanza);
        }
    }

    /// The step that an answer answers.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<Action> {
        let asked = &mut self.open_mut()?.asked;
        let at = asked.iter().position(|(asked, _)| *asked == request)?;
        Some(asked.swap_remove(at).1)
    }

    /// What came of a step of ours.
    pub(crate) fn handle_result(
        &mut self,
        action: Action,
        result: Result<(), &StanzaError>,
    ) -> Vec<wire::Event> {
        self.open_mut().map(|open| open.session.handle_result(action, result)).unwrap_or_default()
    }

    /// Takes a step of the other side's.
    pub(crate) fn handle(
        &mut self,
        from: &Jid,
        step: &Jingle,
    ) -> Result<Vec<wire::Event>, Refusal> {
        self.open_mut().ok_or(Refusal::UnknownSession)?.session.handle(from, step)
    }

    /// Whether a session named `sid` with `from` is this one.
    pub(crate) fn is_between(&self, from: &Jid, sid: &str) -> bool {
        self.session().is_some_and(|session| session.is_between(from, sid))
    }
}

impl Stage {
    fn open(session: wire::Session, raw: bool) -> Self {
        let (held, early, asked) = (false, Vec::new(), Vec::new());
        Self::Open(Box::new(Open { session, raw, held, early, asked }))
    }
}

/// What the ids of messages that propose begin with: no other message of ours has such an id.
pub(crate) const PROPOSE: &str = "propose-";

/// Sends a message about a proposal. Whether one that proposes comes back is of interest, and is told
/// by its id.
pub(crate) fn tell(
    now: Now,
    lines: &mut [Line],
    account: usize,
    to: &Jid,
    initiation: &Initiation,
) {
    // XEP-0353 §3 would have them kept, for a history of calls. Whoever is not there now is not to be
    // rung by it later, and we are to know at once that nobody is.
    let payloads = [Element::from(initiation), Element::bare("no-store", ns::HINTS)];
    let mut message = Stanza::message(to.clone(), MessageType::Chat, payloads);
    if let Initiation::Propose { id, .. } = initiation {
        message.set_id(&format!("{PROPOSE}{id}"));
    }
    if let Some(client) = lines.get_mut(account).and_then(Line::client_mut) {
        // While there is no stream, nobody can be told.
        let _ = client.send(now, message);
    }
}

/// A step that takes no place among what waits for an answer.
pub(crate) fn untracked(peer: &Jid, step: &Jingle) -> Stanza {
    let id = format!("{}-{}", step.action, step.sid);
    Stanza::iq_set(peer.clone(), &id, Element::from(step))
}

//= XEP-0177 §3: an offer to who knows no ICE names one address for each component.
fn without_ice(mut description: Description) -> Description {
    description.contents.iter_mut().for_each(|content| content.transport.ice = None);
    description
}
