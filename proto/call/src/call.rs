//! The state of one call: negotiation, a path, media.
//!
//! A [`Call`] holds one session of the phone's [`Connect`], which it is lent in every verb. It is
//! told what the other side says as [`Description`]s, and hands out what to tell the other side as
//! [`Event::Offer`] and [`Event::Answer`]; how those travel is not its business.
//!
//! ```text
//! dial      ─ Offering ─ Ringing ─┐
//!                                 ├─ Connecting ─ Established ─ Ended
//! incoming  ─ Ringing ─ Answered ─┘
//! ```
//!
//! | phone's part | call's part |
//! |---|---|
//! | `connect.poll_output` gives an event of [`Call::session`] | [`Call::handle_connect`] |
//! | a provisional response | [`Call::ringing`] |
//! | the answer (early, final, or in an ACK) | [`Call::handle_answer`] |
//! | the owner accepts | [`Call::answer`] |
//! | candidates that came later | [`Call::add_candidates`] |
//! | a later offer, or the wish for one | [`Call::handle_offer`], [`Call::offer`] |
//! | the owner holds, or the network changed | [`Call::hold`], [`Call::restart`] |
//! | a later offer of ours was refused | [`Call::keep_terms`] |
//! | the end, whoever wants it | [`Call::end`] |

use std::collections::VecDeque;
use std::time::Duration;

use connect::{
    Connect, IceMode, OpenError, Path, Role, SessionError, SessionId, SessionSpec, StreamSpec,
    TurnServer,
};
use ice::{Candidate, Explanation};
use machine::{Endpoint, Entropy, Instant, Now};
use rtp::jitter_buffer::Frame;

use crate::defaults;
use crate::description::{Description, Direction};
use crate::media::{Leg, Output, Source, Stats};
use crate::negotiate::{self, Agreed, Capabilities};

mod offers;
mod trickle;

/// How a call is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// What we can do.
    pub capabilities: Capabilities,
    /// How a path is found.
    pub ice: IceMode,
    /// Whether candidates are told as they are found, by [`Event::Candidates`] (RFC 8838).
    pub trickle: bool,
    /// STUN servers to ask.
    pub stun_servers: Vec<Endpoint>,
    /// TURN servers to relay through, the first that works.
    pub turn_servers: Vec<TurnServer>,
    /// Offer loopback addresses too.
    pub include_loopback: bool,
    /// Our address towards the signalling server.
    pub preferred: Option<std::net::IpAddr>,
    /// What we play.
    pub source: Source,
    /// How often [`Event::Media`] tells how it goes.
    pub stats_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            capabilities: Capabilities::default(),
            ice: IceMode::On,
            trickle: false,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            include_loopback: false,
            preferred: None,
            source: Source::silence(),
            stats_every: defaults::STATS_EVERY,
        }
    }
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Our offer is being gathered or on its way.
    Offering,
    /// It rings, there or here.
    Ringing,
    /// Accepted here; the answer is being gathered.
    Answered,
    /// Both descriptions are known; a path is looked for.
    Connecting,
    /// There is a path, and sound on it.
    Established,
    /// It is over.
    Ended,
}

/// What a call tells its owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Send this offer: the first one, or after [`Call::hold`].
    Offer(Description),
    /// Send this answer.
    Answer(Description),
    /// Tell the other side that there are more candidates of ours.
    Candidates {
        /// The content's place in the description.
        index: usize,
        /// The candidates.
        candidates: Vec<Candidate>,
        /// No others follow.
        complete: bool,
    },
    /// The state changed.
    State(State),
    /// A path was chosen, or changed. Component 1 carries RTP, 2 RTCP unless they share.
    Path {
        /// The component.
        component: u16,
        /// The path.
        path: Path,
    },
    /// There is no path, and why. The call stays until [`Call::end`].
    NoPath(Box<Explanation>),
    /// 20 ms of what is heard, at 8 kHz.
    Heard(Box<Frame>),
    /// Our source has been played to its end.
    SourceEnded,
    /// How it goes, from time to time and at the end.
    Media(Box<Stats>),
}

/// Why a call, or a change of it, cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No path can be looked for.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The descriptions do not fit.
    #[error(transparent)]
    Negotiation(#[from] negotiate::Error),
    /// The other side's parameters are not allowed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The verb does not fit the state.
    #[error("not while the call is {0:?}")]
    State(State),
}

/// One call.
#[derive(Debug)]
pub struct Call {
    state: State,
    config: Config,
    session: SessionId,
    leg: Leg,
    gathered: bool,
    /// A candidate was found after we spoke: the other side is to be told.
    untold: bool,
    /// What we last said, once said.
    ours: Option<Description>,
    /// What the other side last said.
    theirs: Option<Description>,
    /// Which content of the offer is the call's.
    index: usize,
    agreed: Option<Agreed>,
    /// What we want: both ways, unless we hold.
    direction: Direction,
    next_stats: Option<Instant>,
    /// A path that was lost is being looked for anew.
    seeking: bool,
    events: VecDeque<Event>,
}

impl Call {
    /// Begins a call of ours. [`Event::Offer`] comes when our candidates are gathered, or at once if
    /// it trickles.
    ///
    /// Also for a call that came without an offer: ours then goes into the answer.
    ///
    /// # Errors
    /// If no session can be opened.
    pub fn dial(
        now: Now,
        config: Config,
        connect: &mut Connect,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        // RTCP has a port of its own until the other side agrees to share.
        Self::open(now, config, State::Offering, Role::Controlling, 2, connect, entropy)
    }

    /// Takes a call that came with `offer`. It rings until [`Call::answer`].
    ///
    /// # Errors
    /// If we can take no stream of the offer, or no session can be opened.
    pub fn incoming(
        now: Now,
        config: Config,
        offer: Description,
        connect: &mut Connect,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let index = config.capabilities.choose(&offer)?;
        let shared = offer.contents.get(index).is_some_and(|content| content.rtcp_mux)
            && config.capabilities.rtcp_mux;
        let components = if shared { 1 } else { 2 };
        let role = Role::Controlled;
        let mut call = Self::open(now, config, State::Ringing, role, components, connect, entropy)?;
        call.theirs = Some(offer);
        call.index = index;
        Ok(call)
    }

    fn open(
        now: Now,
        config: Config,
        state: State,
        role: Role,
        components: u16,
        connect: &mut Connect,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let spec = SessionSpec {
            streams: vec![StreamSpec { components }],
            ice: config.ice,
            trickle: config.trickle,
            role,
            stun_servers: config.stun_servers.clone(),
            turn_servers: config.turn_servers.clone(),
            include_loopback: config.include_loopback,
            preferred: config.preferred,
        };
        let session = connect.open(now, spec)?;
        let leg = Leg::new(config.source.clone(), entropy.fork("call.media"));
        Ok(Self {
            state,
            config,
            session,
            leg,
            gathered: false,
            untold: false,
            ours: None,
            theirs: None,
            index: 0,
            agreed: None,
            direction: Direction::BOTH,
            next_stats: None,
            seeking: false,
            events: VecDeque::from([Event::State(state)]),
        })
    }

    /// Its session, by which the phone routes the events of [`Connect`].
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The place of the call's own content in the descriptions.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// What was agreed last.
    #[must_use]
    pub const fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// How it goes.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.leg.stats()
    }

    /// It rings at the other side.
    pub fn ringing(&mut self) {
        if self.state == State::Offering {
            self.enter(State::Ringing);
        }
    }

    /// Accepts a call that came. [`Event::Answer`] comes when our candidates are gathered, or at once
    /// if it trickles.
    ///
    /// # Errors
    /// If it does not ring here.
    pub fn answer(&mut self, now: Now, connect: &mut Connect) -> Result<(), Error> {
        if self.state != State::Ringing || self.theirs.is_none() {
            return Err(Error::State(self.state));
        }
        self.enter(State::Answered);
        self.speak(now, connect)
    }

    /// Replaces what we play.
    pub fn play(&mut self, source: Source) {
        self.leg.play(source);
    }

    /// Ends the call: a last report, and the session is closed. [`Event::Media`] tells how it went.
    pub fn end(&mut self, now: Now, connect: &mut Connect) {
        if self.state == State::Ended {
            return;
        }
        self.next_stats = None;
        if self.agreed.is_some() {
            self.events.push_back(Event::Media(Box::new(self.leg.stats())));
        }
        self.leg.stop(now);
        self.drain(now, connect);
        connect.close(now, self.session);
        self.enter(State::Ended);
    }

    /// Takes an event of its session.
    pub fn handle_connect(&mut self, now: Now, connect: &mut Connect, event: connect::Event) {
        if self.state == State::Ended {
            return;
        }
        match event {
            connect::Event::Gathered { .. } if !self.gathered => {
                self.gathered = true;
                // Only an answer's own parameters can be refused here, and the offer's were read.
                let _ = self.speak(now, connect);
                if self.config.trickle {
                    self.tell(None, true);
                }
            }
            connect::Event::Candidate { candidate, .. } => self.found(now, connect, &candidate),
            connect::Event::Writable { component: 1, .. } => self.establish(now),
            connect::Event::Path { component, path, .. } => {
                self.events.push_back(Event::Path { component, path });
                if component == 1 {
                    self.seeking = false;
                    self.establish(now);
                }
            }
            connect::Event::Received { bytes, .. } => self.leg.handle_input(now, &bytes),
            connect::Event::Failed { explanation, .. } => self.lost(now, connect, explanation),
            connect::Event::Gathered { .. }
            | connect::Event::Writable { .. }
            | connect::Event::Pair { .. }
            | connect::Event::Closed { .. } => {}
        }
        self.drain(now, connect);
    }

    /// Sends, plays and reports what is due.
    pub fn handle_timeout(&mut self, now: Now, connect: &mut Connect) {
        self.leg.handle_timeout(now);
        self.drain(now, connect);
        while let Some(due) = self.next_stats.filter(|due| *due <= now.mono) {
            // Told once, however long the host slept.
            self.next_stats =
                Some((due + self.config.stats_every).max(now.mono + Duration::from_nanos(1)));
            self.events.push_back(Event::Media(Box::new(self.leg.stats())));
        }
    }

    /// When [`Call::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.leg.poll_timeout().into_iter().chain(self.next_stats).min()
    }

    /// The next event, or `None` when drained.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn enter(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.events.push_back(Event::State(state));
        }
    }

    /// There is a path for RTP.
    fn establish(&mut self, now: Now) {
        if self.state == State::Connecting {
            self.enter(State::Established);
            self.leg.start(now);
            self.next_stats = Some(now.mono + self.config.stats_every);
        }
    }

    /// There is no path, or none any longer.
    ///
    //= RFC 8445 §9: a path that worked until something of it was gone, as a relay, is looked for anew.
    //= If that leads nowhere too, there is none.
    fn lost(&mut self, now: Now, connect: &mut Connect, explanation: Box<Explanation>) {
        let again = self.state == State::Established && !std::mem::replace(&mut self.seeking, true);
        if !again || self.restart(now, connect).is_err() {
            self.events.push_back(Event::NoPath(explanation));
        }
    }

    /// Carries what the leg has to send, and tells what it heard.
    fn drain(&mut self, now: Now, connect: &mut Connect) {
        let shared = self.agreed.as_ref().is_none_or(|agreed| agreed.rtcp_mux);
        while let Some(output) = self.leg.poll_output() {
            let (component, bytes) = match output {
                Output::Rtp(bytes) => (1, bytes),
                Output::Rtcp(bytes) => (if shared { 1 } else { 2 }, bytes),
                Output::Heard(frame) => {
                    self.events.push_back(Event::Heard(frame));
                    continue;
                }
                Output::SourceEnded => {
                    self.events.push_back(Event::SourceEnded);
                    continue;
                }
                // Signalling ends calls; the other side's media may come back under a new source.
                Output::Goodbye => continue,
            };
            // A packet without a path is lost, as on any network.
            let _ = connect.send(now, self.session, 0, component, &bytes);
        }
    }
}
