//! Keeping the way open (RFC 8445 §11).
//!
//! Consent (RFC 7675) will stand here as well: it replaces the indication by a request on the
//! selected pair, and silence by the end of sending.

use machine::{Instant, Now};

use super::{Agent, Timer, Transmit, wire};

impl Agent {
    /// The owner sent data on the way of this component: no keepalive is needed for a while.
    pub fn data_sent(&mut self, now: Now, stream: usize, component: u16) {
        if let Some(state) = self.streams.get_mut(stream).and_then(|s| s.component_mut(component)) {
            state.last_sent = now.mono;
        }
    }

    //= RFC 8445 §11: a Binding indication when nothing was sent on the pair for Tr.
    pub(super) fn keep_alive(&mut self, now: Instant, stream: usize, component: u16) {
        let way = self.current_way(stream, component);
        let Some(state) = self.streams.get_mut(stream).and_then(|s| s.component_mut(component))
        else {
            return;
        };
        if now.saturating_since(state.last_sent) >= self.config.keepalive {
            state.last_sent = now;
            if let Some(way) = way {
                let bytes = wire::indication(&mut self.entropy);
                self.stats.keepalives_sent += 1;
                let (base, remote) = (way.local.base, way.remote.endpoint);
                self.transmits.push_back(Transmit { base, remote, bytes });
            }
        }
        let at = state.last_sent + self.config.keepalive;
        self.timers.set(Timer::Keepalive { stream, component }, at);
    }
}
