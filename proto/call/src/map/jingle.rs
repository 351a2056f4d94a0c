//! Jingle as a rendering: the one place where Jingle's descriptions appear in a call.
//!
//! [`Session`] is one side's view of one session. A description travels whole in a session-initiate and
//! its session-accept; later, parts of it do:
//!
//! | step | what is said | read by | written by |
//! |---|---|---|---|
//! | session-initiate, session-accept | all | [`Session::read`] | [`Session::write`] |
//! | transport-info | more candidates, or that none follow | [`Session::read_candidates`] | [`Session::write_candidates`] |
//! | transport-replace, -accept | new transports: a restart of ICE | [`Session::read_transports`] | [`Session::write_transports`] |
//! | content-modify | who sends | [`Session::read_senders`] | |
//! | content-remove | what is gone | [`Session::read_removed`] | |
//! | session-info: hold, unhold, active | who waits | [`Session::read_info`] | [`Session::info`] |
//!
//! Each reader gives the whole description as it stands then, so that a call can take it for an offer or
//! an answer. A hold is said by session-info alone (XEP-0167 §8): who sends is one value for both sides,
//! and could not tell whose hold is over when both sides held.

mod read;
mod write;

use ice::Candidate;
use machine::Entropy;
use xmpp::jingle as wire;

use super::Loss;
use crate::description::{Content, Creator, Description, Direction};
use crate::{defaults, negotiate};

/// DTLS-SRTP, by the name of its profile in SDP (RFC 5764 §8), so that the two renderings agree.
pub const DTLS_SRTP: &str = "UDP/TLS/RTP/SAVPF";

/// Keys in the open, by the name of their profile in SDP (RFC 4568).
pub const SDES: &str = "RTP/SAVP";

/// Candidates that came one by one, for one content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trickled {
    /// The content's place in the description.
    pub index: usize,
    /// Its new candidates.
    pub candidates: Vec<Candidate>,
    /// No more follow.
    pub complete: bool,
}

/// How a content is called on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    creator: wire::Creator,
    name: String,
}

/// One side of a session in Jingle.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who we are.
    role: Creator,
    /// Where names of candidates come from.
    entropy: Entropy,
    /// How often ICE was restarted by us.
    generation: u16,
    /// The contents' names, in the order of the descriptions.
    places: Vec<Place>,
    ours: Option<Description>,
    theirs: Option<Description>,
    /// What the other side's directions are when it does not hold.
    unheld: Vec<Direction>,
}

impl Session {
    /// A session that has not begun, and who we are in it.
    #[must_use]
    pub fn new(role: Creator, entropy: &Entropy) -> Self {
        Self {
            role,
            entropy: entropy.fork("call.jingle"),
            generation: 0,
            places: Vec::new(),
            ours: None,
            theirs: None,
            unheld: Vec::new(),
        }
    }

    /// What the other side says, as it stands.
    #[must_use]
    pub const fn theirs(&self) -> Option<&Description> {
        self.theirs.as_ref()
    }

    /// Reads the contents of a session-initiate or a session-accept, and says what of it could not
    /// be understood. The contents of an accept are put in the order of what was written; what is
    /// missing there is refused.
    pub fn read(
        &mut self,
        contents: &[wire::Content],
        groups: &[wire::Group],
    ) -> (Description, Vec<Loss>) {
        let mut losses = Vec::new();
        if !groups.is_empty() {
            losses.push(Loss::Grouping);
        }
        let speaker = other(self.role);
        let description = match &self.ours {
            Some(ours) => {
                let answer = |(index, ours): (usize, &Content)| {
                    let place = self.places.get(index);
                    let said = place.and_then(|place| contents.iter().find(|c| is_at(place, c)));
                    match said {
                        Some(said) => {
                            let read = read::content(index, said, speaker, &mut losses);
                            //= XEP-0176 §6: an offer of ICE is answered with ICE.
                            if keeps_ice(ours, &read) { read } else { read::refused(ours) }
                        }
                        None => read::refused(ours),
                    }
                };
                Description { contents: ours.contents.iter().enumerate().map(answer).collect() }
            }
            None => {
                let read = |(index, content): (usize, &wire::Content)| match index {
                    0..defaults::MAX_CONTENTS => {
                        read::content(index, content, speaker, &mut losses)
                    }
                    _ => {
                        losses.push(Loss::TooMany(index));
                        read::unknown(content)
                    }
                };
                self.places = contents.iter().map(place_of).collect();
                Description { contents: contents.iter().enumerate().map(read).collect() }
            }
        };
        self.unheld = description.contents.iter().map(|content| content.direction).collect();
        self.theirs = Some(description.clone());
        (description, losses)
    }

    /// Writes the contents of a session-initiate or a session-accept, and says what of the
    /// description could not be written. What is refused is left out.
    pub fn write(&mut self, description: &Description) -> (Vec<wire::Content>, Vec<Loss>) {
        let mut losses = Vec::new();
        self.regenerate(description);
        if self.theirs.is_none() {
            self.places = write::places(description, &mut losses);
        }
        let contents = description.contents.iter().enumerate();
        let contents = contents
            .filter_map(|(index, content)| {
                let place = self.places.get(index)?;
                let bare = wire::Content::new(place.creator, &place.name);
                let mut writer = write::Writer {
                    index,
                    speaker: self.role,
                    generation: self.generation,
                    entropy: &mut self.entropy,
                    losses: &mut losses,
                };
                writer.content(content, bare)
            })
            .collect();
        self.ours = Some(description.clone());
        (contents, losses)
    }

    /// Writes the contents of a transport-replace or its -accept: the transports alone.
    pub fn write_transports(
        &mut self,
        description: &Description,
    ) -> (Vec<wire::Content>, Vec<Loss>) {
        let (contents, losses) = self.write(description);
        let bare = |content: wire::Content| wire::Content {
            transport: content.transport.clone(),
            ..content.bare()
        };
        (contents.into_iter().map(bare).collect(), losses)
    }

    /// Reads the contents of a transport-replace or its -accept. `None`, and nothing has changed, if
    /// they cannot be taken: before anything else was read, or if they have no ICE where there was.
    pub fn read_transports(
        &mut self,
        contents: &[wire::Content],
    ) -> Option<(Description, Vec<Loss>)> {
        let (mut theirs, mut losses) = (self.theirs.clone()?, Vec::new());
        for (index, said) in self.find(contents) {
            let content = theirs.contents.get_mut(index)?;
            let transport = read::transport(index, said, content.rtcp_mux, &mut losses)?;
            let read = Content { transport, ..content.clone() };
            //= RFC 7675 §4: media go where consent was given; a way without ICE would need none.
            *content = keeps_ice(content, &read).then_some(read)?;
        }
        self.theirs = Some(theirs.clone());
        Some((theirs, losses))
    }

    /// Reads the contents of a content-modify. `None` before anything else was read.
    pub fn read_senders(&mut self, contents: &[wire::Content]) -> Option<Description> {
        for (index, said) in self.find(contents) {
            let direction = read::direction(said.senders(), other(self.role));
            self.theirs.as_mut()?.contents.get_mut(index)?.direction = direction;
            *self.unheld.get_mut(index)? = direction;
        }
        self.theirs.clone()
    }

    /// Reads the contents of a content-remove. `None` before anything else was read.
    pub fn read_removed(&mut self, contents: &[wire::Content]) -> Option<Description> {
        for (index, _) in self.find(contents) {
            let content = self.theirs.as_mut()?.contents.get_mut(index)?;
            *content = read::refused(content);
        }
        self.theirs.clone()
    }

    /// Reads a session-info: `None` if it changes nothing of the description.
    pub fn read_info(&mut self, info: &wire::Info) -> Option<Description> {
        let held = match info {
            wire::Info::Hold => true,
            wire::Info::Unhold | wire::Info::Active => false,
            wire::Info::Ringing | wire::Info::Mute { .. } | wire::Info::Unmute { .. } => {
                return None;
            }
        };
        let theirs = self.theirs.as_mut()?;
        for (content, unheld) in theirs.contents.iter_mut().zip(&self.unheld) {
            //= XEP-0167 §8: who holds wants to hear nothing for a while.
            content.direction = if held { unheld.and(Direction::SENDS) } else { *unheld };
        }
        Some(theirs.clone())
    }

    /// The session-info that says whether `ours`, a later offer, holds.
    #[must_use]
    pub fn info(ours: &Description) -> wire::Info {
        let mut open = ours.contents.iter().filter(|content| !content.refused);
        if open.any(|content| content.direction.receives) {
            wire::Info::Unhold
        } else {
            wire::Info::Hold
        }
    }

    /// Whether `ours`, a later offer, has other transports than what was written last, so that a
    /// transport-replace has to say it.
    #[must_use]
    pub fn replaces(&self, ours: &Description) -> bool {
        let credentials = |description: &Description| -> Vec<_> {
            let ices = description.contents.iter().map(|content| content.transport.ice.as_ref());
            ices.map(|ice| ice.map(|ice| ice.credentials.clone())).collect()
        };
        self.ours.as_ref().is_some_and(|before| credentials(before) != credentials(ours))
    }

    /// Reads the contents of a transport-info.
    pub fn read_candidates(&mut self, contents: &[wire::Content]) -> (Vec<Trickled>, Vec<Loss>) {
        let (mut trickled, mut losses) = (Vec::new(), Vec::new());
        for (index, said) in self.find(contents) {
            let theirs = self.theirs.as_mut().and_then(|theirs| theirs.contents.get_mut(index));
            let ice = theirs.and_then(|content| content.transport.ice.as_mut());
            let (Some(ice), Some(wire::Transport::IceUdp(more))) = (ice, &said.transport) else {
                losses.push(Loss::Other(index, "transport-info".to_owned()));
                continue;
            };
            //= XEP-0176 §5.5: candidates belong to the credentials that stand with them.
            if more.ufrag.as_ref().is_some_and(|ufrag| *ufrag != ice.credentials.ufrag) {
                losses.push(Loss::Credentials(index));
                continue;
            }
            let room = defaults::MAX_CANDIDATES.saturating_sub(ice.candidates.len());
            let candidates = read::candidates(index, more, room, &mut losses);
            ice.candidates.extend(candidates.iter().cloned());
            ice.complete |= more.gathering_complete;
            trickled.push(Trickled { index, candidates, complete: ice.complete });
        }
        (trickled, losses)
    }

    /// Writes the contents of a transport-info: candidates of the content at `index` that were not
    /// said before, and whether none follow. Empty if that content was not written with ICE.
    pub fn write_candidates(
        &mut self,
        index: usize,
        candidates: &[Candidate],
        complete: bool,
    ) -> (Vec<wire::Content>, Vec<Loss>) {
        let mut losses = Vec::new();
        let ours = self.ours.as_mut().and_then(|ours| ours.contents.get_mut(index));
        let ice = ours.and_then(|content| content.transport.ice.as_mut());
        let (Some(ice), Some(place)) = (ice, self.places.get(index)) else {
            return (Vec::new(), losses);
        };
        ice.candidates.extend(candidates.iter().cloned());
        ice.complete |= complete;
        let said = crate::Ice { candidates: candidates.to_vec(), complete, ..ice.clone() };
        let mut writer = write::Writer {
            index,
            speaker: self.role,
            generation: self.generation,
            entropy: &mut self.entropy,
            losses: &mut losses,
        };
        let transport = writer.ice(&said);
        let content = wire::Content::new(place.creator, &place.name);
        (vec![wire::Content { transport: Some(transport), ..content }], losses)
    }

    /// The contents that have a place, with it.
    fn find<'a>(&self, contents: &'a [wire::Content]) -> Vec<(usize, &'a wire::Content)> {
        let place = |content: &'a wire::Content| {
            let index = self.places.iter().position(|place| is_at(place, content))?;
            Some((index, content))
        };
        contents.iter().filter_map(place).collect()
    }

    /// Counts restarts.
    fn regenerate(&mut self, description: &Description) {
        //= XEP-0176 §5.9: a restart shows as a higher generation of all candidates.
        if self.replaces(description) {
            self.generation = self.generation.wrapping_add(1);
        }
    }
}

/// Why a session whose contents could not be agreed on is ended.
#[must_use]
pub fn condition(contents: &[wire::Content], error: &negotiate::Error) -> wire::Condition {
    let audio = |content: &&wire::Content| {
        content.description.as_ref().is_some_and(|description| description.media == "audio")
    };
    match error {
        //= XEP-0167 §7: a call that wants protection is not made without.
        negotiate::Error::Keying => wire::Condition::SecurityError,
        //= XEP-0166 §6.3.2: each kind of what is not known has its own reason.
        _ if !contents.iter().any(|content| audio(&content)) => {
            wire::Condition::UnsupportedApplications
        }
        _ if contents.iter().filter(audio).all(|content| content.transport.is_none()) => {
            wire::Condition::UnsupportedTransports
        }
        _ if contents.iter().filter(audio).all(|content| !has_credentials(content)) => {
            wire::Condition::FailedTransport
        }
        negotiate::Error::NothingInCommon | negotiate::Error::Mismatch => {
            wire::Condition::IncompatibleParameters
        }
    }
}

/// Whether its transport is none of ICE's, or has credentials that can be used.
fn has_credentials(content: &wire::Content) -> bool {
    let Some(wire::Transport::IceUdp(ice)) = &content.transport else { return true };
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    ice::Credentials::received(&said(&ice.ufrag), &said(&ice.pwd)).is_ok()
}

/// Whether `after` is reached by ICE if `before` was, or not at all.
const fn keeps_ice(before: &Content, after: &Content) -> bool {
    after.refused || before.transport.ice.is_none() || after.transport.ice.is_some()
}

fn place_of(content: &wire::Content) -> Place {
    Place { creator: content.creator, name: content.name.clone() }
}

fn is_at(place: &Place, content: &wire::Content) -> bool {
    place.creator == content.creator && place.name == content.name
}

/// The other party.
const fn other(role: Creator) -> Creator {
    match role {
        Creator::Initiator => Creator::Responder,
        Creator::Responder => Creator::Initiator,
    }
}

#[cfg(test)]
mod tests;
