//! The laws of the shape, as assertions.

use std::fmt::Debug;

use crate::{Input, Instant, Machine, Now, Output};

/// A machine that is held to the laws of [`Machine`]: every test and every simulation runs in it.
///
/// With a [twin](Self::with_twin) it also proves determinism: both get the same inputs, and must
/// give the same outputs to the byte.
#[derive(Debug)]
pub struct Checked<M> {
    machine: M,
    twin: Option<M>,
    drained: bool,
    now: Now,
    fired: Option<Instant>,
    twin_buf: Vec<u8>,
}

impl<M: Machine> Checked<M> {
    /// Holds `machine` to the laws.
    #[must_use]
    pub fn new(machine: M) -> Self {
        let twin_buf = Vec::new();
        Self { machine, twin: None, drained: true, now: Now::default(), fired: None, twin_buf }
    }

    /// Holds `machine` to the laws, and to giving the outputs that `twin` gives.
    #[must_use]
    pub fn with_twin(machine: M, twin: M) -> Self {
        Self { twin: Some(twin), ..Self::new(machine) }
    }

    /// The machine, to look at.
    #[must_use]
    pub const fn get(&self) -> &M {
        &self.machine
    }

    /// Calls a verb of the machine. The caller drains it afterwards, as after any input.
    ///
    /// The verb is called on the twin as well, so it must depend on nothing but the machine.
    pub fn verb<R>(&mut self, now: Now, mut verb: impl FnMut(&mut M, Now) -> R) -> R {
        self.enter(now);
        if let Some(twin) = &mut self.twin {
            verb(twin, now);
        }
        verb(&mut self.machine, now)
    }

    fn enter(&mut self, now: Now) {
        assert!(self.drained, "law 1: poll_output is drained before the next input");
        assert!(
            now.mono >= self.now.mono,
            "law 2: the clock went back from {:?} to {:?}",
            self.now.mono,
            now.mono
        );
        self.now = now;
        self.drained = false;
        self.fired = None;
    }
}

impl<M> Machine for Checked<M>
where
    M: Machine<Event: PartialEq + Debug, Question: PartialEq + Debug, Answer: Clone>,
{
    type Event = M::Event;
    type Question = M::Question;
    type Answer = M::Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Self::Answer>) {
        self.enter(now);
        if let Some(twin) = &mut self.twin {
            twin.handle_input(now, input.clone());
        }
        self.machine.handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.enter(now);
        self.fired = Some(now.mono);
        if let Some(twin) = &mut self.twin {
            twin.handle_timeout(now);
        }
        self.machine.handle_timeout(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Self::Event, Self::Question>> {
        let start = buf.len();
        let output = self.machine.poll_output(buf);
        if let Some(twin) = &mut self.twin {
            self.twin_buf.clear();
            let other = twin.poll_output(&mut self.twin_buf);
            assert_eq!(output, other, "law 5: the same inputs give the same outputs");
            assert_eq!(&buf[start..], self.twin_buf, "law 5: to the byte");
        }
        if output.is_none() {
            self.drained = true;
            if let (Some(fired), Some(next)) = (self.fired, self.machine.poll_timeout()) {
                assert!(
                    next > fired,
                    "law 3: after a timeout at {fired:?} the next lies at {next:?}"
                );
            }
        }
        output
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let next = self.machine.poll_timeout();
        if let Some(twin) = &self.twin {
            assert_eq!(next, twin.poll_timeout(), "law 5: the same timers");
        }
        next
    }
}

#[cfg(test)]
mod tests;
