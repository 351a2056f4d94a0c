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
//! Media need no signalling. When our stream is lost, or the other side's presence goes, a call that was
//! answered goes on; it ends when it is hung up, when the other side says so, or when it falls silent
//! ([`SILENCE_LIMIT`](crate::defaults::SILENCE_LIMIT)). One that was not answered ends at once.

use call::description::{Creator, Description};
use call::map::jingle as map;
use call::media::Source;
use call::{Call, Loss};
use connect::Candidate;
use machine::{Entropy, Instant, Now};
use xmpp::client::{Client, RequestId};
use xmpp::jingle::{
    self as wire, Action, Condition, Content, Initiation, Jingle, Proposal, Reason, Refusal, State,
};
use xmpp::stanza::{MessageType, StanzaError};
use xmpp::{BareJid, Element, FullJid, Jid, Stanza, ns};

use super::Context;
use crate::account::Line;
use crate::defaults::{MAX_EARLY_CONTENTS, RING_LIMIT, SEEK_LIMIT};
use crate::reason::JingleEnd;

/// How far signalling has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Which of a person's devices to call is not known yet.
    Seeking(BareJid),
    /// All of a person's devices were asked.
    Proposing(Proposal),
    /// This device will be called.
    Calling(Jid),
    /// There is a session.
    Open(Box<wire::Session>),
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
    /// The other side knows no ICE: it is told one address, when all are known.
    raw: bool,
    held: bool,
    /// Candidates that came before the answer that they belong to.
    early: Vec<Content>,
    /// Our steps that were not answered yet.
    asked: Vec<(RequestId, Action)>,
}

/// What a look at a person's devices comes to.
enum Found {
    /// This one can; whether it knows no ICE.
    Device(FullJid, bool),
    /// One has not said yet what it can do.
    Unsure,
    /// None can, or none is seen.
    Nobody,
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
            Ok(device) => (Stage::Calling(device.clone().into()), RING_LIMIT),
            Err(person) => (Stage::Seeking(person.clone()), SEEK_LIMIT),
        };
        let map = map::Session::new(Creator::Initiator, entropy);
        Self::new(account, sid, stage, map, source, Some(now.mono + limit))
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
        let stage = Stage::Open(Box::new(session));
        Self::new(account, sid, stage, map, Source::silence(), deadline)
    }

    fn new(
        account: usize,
        sid: String,
        stage: Stage,
        map: map::Session,
        source: Source,
        deadline: Option<Instant>,
    ) -> Self {
        let (raw, held, early, asked) = (false, false, Vec::new(), Vec::new());
        Self { account, sid, stage, source, deadline, map, raw, held, early, asked }
    }

    /// The session, if there is one.
    pub(crate) const fn session(&self) -> Option<&wire::Session> {
        match &self.stage {
            Stage::Open(session) => Some(session),
            _ => None,
        }
    }

    const fn session_mut(&mut self) -> Option<&mut wire::Session> {
        match &mut self.stage {
            Stage::Open(session) => Some(session),
            _ => None,
        }
    }

    /// The proposal of ours, while it waits.
    pub(crate) const fn proposal_mut(&mut self) -> Option<&mut Proposal> {
        match &mut self.stage {
            Stage::Proposing(proposal) => Some(proposal),
            _ => None,
        }
    }

    /// Whether the device `who`, or all of the person, is whom the call is with or to.
    pub(crate) fn is_with(&self, who: &Jid) -> bool {
        let peer = match &self.stage {
            Stage::Calling(peer) => peer,
            Stage::Open(session) => session.peer(),
            Stage::Seeking(_) | Stage::Proposing(_) => return false,
        };
        peer == who || (who.is_bare() && peer.to_bare() == *who)
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
            return Ok(());
        };
        let person = match &self.stage {
            Stage::Seeking(person) => person,
            Stage::Calling(device) if us == device => return Err(JingleEnd::NOBODY),
            _ => return Ok(()),
        };
        match find(client, us, person, hurry) {
            Found::Unsure => return Ok(()),
            Found::Nobody if us.to_bare() == *person => return Err(JingleEnd::NOBODY),
            Found::Device(device, raw) => {
                self.raw = raw;
                self.stage = Stage::Calling(device.into());
                self.initiate(context, call);
            }
            Found::Nobody => {
                let (us, person) = (us.clone(), Jid::from(person.clone()));
                let (proposal, propose) =
                    Proposal::propose(us.into(), person.clone(), &self.sid, "audio");
                tell(context.now, context.lines, self.account, &person, &propose);
                self.stage = Stage::Proposing(proposal);
            }
        }
        self.deadline = Some(context.now.mono + RING_LIMIT);
        Ok(())
    }

    /// A device takes our proposal: the session begins.
    pub(crate) fn proceed(&mut self, context: &mut Context<'_>, call: &mut Call, device: Jid) {
        self.stage = Stage::Calling(device);
        self.initiate(context, call);
    }

    /// Begins the session, as soon as there are a device and an offer.
    fn initiate(&mut self, context: &mut Context<'_>, call: &mut Call) {
        let Stage::Calling(device) = &self.stage else { return };
        let gathered = context.connect.local(call.session()).is_some_and(|local| local.gathered);
        if self.raw && !gathered {
            return;
        }
        let us = context.lines.get(self.account).and_then(Line::jid).cloned();
        let (Some(us), Some(mut offer)) = (us, call.describe(context.connect)) else { return };
        if self.raw {
            //= XEP-0177 §3: an offer to who knows no ICE names one address for each component.
            offer.contents.iter_mut().for_each(|content| content.transport.ice = None);
        }
        let (contents, _) = self.map.write(&offer);
        let begun =
            wire::Session::initiate(us.into(), device.clone(), &self.sid, contents, Vec::new());
        if let Ok((session, initiate)) = begun {
            self.stage = Stage::Open(Box::new(session));
            self.send(context, initiate);
        }
    }

    /// Carries a description to the other side. Whether that answers the call.
    pub(crate) fn say(
        &mut self,
        context: &mut Context<'_>,
        call: &mut Call,
        description: &Description,
    ) -> bool {
        let Stage::Open(session) = &mut self.stage else {
            // An offer waits for the device that it is for.
            self.initiate(context, call);
            return false;
        };
        if session.role() == wire::Creator::Responder && session.state() == State::Pending {
            let (contents, _) = self.map.write(description);
            let Ok(accept) = session.accept(contents, Vec::new()) else { return false };
            self.deadline = None;
            self.send(context, accept);
            return true;
        }
        self.say_change(context, call, description);
        false
    }

    /// Carries a later offer: new transports, or a hold.
    fn say_change(&mut self, context: &mut Context<'_>, call: &mut Call, ours: &Description) {
        let Stage::Open(session) = &mut self.stage else { return };
        if self.map.replaces(ours) {
            let (contents, _) = self.map.write_transports(ours);
            if let Ok(replace) = session.replace_transport(contents) {
                self.send(context, replace);
            }
            return;
        }
        let info = map::Session::info(ours);
        let held = info == wire::Info::Hold;
        if std::mem::replace(&mut self.held, held) != held
            && let Ok(step) = session.info(Some(info))
        {
            self.send(context, step);
        }
        // Nobody answers a hold; it holds at once.
        if let Some(theirs) = self.map.theirs().cloned() {
            let _ = call.handle_answer(context.now, context.connect, theirs);
        }
    }

    /// Carries candidates of ours that were found later.
    pub(crate) fn say_candidates(
        &mut self,
        context: &mut Context<'_>,
        call: &mut Call,
        index: usize,
        candidates: &[Candidate],
        complete: bool,
    ) {
        let Stage::Open(session) = &self.stage else {
            // What is not begun yet begins with all that is known by then.
            self.initiate(context, call);
            return;
        };
        let (contents, _) = self.map.write_candidates(index, candidates, complete);
        if !contents.is_empty()
            && let Ok(step) = session.transport_info(contents)
        {
            self.send(context, step);
        }
    }

    /// Says that it rings here.
    pub(crate) fn ring(&mut self, context: &mut Context<'_>) {
        let ringing = self.session().map(|session| session.info(Some(wire::Info::Ringing)));
        if let Some(Ok(ringing)) = ringing {
            self.send(context, ringing);
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
            Stage::Open(session) => {
                if let Ok(terminate) = session.terminate(reason) {
                    self.send(context, terminate);
                }
            }
            Stage::Seeking(_) | Stage::Calling(_) => {}
        }
    }

    /// Sends a step of the session's. It is lost while there is no stream, and when we came back
    /// under another address: the other side would not know us.
    fn send(&mut self, context: &mut Context<'_>, step: Jingle) {
        let Stage::Open(session) = &self.stage else { return };
        let (us, peer) = (session.us(), session.peer().clone());
        let client = context.lines.get_mut(self.account).and_then(Line::client_mut);
        let Some(client) = client.filter(|c| c.jid().is_some_and(|jid| us == jid)) else { return };
        let action = step.action;
        if let Ok(request) = client.request(context.now, peer, Element::from(&step), true) {
            self.asked.push((request, action));
        }
    }

    /// The step that an answer answers.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<Action> {
        let at = self.asked.iter().position(|(asked, _)| *asked == request)?;
        Some(self.asked.swap_remove(at).1)
    }

    /// What came of a step of ours.
    pub(crate) fn handle_result(
        &mut self,
        action: Action,
        result: Result<(), &StanzaError>,
    ) -> Vec<wire::Event> {
        self.session_mut().map(|session| session.handle_result(action, result)).unwrap_or_default()
    }

    /// Takes a step of the other side's.
    pub(crate) fn handle(
        &mut self,
        from: &Jid,
        step: &Jingle,
    ) -> Result<Vec<wire::Event>, Refusal> {
        let session = self.session_mut().ok_or(Refusal::UnknownSession)?;
        session.handle(from, step)
    }

    /// Whether a session named `sid` with `from` is this one.
    pub(crate) fn is_between(&self, from: &Jid, sid: &str) -> bool {
        self.session().is_some_and(|session| session.is_between(from, sid))
    }

    /// Reads the answer to our offer.
    pub(crate) fn read_answer(
        &mut self,
        contents: &[Content],
        groups: &[wire::Group],
    ) -> Description {
        self.deadline = None;
        usable(self.map.read(contents, groups))
    }

    /// What came before the answer.
    pub(crate) fn take_early(&mut self) -> Vec<Content> {
        std::mem::take(&mut self.early)
    }

    /// Reads candidates that came later.
    pub(crate) fn read_candidates(&mut self, contents: Vec<Content>) -> Vec<map::Trickled> {
        if self.map.theirs().is_some() {
            return self.map.read_candidates(&contents).0;
        }
        let room = MAX_EARLY_CONTENTS.saturating_sub(self.early.len());
        self.early.extend(contents.into_iter().take(room));
        Vec::new()
    }

    /// Reads a change: what the other side's description is now; `None` if it says nothing new.
    pub(crate) fn read_change(&mut self, event: &wire::Event) -> Option<Description> {
        match event {
            wire::Event::Info(info) => self.map.read_info(info),
            wire::Event::Modified(contents) => self.map.read_senders(contents),
            wire::Event::Removed(contents) => self.map.read_removed(contents),
            wire::Event::TransportOffered(contents) | wire::Event::TransportAccepted(contents) => {
                let checked = self.map.theirs().is_some_and(has_ice);
                let (theirs, losses) = self.map.read_transports(contents)?;
                let broken = losses.iter().any(|loss| matches!(loss, Loss::Credentials(_)));
                // Where checks were agreed on, media go to no address that answers none.
                (!broken && (!checked || has_ice(&theirs))).then_some(theirs)
            }
            _ => None,
        }
    }

    /// Answers new transports of the other side's, with ours or not at all.
    pub(crate) fn answer_transports(
        &mut self,
        context: &mut Context<'_>,
        ours: Option<&Description>,
        offered: &[Content],
    ) {
        let Stage::Open(session) = &mut self.stage else { return };
        let answer = match ours {
            Some(ours) => session.accept_transport(self.map.write_transports(ours).0),
            None => session.reject_transport(offered, Condition::FailedTransport.into()),
        };
        if let Ok(answer) = answer {
            self.send(context, answer);
        }
    }

    /// Sends a step that the session asks for.
    pub(crate) fn follow(&mut self, context: &mut Context<'_>, step: Jingle) {
        self.send(context, step);
    }

    /// What the end that the other side gave means.
    pub(crate) fn ended(&self, reason: &Reason, answered: bool) -> JingleEnd {
        let called = self.session().is_some_and(|s| s.role() == wire::Creator::Responder);
        match reason.condition {
            Some(Condition::Success) => JingleEnd::HungUp,
            Some(Condition::Cancel | Condition::Gone) if called && !answered => {
                JingleEnd::Abandoned
            }
            Some(Condition::Cancel) if answered => JingleEnd::HungUp,
            _ => JingleEnd::terminated(reason),
        }
    }
}

/// Looks for a device of a person's that can take a call, those that get what is for all of them first.
fn find(client: &Client, us: &FullJid, person: &BareJid, hurry: bool) -> Found {
    let mut unsure = false;
    for resource in client.resources(person).into_iter().filter(|known| known.jid != *us) {
        let can = |feature| client.supports(&resource.jid, feature);
        let (ice, raw) = (can(ns::JINGLE_ICE_UDP), can(ns::JINGLE_RAW_UDP));
        match can(ns::JINGLE_RTP_AUDIO) {
            Some(true) if (!unsure || hurry) && (ice == Some(true) || raw == Some(true)) => {
                return Found::Device(resource.jid.clone(), ice != Some(true));
            }
            None => unsure = true,
            _ => {}
        }
    }
    if unsure && !hurry { Found::Unsure } else { Found::Nobody }
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
    let payload = Element::from(initiation);
    let mut message = Stanza::message(to.clone(), MessageType::Chat, [payload]);
    if let Initiation::Propose { id, .. } = initiation {
        message.set_id(&format!("{PROPOSE}{id}"));
    }
    if let Some(client) = lines.get_mut(account).and_then(Line::client_mut) {
        // While there is no stream, nobody can be told.
        let _ = client.send(now, message);
    }
}

/// What was read, with those contents refused whose ICE cannot be used: without its checks media
/// would go to whatever address is named, a stranger to the call for one.
pub(crate) fn usable((mut theirs, losses): (Description, Vec<Loss>)) -> Description {
    for loss in losses {
        if let Loss::Credentials(at) = loss
            && let Some(content) = theirs.contents.get_mut(at)
        {
            content.refused = true;
        }
    }
    theirs
}

/// Whether every content that is wanted has ICE.
fn has_ice(description: &Description) -> bool {
    let mut wanted = description.contents.iter().filter(|content| !content.refused);
    wanted.all(|content| content.transport.ice.is_some())
}
