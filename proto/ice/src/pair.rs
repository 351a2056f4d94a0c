//! Candidate pairs (RFC 8445 §6.1.2.2, §6.1.2.3).

use std::net::IpAddr;
use std::time::Duration;

use machine::{AddressClass, Instant};

use crate::explain::{Fate, PairState, Role};
use crate::{Candidate, CandidateKind};

/// The number of a pair, never used twice in a session.
pub(crate) type PairId = u32;

/// One of our candidates with one of theirs.
///
/// A reflexive candidate of ours is paired as its base, so a pair is one way for packets: from
/// `local.base` to `remote.endpoint`, unique in its checklist. The valid pair that a check proves
/// (§7.2.5.3.2) takes the same way, and so lives in here: [`Pair::valid`].
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) id: PairId,
    pub(crate) stream: usize,
    pub(crate) component: u16,
    /// Index among the stream's local candidates.
    pub(crate) local: usize,
    /// Index among the stream's remote candidates.
    pub(crate) remote: usize,
    pub(crate) foundation: (String, String),
    pub(crate) priority: u64,
    /// It goes through a relay, ours or theirs.
    pub(crate) relayed: bool,
    /// It goes from a public relay to an address that is not: the relay will most likely refuse, and
    /// could not reach it. Such pairs are checked when nothing else is left to check.
    pub(crate) unlikely: bool,
    pub(crate) state: PairState,
    /// Off the checklist: its component has a selected pair.
    pub(crate) retired: bool,
    /// Why it failed, once it did; of a retired pair: why it would have.
    pub(crate) failure: Option<Fate>,
    /// The local candidate that the remote sees us as: the check succeeded.
    pub(crate) valid: Option<Valid>,
    /// Controlling: its next check carries USE-CANDIDATE. Controlled: the remote nominated it, and
    /// it is selected as soon as our own check succeeds.
    pub(crate) nominated: bool,
    /// What the network said about the last check.
    pub(crate) icmp: Option<machine::Icmp>,
    pub(crate) checks_sent: u32,
    /// When the first of them was.
    pub(crate) checked_since: Option<Instant>,
    pub(crate) checks_received: u32,
    pub(crate) rtt: Option<Duration>,
    /// What the owner was told of it last.
    pub(crate) told: Option<(PairState, Fate)>,
}

/// What a successful check proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Valid {
    /// Index of the candidate that the remote saw.
    pub(crate) local: usize,
    /// Priority of the valid pair.
    pub(crate) priority: u64,
}

impl Pair {
    /// On the checklist, and not decided.
    pub(crate) fn is_pending(&self) -> bool {
        !self.retired && !matches!(self.state, PairState::Succeeded | PairState::Failed)
    }

    /// What became of the pair so far.
    pub(crate) fn fate(&self, selected: bool) -> Fate {
        match (self.state, &self.failure) {
            _ if selected => Fate::Selected,
            (PairState::Succeeded, _) => Fate::Works,
            (PairState::Failed, Some(fate)) => fate.clone(),
            (_, Some(fate)) if self.retired => fate.clone(),
            _ if self.retired => Fate::Superseded,
            _ if self.checks_sent == 0 => Fate::NotTried,
            _ => Fate::Trying,
        }
    }
}

impl Pair {
    /// What there is to say of checks that were not answered.
    pub(crate) fn unanswered(&self) -> Fate {
        let heard = self.checks_received > 0;
        match self.icmp {
            Some(icmp) if !heard => Fate::Unreachable(icmp),
            _ => Fate::NoAnswer { heard },
        }
    }
}

/// The priority of a pair.
///
//= RFC 8445 §6.1.2.3: 2^32 × min(G, D) + 2 × max(G, D) + (1 if G > D), where G is the controlling
//= side's candidate priority and D the controlled side's.
pub(crate) fn priority(role: Role, local: u32, remote: u32) -> u64 {
    let (g, d) = match role {
        Role::Controlling => (local, remote),
        Role::Controlled => (remote, local),
    };
    (u64::from(g.min(d)) << 32) + 2 * u64::from(g.max(d)) + u64::from(g > d)
}

/// Whether two candidates can form a pair.
///
//= RFC 8445 §6.1.2.2: same component and address family; IPv6 link-local only with link-local.
///
/// Loopback, too, only with loopback: a remote that names 127.0.0.1 must not aim our checks at other
/// programs of this host.
pub(crate) fn fits(local: &Candidate, remote: &Candidate) -> bool {
    local.component == remote.component
        && local.transport == remote.transport
        && local.base.is_ipv4() == remote.endpoint.is_ipv4()
        && is_link_local_v6(local.base.ip()) == is_link_local_v6(remote.endpoint.ip())
        && is_loopback(local.base.ip()) == is_loopback(remote.endpoint.ip())
}

/// Whether a pair of these goes through a relay.
pub(crate) fn is_relayed(local: &Candidate, remote: &Candidate) -> bool {
    [local.kind, remote.kind].contains(&CandidateKind::Relayed)
}

/// Whether a pair of these is unlikely to work.
pub(crate) fn is_unlikely(local: &Candidate, remote: &Candidate) -> bool {
    let public = |ip| AddressClass::of(ip).is_public();
    local.kind == CandidateKind::Relayed && public(local.base.ip()) && !public(remote.endpoint.ip())
}

fn is_link_local_v6(ip: IpAddr) -> bool {
    ip.is_ipv6() && AddressClass::of(ip) == AddressClass::LinkLocal
}

fn is_loopback(ip: IpAddr) -> bool {
    AddressClass::of(ip) == AddressClass::Loopback
}

#[cfg(test)]
mod tests {
    use super::{fits, priority};
    use crate::{Candidate, CandidateKind, Role};

    #[test]
    fn both_sides_rank_a_pair_alike() {
        let (a, b) = (2_130_706_431, 1_694_498_815);
        assert_eq!(priority(Role::Controlling, a, b), priority(Role::Controlled, b, a));
        assert_eq!(priority(Role::Controlling, a, b), (u64::from(b) << 32) + 2 * u64::from(a) + 1);
        assert!(priority(Role::Controlling, a, b) > priority(Role::Controlling, b, a));
    }

    #[test]
    fn what_fits() {
        let at = |component, endpoint: &str| {
            let endpoint = endpoint.parse().unwrap();
            Candidate::signalled(CandidateKind::Host, component, "1", 1, endpoint)
        };
        assert!(fits(&at(1, "10.0.0.1:1"), &at(1, "192.0.2.1:1")));
        assert!(!fits(&at(1, "10.0.0.1:1"), &at(2, "192.0.2.1:1")));
        assert!(!fits(&at(1, "10.0.0.1:1"), &at(1, "[2001:db8::1]:1")));
        assert!(!fits(&at(1, "[fe80::1]:1"), &at(1, "[2001:db8::1]:1")));
        assert!(fits(&at(1, "[fe80::1]:1"), &at(1, "[fe80::2]:1")));
        assert!(!fits(&at(1, "10.0.0.1:1"), &at(1, "127.0.0.1:1")));
        assert!(fits(&at(1, "[::1]:1"), &at(1, "[::1]:2")));
        assert!(fits(&at(1, "169.254.0.1:1"), &at(1, "10.0.0.1:1")));
    }
}
