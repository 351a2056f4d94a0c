//! The relayed addresses of a session: where they are asked for, what comes of them, and how those
//! that no path uses are given back (RFC 8445 §5.1.1.2, §8.3).
//!
//! Every component wants one. A server may be asked from each of the component's sockets; they are
//! tried in order, the next when the one before failed or is slow, and the first that gives an
//! address ends the others.
//!
//! | file | what |
//! |---|---|
//! | `asking.rs` | which server is asked next, from which socket, and when |
//! | `outcome.rs` | what comes of it: candidates, refusals, the end |

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ice::Reason;
use machine::srv::Lookup;
use machine::{
    AddressClass, Endpoint, Entropy, Id, Input, Instant, Output, Record, ResolveError, Timers,
};
use turn::attribute::Family;

use super::{Base, Context, Session};
use crate::defaults::{CLOSE_LIMIT, RELEASE_GRACE};
use crate::locate::Locator;
use crate::relay::{Relay, RelayId};
use crate::{IceMode, TurnServer};

mod asking;
mod outcome;

/// The relays of a session.
#[derive(Debug)]
pub(super) struct Relays {
    /// The servers, in order, once the session has started.
    locators: Vec<Locator>,
    relays: BTreeMap<RelayId, Relay>,
    next: RelayId,
    /// What was tried for each component: server and socket.
    tried: BTreeMap<(usize, u16), Vec<(usize, Id)>>,
    /// Whether components without a relayed address go on asking for one.
    asking: bool,
    /// How the servers see the components' sockets.
    reflexive: BTreeMap<Id, Endpoint>,
    timers: Timers<Timer>,
    entropy: Entropy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The attempt under way for a component is slow.
    Slow { stream: usize, component: u16 },
    /// Names have been looked up for long enough.
    Lookups,
    /// What no path uses is given back.
    Release,
    /// The servers have had their time to confirm.
    Close,
}

impl Relays {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self {
            locators: Vec::new(),
            relays: BTreeMap::new(),
            next: 0,
            tried: BTreeMap::new(),
            asking: false,
            reflexive: BTreeMap::new(),
            timers: Timers::new(),
            entropy,
        }
    }

    /// Starts to look for the servers.
    pub(super) fn start(
        &mut self,
        context: &mut Context<'_>,
        servers: &[TurnServer],
        limit: std::time::Duration,
    ) {
        self.asking = !servers.is_empty();
        for (n, server) in servers.iter().enumerate() {
            let entropy = self.entropy.fork(&format!("locate.{n}"));
            let (locator, lookups) = Locator::new(server.clone(), context.ids, entropy);
            self.locators.push(locator);
            look_up(context, lookups);
        }
        if self.asking {
            self.timers.set(Timer::Lookups, context.now.mono + limit);
        }
    }

    /// Takes the answer to a look-up.
    fn resolved(
        &mut self,
        context: &mut Context<'_>,
        id: Id,
        records: &Result<Vec<Record>, ResolveError>,
    ) {
        context.routes.remove(&id);
        for locator in &mut self.locators {
            let lookups = locator.resolved(id, records, context.ids);
            look_up(context, lookups);
        }
    }

    pub(super) fn get(&self, id: RelayId) -> Option<&Relay> {
        self.relays.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: RelayId) -> Option<&mut Relay> {
        self.relays.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Relay> {
        self.relays.values()
    }

    pub(super) fn locators(&self) -> &[Locator] {
        &self.locators
    }

    /// How a server sees a socket.
    pub(super) fn reflexive(&self, socket: Id) -> Option<Endpoint> {
        self.reflexive.get(&socket).copied()
    }

    /// Whether some relay still needs the socket.
    pub(super) fn borrow(&self, socket: Id) -> bool {
        self.relays.values().any(|relay| relay.borrows(socket))
    }

    /// Gives a datagram on a component's socket to the relays that it may be for; says whether there
    /// are any. One that is being given back may have the same server as the next: each knows its own
    /// transactions.
    pub(super) fn datagram(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        from: Endpoint,
        bytes: &[u8],
    ) -> bool {
        let mut any = false;
        for relay in self.relays.values_mut().filter(|relay| relay.claims(socket, from, bytes)) {
            relay.datagram(context, from, bytes);
            any = true;
        }
        any
    }

    pub(super) fn unreachable(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        remote: Endpoint,
        icmp: machine::Icmp,
    ) {
        for relay in self.relays.values_mut() {
            relay.unreachable(context, socket, remote, icmp);
        }
    }

    pub(super) fn socket_failed(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        kind: &machine::FailKind,
    ) {
        for relay in self.relays.values_mut().filter(|relay| relay.borrows(socket)) {
            relay.socket_failed(context, kind.clone());
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let clients = self.relays.values().filter_map(Relay::poll_timeout);
        clients.chain(self.timers.next()).min()
    }

    /// Begins the end: every server is told.
    pub(super) fn close(&mut self, context: &mut Context<'_>) {
        self.asking = false;
        self.relays.values_mut().for_each(|relay| relay.close(context));
        self.drop_lookups(context);
        self.locators.clear();
        self.timers = Timers::new();
        self.timers.set(Timer::Close, context.now.mono + CLOSE_LIMIT);
    }

    /// Waits for no name any longer.
    fn drop_lookups(&mut self, context: &mut Context<'_>) {
        for locator in &mut self.locators {
            for id in locator.give_up() {
                context.routes.remove(&id);
                context.outputs.push(Output::Close { id });
            }
        }
    }

    /// Whether nothing of them is left.
    pub(super) fn are_over(&self) -> bool {
        self.relays.values().all(Relay::is_over)
    }

    /// What no path uses will be given back in a while.
    pub(super) fn release_soon(&mut self, now: Instant) {
        if self.timers.at(&Timer::Release).is_none() {
            self.timers.set(Timer::Release, now + RELEASE_GRACE);
        }
    }

    /// Paths are looked for anew: components without a relayed address ask for one again.
    pub(super) fn ask_again(&mut self) {
        self.timers.cancel(&Timer::Release);
        self.asking = !self.locators.is_empty();
        self.relays.retain(|_, relay| !relay.is_over());
        self.tried.clear();
    }

    /// Lets what waits for a permission of each relay of a component know whom the other side named.
    pub(super) fn want_peers(&mut self, peers: &BTreeSet<(usize, u16, IpAddr)>) {
        for relay in self.relays.values_mut() {
            want_peers(relay, peers);
        }
    }
}

/// Asks for the permissions that checks will need. What looks out of the relay's reach is asked for
/// only when its check is due, alone: one address that is refused fails all others of its request.
fn want_peers(relay: &mut Relay, peers: &BTreeSet<(usize, u16, IpAddr)>) {
    let Some(allocation) = relay.allocation() else { return };
    let public = |ip: IpAddr| AddressClass::of(ip).is_public();
    let fits = |ip: &IpAddr| {
        allocation.relayed(Family::of(*ip)).is_some_and(|base| public(*ip) || !public(base.ip()))
    };
    let named = peers.iter().filter(|(s, c, _)| (*s, *c) == (relay.stream, relay.component));
    let wanted: Vec<IpAddr> = named.map(|(_, _, ip)| *ip).filter(fits).collect();
    wanted.into_iter().for_each(|ip| relay.want_peer(ip));
}

fn look_up(context: &mut Context<'_>, lookups: Vec<Lookup>) {
    for Lookup { id, name, kinds } in lookups {
        context.routes.insert(id, context.id);
        context.outputs.push(Output::Resolve { id, name, kinds });
    }
}

impl Session {
    /// Whether relayed addresses are of use at all.
    pub(super) fn uses_relays(&self) -> bool {
        self.spec.ice != IceMode::Off
    }

    /// An input for a name that is none of the components' sockets.
    pub(super) fn relay_input(&mut self, context: &mut Context<'_>, id: Id, input: Input<'_, ()>) {
        if let Input::Resolved { records, .. } = &input
            && self.relays.locators.iter().any(|locator| locator.awaits(id))
        {
            self.relays.resolved(context, id, records);
            return;
        }
        if matches!(input, Input::Failed { .. } | Input::Closed { .. } | Input::Resolved { .. }) {
            context.routes.remove(&id);
        }
        let owner = self.relays.relays.values_mut().find(|relay| relay.owns(id));
        if let (Some(relay), Some(input)) = (owner, input.map_answer(|()| None)) {
            relay.handle_input(context, input);
        }
    }

    /// Ends the wait for servers that do not confirm.
    pub(crate) fn abandon_relays(&mut self, context: &mut Context<'_>) {
        for mut relay in std::mem::take(&mut self.relays.relays).into_values() {
            context.stats.relays_abandoned += u64::from(!relay.is_over());
            relay.abandon(context);
        }
    }

    pub(super) fn relays_timeout(&mut self, context: &mut Context<'_>) {
        while let Some(timer) = self.relays.timers.expire(context.now.mono) {
            match timer {
                // Its absence is what counts.
                Timer::Slow { .. } => {}
                Timer::Lookups => self.relays.drop_lookups(context),
                Timer::Release => self.release_relays(context),
                Timer::Close => self.abandon_relays(context),
            }
        }
        for relay in self.relays.relays.values_mut() {
            relay.handle_timeout(context);
        }
    }

    /// Gives back what no path uses, and the permissions that the others do not need.
    ///
    //= RFC 8445 §8.3: candidates that were not chosen are freed, three seconds after the choice.
    fn release_relays(&mut self, context: &mut Context<'_>) {
        self.relays.asking = false;
        let used: BTreeMap<Base, IpAddr> = self
            .all_components()
            .filter_map(|(stream, component)| {
                let (base, remote) = self.destination(stream, component)?;
                Some((base, remote.ip()))
            })
            .collect();
        let mut released = Vec::new();
        for (id, relay) in &mut self.relays.relays {
            match used.get(&Base::Relay(*id)) {
                Some(peer) => relay.keep_peers(&BTreeSet::from([*peer])),
                None => {
                    relay.close(context);
                    released.push(*id);
                }
            }
        }
        released.into_iter().for_each(|id| self.forget_relay(context, id));
    }

    /// Why there is no relayed address although nothing else may be used.
    pub(super) fn no_candidates(&self) -> Option<Reason> {
        let none = match self.spec.ice {
            IceMode::RelayOnly => !self.bases.values().any(|base| matches!(base, Base::Relay(_))),
            IceMode::On | IceMode::Off => self.bases.is_empty(),
        };
        none.then_some(Reason::NoLocalCandidates)
    }
}
