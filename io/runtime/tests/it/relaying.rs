//! A machine with one relay allocation, which forwards by its own table what no data plane has.

use std::sync::Arc;

use machine::{
    BindKind, Endpoint, Entropy, Icmp, Id, Ids, Input, Instant, Machine, Now, Output, Outputs,
};
use relay::{
    Change, Channel, Client, Flow, FlowId, Forward, HEADROOM_LEN, Packet, Permission, Reach,
    Relayed, Table,
};

/// The number of the channel to the peer.
pub(crate) const CHANNEL: u16 = 0x4000;

/// What the machine tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Both sockets are bound: what clients and what peers send to.
    Ready { listener: Endpoint, relayed: Endpoint },
    /// A change of the table.
    Change(Change),
    /// A datagram that no flow wants.
    Control(Vec<u8>),
    /// An ICMP error came back.
    Unreachable(Endpoint, Icmp),
}

pub(crate) struct Relaying {
    listener: Id,
    relayed: Id,
    bound: [Option<Endpoint>; 2],
    pub(crate) table: Table,
    outputs: Outputs<Told, ()>,
}

impl Relaying {
    /// A machine that binds `listener`, and any port of the same address to relay.
    pub(crate) fn new(listener: Endpoint) -> Self {
        let mut ids = Ids::new(3);
        let (clients, relayed) = (ids.next_id(), ids.next_id());
        let mut outputs = Outputs::new();
        let mut bind = |id, kind, local| {
            outputs.push(Output::Bind { id, kind, local, interface: None });
        };
        bind(clients, BindKind::SharedUdp, listener);
        bind(relayed, BindKind::RelayUdp, listener.with_port(0));
        let table = Table::new(&mut Entropy::seeded(1));
        Self { listener: clients, relayed, bound: [None; 2], table, outputs }
    }

    /// A verb: the allocation of `client`, with a channel to `peer`.
    pub(crate) fn allocate(&mut self, now: Now, client: Endpoint, peer: Endpoint) {
        let [Some(listener), Some(relayed)] = self.bound else { panic!("not bound yet") };
        let until = now.mono + std::time::Duration::from_hours(1);
        let client =
            Client::Datagram { socket: self.listener, local: listener.ip(), remote: client };
        let relayed = Relayed { socket: self.relayed, local: relayed, external: relayed };
        let mut flow = Flow::new(client, relayed, until);
        flow.permit(Permission { ip: peer.ip(), reach: Reach::Network, until });
        flow.bind(Channel { number: CHANNEL, peer, until });
        self.change(Change::Set(FlowId(1), Arc::new(flow)));
    }

    /// A verb: closes what peers send to.
    pub(crate) fn close_relayed(&mut self) {
        self.change(Change::Remove(FlowId(1)));
        self.outputs.push(Output::Close { id: self.relayed });
    }

    fn change(&mut self, change: Change) {
        self.table.apply(change.clone());
        self.outputs.event(Told::Change(change));
    }

    fn forward(
        &mut self,
        now: Now,
        socket: Id,
        (local, remote): (Endpoint, Endpoint),
        bytes: &[u8],
    ) {
        let mut buf = vec![0; HEADROOM_LEN];
        buf.extend_from_slice(bytes);
        let end = buf.len();
        let mut packet = Packet::new(&mut buf, HEADROOM_LEN, end);
        let forward = if socket == self.relayed {
            self.table.from_peer(now.mono, socket, remote, &mut packet)
        } else {
            let client = Client::Datagram { socket, local: local.ip(), remote };
            self.table.from_client(now.mono, client, &mut packet)
        };
        match forward {
            Forward::Send { socket, source, remote } => {
                let source = Some(source).filter(|ip| !ip.is_unspecified());
                let (segment_size, dont_fragment) = (None, false);
                let output =
                    Output::Datagram { socket, source, remote, segment_size, dont_fragment };
                self.outputs.push_with(output, packet.bytes());
            }
            Forward::Control => self.outputs.event(Told::Control(bytes.to_vec())),
            Forward::Drop(_) | Forward::Split | Forward::Write { .. } => {}
        }
    }
}

impl Machine for Relaying {
    type Event = Told;
    type Question = ();
    type Answer = ();

    fn handle_input(&mut self, now: Now, input: Input<'_, ()>) {
        for input in input.one_by_one() {
            match input {
                Input::Datagram { socket, local, remote, bytes, .. } => {
                    self.forward(now, socket, (local, remote), bytes);
                }
                Input::Bound { id, local } => {
                    let [listener, relayed] = &mut self.bound;
                    *(if id == self.listener { listener } else { relayed }) = Some(local);
                    if let [Some(listener), Some(relayed)] = self.bound {
                        self.outputs.event(Told::Ready { listener, relayed });
                    }
                }
                Input::Unreachable { remote, icmp, .. } => {
                    self.outputs.event(Told::Unreachable(remote, icmp));
                }
                Input::Failed { id, kind } => panic!("{id:?} {kind:?}"),
                _ => {}
            }
        }
    }

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Told, ()>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
