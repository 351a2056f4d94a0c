//! The server itself: inputs to its parts, deadlines, what its owner may do.

use machine::{Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs};

use super::{Answer, Config, Event, Listener, Question, Stats};

/// The XMPP server.
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
    pub fn new(config: Config, ids: Ids, _entropy: &Entropy) -> Self {
        Self { config, ids, outputs: Outputs::new(), stats: Stats::default() }
    }

    /// Binds another listener; an [`Event::Listening`] or [`Event::ListenFailed`] with this name
    /// follows.
    pub fn listen(&mut self, _listener: Listener) -> Id {
        self.ids.next_id()
    }

    /// Takes new limits for what comes from now on. The domain and the listeners stay as they are.
    pub fn reload(&mut self, config: Config) {
        self.config.limits = config.limits;
    }

    /// Takes no new connections and ends the sessions that there are, with `system-shutdown`;
    /// [`Event::Drained`] tells when the last has ended.
    pub fn drain(&mut self, _now: Now) {}

    /// Ends the sessions of an account that is gone or has a new password, with `not-authorized`.
    pub fn disconnect(&mut self, _now: Now, _user: &str) {}

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
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
