//! The server itself: inputs to its parts.

use crypto::Secret;
use machine::{Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs};

use super::{Answer, Config, Event, Listener, Question, Stats};

/// The TURN server.
#[derive(Debug)]
pub struct Server {
    config: Config,
    ids: Ids,
    outputs: Outputs<Event, Question>,
    stats: Stats,
}

impl Server {
    /// A server whose names come from `ids`, which binds the listeners of `config`.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: &Entropy) -> Self {
        let _ = entropy;
        Self { config, ids, outputs: Outputs::new(), stats: Stats::default() }
    }

    /// Binds another listener; an [`Event::Listening`] or [`Event::ListenFailed`] with this name
    /// follows.
    pub fn listen(&mut self, listener: Listener) -> Id {
        let _ = listener;
        self.ids.next_id()
    }

    /// Takes new settings for what comes from now on: realms, peers, secrets, limits, alternates.
    /// Listeners and relayed addresses stay as they are. Forgets remembered keys, so that changed
    /// passwords count at once; allocations that there are go on.
    pub fn reload(&mut self, config: Config) {
        self.config = config;
    }

    /// Replaces the secrets of time-limited credentials; several, so that they can be rotated.
    pub fn set_shared_secrets(&mut self, secrets: Vec<Secret>) {
        self.config.secrets = secrets;
    }

    /// Takes no new allocations: clients are sent to [`Config::alternates`], or away. Those that
    /// there are go on; [`Event::Drained`] tells when the last has ended.
    pub fn drain(&mut self, now: Now) {
        let _ = now;
    }

    /// How many allocations there are.
    #[must_use]
    pub fn allocations(&self) -> usize {
        0
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }
}

impl Machine for Server {
    type Event = Event;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, _now: Now, _input: Input<'_, Answer>) {}

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
