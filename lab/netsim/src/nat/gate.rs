//! What a home router lets in over IPv6, where it translates nothing (RFC 6092).

use std::collections::BTreeMap;
use std::time::Duration;

use machine::{Endpoint, Instant};

use crate::defaults::NAT_MAPPING_LIMIT;

/// Who inside has lately sent to whom.
#[derive(Debug, Default)]
pub(super) struct Gate(BTreeMap<Session, Instant>);

/// Protocol, inside, outside.
type Session = (u8, Endpoint, Endpoint);

impl Gate {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// A packet went out: for a while its answers may come in.
    pub(super) fn passed(&mut self, now: Instant, session: Session, lifetime: Duration) {
        if self.0.len() >= NAT_MAPPING_LIMIT && !self.0.contains_key(&session) {
            self.0.retain(|_, expires| *expires > now);
        }
        if self.0.len() < NAT_MAPPING_LIMIT || self.0.contains_key(&session) {
            self.0.insert(session, now + lifetime);
        }
    }

    /// Whether a packet from outside is an answer.
    pub(super) fn is_answer(&self, now: Instant, session: Session) -> bool {
        self.0.get(&session).is_some_and(|expires| *expires > now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};
    use std::time::Duration;

    use machine::{Endpoint, Instant};

    use super::Gate;
    use crate::defaults::NAT_MAPPING_LIMIT;
    use crate::packet::UDP;

    #[test]
    fn sessions_have_a_limit_and_make_room_when_they_have_ended() {
        let host = |n: u32| Endpoint::new(IpAddr::V6(Ipv6Addr::from_bits(n.into())), 5000);
        let (mut gate, lifetime) = (Gate::default(), Duration::from_secs(30));
        let limit = NAT_MAPPING_LIMIT as u32;
        for n in 0..=limit {
            gate.passed(Instant::ORIGIN, (UDP, host(n), host(0)), lifetime);
        }
        let last = (UDP, host(limit), host(0));
        assert!(gate.is_answer(Instant::ORIGIN, (UDP, host(limit - 1), host(0))));
        assert!(!gate.is_answer(Instant::ORIGIN, last));
        let later = Instant::ORIGIN + lifetime;
        gate.passed(later, last, lifetime);
        assert!(gate.is_answer(later, last) && gate.0.len() == 1);
    }
}
