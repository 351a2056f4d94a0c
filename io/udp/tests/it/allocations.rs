//! No allocation per packet.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use machine::{Endpoint, Entropy, Ids};
use relay::{Change, Channel, Client, Flow, FlowId, Permission, Reach, Relayed, Table};

use crate::world::{CHANNEL, FOREVER, World, alone, channel_data, local};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: the system's allocator does everything.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn packets_allocate_nothing() {
    let _alone = alone();
    let mut world = World::new(2);
    let (client, other, peer) = (world.socket(), world.socket(), world.socket());
    let stranger = world.socket();
    let relayed_other = world.flow(2, &other, &[]);
    let relayed = world.flow(1, &client, &[local(&peer), relayed_other.external]);
    world.allow(2, &[relayed.external]);
    let to_peer = channel_data(b"to the peer");
    let mut between = channel_data(b"between");
    between[1] += 1;
    let binding =
        stun::Builder::request(stun::Method::BINDING, stun::TransactionId([7; 12])).finish();
    let (server, relay) = (SocketAddr::from(world.server), SocketAddr::from(relayed.external));
    let mut buf = [0; 2048];
    let mut round = || {
        client.send_to(&to_peer, server).unwrap();
        peer.recv(&mut buf).unwrap();
        peer.send_to(b"to the client", relay).unwrap();
        client.recv(&mut buf).unwrap();
        // No channel is bound to this port of the peer's.
        stranger.send_to(b"in an indication", relay).unwrap();
        client.recv(&mut buf).unwrap();
        client.send_to(&between, server).unwrap();
        other.recv(&mut buf).unwrap();
        // Dropped, and answered.
        stranger.send_to(&to_peer, server).unwrap();
        stranger.send_to(&binding, server).unwrap();
        stranger.recv(&mut buf).unwrap();
    };
    // The test's own harness may allocate in the meantime, but not in every window.
    let quiet = (0..20).any(|_| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (0..100).for_each(|_| round());
        ALLOCATIONS.load(Ordering::Relaxed) == before
    });
    assert!(quiet, "something allocates with every packet");
}

#[test]
fn a_flow_is_small_and_a_replica_of_it_smaller() {
    const FLOWS: u64 = 5000;
    let _alone = alone();
    let mut ids = Ids::new(1);
    let listener = ids.next_id();
    let live = || LIVE_BYTES.load(Ordering::Relaxed);
    let before = live();
    let changes: Vec<Change> = (0..FLOWS)
        .map(|n| {
            let remote = Endpoint::new(Ipv4Addr::from_bits(n as u32 + (1 << 24)), 4000);
            let client = Client::Datagram { socket: listener, local: remote.ip(), remote };
            let relayed = Relayed { socket: ids.next_id(), local: remote, external: remote };
            let mut flow = Flow::new(client, relayed, FOREVER);
            flow.permit(Permission { ip: remote.ip(), reach: Reach::Network, until: FOREVER });
            flow.bind(Channel { number: CHANNEL, peer: remote, until: FOREVER });
            Change::Set(FlowId(n), Arc::new(flow))
        })
        .collect();
    let of_flows = (live() - before) / FLOWS;
    let before = live();
    let mut table = Table::replica(&mut Entropy::seeded(1));
    changes.iter().for_each(|change| table.apply(change.clone()));
    let of_replica = (live() - before) / FLOWS;
    assert_eq!(table.len() as u64, FLOWS);
    assert!(of_flows < 512 && of_replica < 320, "{of_flows} and {of_replica} bytes a flow");
}
