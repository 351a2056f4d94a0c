//! How a session ends: released, or failed.

use std::time::Duration;

use machine::Timers;

use super::requests::Purpose;
use super::{Context, Session, State, Timer, Verdict};
use crate::client::event::{Cause, Failure};

impl Session {
    /// Ends it, waiting at most `patience` for the server.
    pub(in crate::client) fn close(&mut self, context: &mut Context<'_>, patience: Duration) {
        match self.state {
            State::Opening => self.end(context),
            // The end of a connection is the end of what it asked for.
            State::Allocating if self.link.is_stream() => self.end(context),
            State::Allocating => {
                self.state = State::Abandoned;
                self.timers.set(Timer::End, context.now.mono + patience);
            }
            State::Allocated => self.release(context, patience),
            State::Abandoned | State::Releasing | State::Over => {}
        }
    }

    pub(super) fn release(&mut self, context: &mut Context<'_>, patience: Duration) {
        self.state = State::Releasing;
        self.allocation = None;
        self.connections.close_all(context);
        self.pending.clear();
        self.timers = Timers::new();
        if let Some(moving) = self.moving.take() {
            moving.close(context);
        }
        self.timers.set(Timer::End, context.now.mono + patience);
        self.start(context, Purpose::Release);
    }

    pub(super) fn end(&mut self, context: &mut Context<'_>) {
        self.shut(context);
        self.verdict = Some(Verdict::Ended);
    }

    pub(super) fn fail(
        &mut self,
        context: &mut Context<'_>,
        cause: Cause,
        retry_after: Option<Duration>,
    ) {
        self.shut(context);
        let server = self.server.clone();
        self.verdict = Some(Verdict::Failed(Failure { server, cause, retry_after }));
    }

    /// Closes everything.
    pub(super) fn shut(&mut self, context: &mut Context<'_>) {
        if self.state != State::Over {
            self.state = State::Over;
            self.link.close(context);
            if let Some(moving) = self.moving.take() {
                moving.close(context);
            }
        }
        self.connections.close_all(context);
        self.allocation = None;
        self.pending.clear();
        self.timers = Timers::new();
    }
}
