//! The end of a phone: calls are ended, then registrations removed and streams closed, each within its
//! time.

use machine::Now;
use sip::ua;

use crate::account::Login;
use crate::defaults;
use crate::event::{By, CallId, Event};
use crate::phone::{Phone, Timer};
use crate::reason::JingleEnd;
use crate::signalling::Signalling;

/// How far the end of the phone has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Nobody asked for it.
    #[default]
    Running,
    /// Calls are being ended.
    HangingUp,
    /// Registrations are being removed.
    Unregistering,
    /// It is over.
    Stopped,
}

impl Phone {
    /// Ends every call, and then removes every registration; [`Event::Stopped`] follows within
    /// [`defaults::STOP_LIMIT`], whether or not anybody answers.
    pub fn stop(&mut self, now: Now) {
        if self.stage == Stage::Running {
            self.stage = Stage::HangingUp;
            self.timers.set(Timer::HangUp, now.mono + defaults::HANG_UP_LIMIT);
            self.timers.set(Timer::Stop, now.mono + defaults::STOP_LIMIT);
            let calls: Vec<CallId> = self.calls().collect();
            for call in calls {
                self.end_signalling(now, call);
            }
        }
        self.run(now);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stage != Stage::Running
    }

    /// The time for calls to end in peace is up.
    pub(crate) fn hang_up_over(&mut self, now: Now) {
        if self.stage == Stage::HangingUp {
            self.unregister(now);
        }
    }

    /// The time for all of it is up.
    pub(crate) fn stop_over(&mut self) {
        self.stage = Stage::Unregistering;
        self.unregistering.clear();
    }

    /// Goes on with the end of the phone as far as it has come; whether there was nothing to do.
    pub(crate) fn advance_stop(&mut self, now: Now) -> bool {
        let before = self.stage;
        if self.stage == Stage::HangingUp && self.sessions.is_empty() {
            self.unregister(now);
        }
        let told = self.unregistering.is_empty() && !self.connect.is_shutting();
        let late = self.timers.at(&Timer::Stop).is_none();
        if self.stage == Stage::Unregistering && (told || late) {
            self.end_calls(now);
            self.stage = Stage::Stopped;
            self.timers.cancel(&Timer::HangUp);
            self.timers.cancel(&Timer::Stop);
            self.events.push_back(Event::Stopped);
        }
        self.stage == before
    }

    fn unregister(&mut self, now: Now) {
        self.stage = Stage::Unregistering;
        self.connect.shut(now);
        for (index, line) in self.lines.iter_mut().enumerate() {
            self.unregistering.insert(index);
            match &mut line.login {
                Login::Sip(account) => self.agent.unregister(now, *account),
                Login::Xmpp(connection) => connection.client.stop(now),
            }
        }
    }

    /// Ends the calls whose other side did not answer in time.
    fn end_calls(&mut self, now: Now) {
        while let Some((_, session)) = self.sessions.pop_first() {
            let reason = match session.signalling {
                Signalling::Sip(_) => ua::Reason::TimedOut.into(),
                Signalling::Jingle(_) => JingleEnd::TimedOut.into(),
            };
            session.end(now, &mut self.connect, reason, By::Us, &mut self.events);
        }
    }
}
