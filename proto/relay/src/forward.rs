//! Where a packet goes, and in which form (RFC 8656 §11.2, §11.3, §12.6, §12.7).

use machine::{Endpoint, Id, Instant};

use crate::flow::Reach;
use crate::limit::Way;
use crate::packet::Reframe;
use crate::wire::{
    CHANNEL_HEADER_LEN, Kind, Send, data_header_len, write_channel_header, write_data_header,
};
use crate::{Cause, Client, Flow, Forward, Packet, Table, Tally};

/// The data in a packet.
#[derive(Clone, Copy, Debug)]
struct Data {
    /// Bytes before it in each datagram.
    strip: usize,
    /// Its length in each datagram, and in the last.
    len: usize,
    last_len: usize,
    count: usize,
}

/// What stands before data on its way.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Channel(u16),
    Indication(Endpoint),
}

/// The way of a packet that was let through.
#[derive(Clone, Copy, Debug)]
struct Route {
    to: Forward,
    form: Form,
    path: Path,
}

#[derive(Clone, Copy, Debug)]
enum Path {
    ClientToPeer,
    PeerToClient,
    ClientToClient,
}

impl Data {
    const fn bytes(&self) -> usize {
        (self.count - 1) * self.len + self.last_len
    }
}

impl Route {
    /// The form in which `data` goes on.
    const fn reframe(&self, data: Data) -> Reframe {
        let Data { strip, len, last_len, .. } = data;
        let header_len = match self.form {
            Form::Plain => 0,
            Form::Channel(_) => CHANNEL_HEADER_LEN,
            Form::Indication(peer) => data_header_len(peer.ip()),
        };
        let pad = matches!(self.form, Form::Indication(_));
        Reframe { strip, len, last_len, header_len, pad }
    }

    /// Whether the packet has room for its new form: asked before a limit is charged, because a train
    /// that has none comes again, datagram by datagram.
    fn fits(&self, data: Data, packet: &Packet<'_>) -> Result<(), Forward> {
        if packet.fits(&self.reframe(data)) {
            return Ok(());
        }
        Err(if data.count > 1 { Forward::Split } else { Forward::Drop(Cause::TooLong) })
    }
}

impl Table {
    /// Decides on a packet from `client`, whose data it brings into the form in which it goes on.
    pub fn from_client(
        &mut self,
        now: Instant,
        client: Client,
        packet: &mut Packet<'_>,
    ) -> Forward {
        let count = packet.count();
        match self.way_from_client(now, client, packet) {
            Ok((route, data)) => self.go(route, data, packet),
            Err(forward) => self.refuse(forward, count),
        }
    }

    /// Decides on a packet that came from `remote` to the relayed address behind `socket`.
    pub fn from_peer(
        &mut self,
        now: Instant,
        socket: Id,
        remote: Endpoint,
        packet: &mut Packet<'_>,
    ) -> Forward {
        let count = packet.count();
        let (len, last_len) = (packet.head().len(), packet.last_len());
        let data = Data { strip: 0, len, last_len, count };
        match self.way_from_peer(now, socket, remote, data, packet) {
            Ok(route) => self.go(route, data, packet),
            Err(forward) => self.refuse(forward, count),
        }
    }

    fn way_from_client(
        &self,
        now: Instant,
        client: Client,
        packet: &Packet<'_>,
    ) -> Result<(Route, Data), Forward> {
        let kind = Kind::of(packet.head());
        if packet.is_train() && !matches!(kind, Kind::Channel { .. }) {
            return Err(Forward::Split);
        }
        let flow = self.clients.get(&client).and_then(|slot| self.slot(*slot));
        let Some(flow) = flow else {
            // A stranger: whoever controls flows looks at requests alone.
            let request = kind == Kind::Request;
            return Err(if request { Forward::Control } else { Forward::Drop(Cause::NoFlow) });
        };
        if flow.next_client().is_some() && flow.client() != client {
            return Err(Forward::Control);
        }
        let (peer, data) = match kind {
            Kind::Request | Kind::Indication => return Err(Forward::Control),
            Kind::Malformed => return Err(Forward::Drop(Cause::Malformed)),
            Kind::Send => {
                //= RFC 8656 §11.2: an indication with an attribute that must be understood and is
                // not, DONT-FRAGMENT among them, is the controller's to judge.
                let send = Send::read(packet.head()).ok_or(Forward::Control)?;
                let (strip, len) = (send.data.start, send.data.len());
                (send.peer, Data { strip, len, last_len: len, count: 1 })
            }
            Kind::Channel { number, len } => {
                let data = channel_data(packet, number, len)?;
                //= RFC 8656 §12.6: data on a channel that is not bound is dropped.
                let channel = flow.channel(number).filter(|channel| channel.until > now);
                (channel.ok_or(Forward::Drop(Cause::NoChannel))?.peer, data)
            }
        };
        if flow.until() <= now {
            return Err(Forward::Drop(Cause::Expired));
        }
        let route = self.way_to_peer(now, flow, peer, data, packet)?;
        Ok((route, data))
    }

    /// The way from `flow` to `peer`: through a socket, or directly to another flow's client.
    fn way_to_peer(
        &self,
        now: Instant,
        flow: &Flow,
        peer: Endpoint,
        data: Data,
        packet: &Packet<'_>,
    ) -> Result<Route, Forward> {
        //= RFC 8656 §11.2: without a permission for the peer's address the data is dropped.
        let reach = flow.permits(peer.ip(), now).ok_or(Forward::Drop(Cause::NoPermission))?;
        let relayed = flow.relayed_for(peer.ip()).ok_or(Forward::Drop(Cause::Family))?;
        if let Some(other) = self.behind(peer) {
            let route = self.way_to_client(now, other, relayed.external)?;
            route.fits(data, packet)?;
            limit(flow, Way::FromClient, data, now)?;
            limit(other, Way::ToClient, data, now)?;
            return Ok(Route { path: Path::ClientToClient, ..route });
        }
        if reach == Reach::Relayed {
            return Err(Forward::Drop(Cause::OurOwn));
        }
        let (socket, source) = (relayed.socket, relayed.local.ip());
        let to = Forward::Send { socket, source, remote: peer };
        let route = Route { to, form: Form::Plain, path: Path::ClientToPeer };
        route.fits(data, packet)?;
        limit(flow, Way::FromClient, data, now)?;
        Ok(route)
    }

    fn way_from_peer(
        &self,
        now: Instant,
        socket: Id,
        remote: Endpoint,
        data: Data,
        packet: &Packet<'_>,
    ) -> Result<Route, Forward> {
        let flow = self.sockets.get(&socket).and_then(|slot| self.slot(*slot));
        let flow = flow.ok_or(Forward::Drop(Cause::NoFlow))?;
        let route = self.way_to_client(now, flow, remote)?;
        route.fits(data, packet)?;
        limit(flow, Way::ToClient, data, now)?;
        Ok(route)
    }

    /// The way of data from `peer` to the client of `flow`.
    fn way_to_client(&self, now: Instant, flow: &Flow, peer: Endpoint) -> Result<Route, Forward> {
        if flow.until() <= now {
            return Err(Forward::Drop(Cause::Expired));
        }
        //= RFC 8656 §11.3: what comes from an address without a permission is dropped.
        flow.permits(peer.ip(), now).ok_or(Forward::Drop(Cause::NoPermission))?;
        //= RFC 8656 §12.7: where a channel is bound to the peer, its data goes on it.
        let channel = flow.channel_to(peer).filter(|channel| channel.until > now);
        let form = channel.map_or(Form::Indication(peer), |channel| Form::Channel(channel.number));
        let to = match flow.client() {
            Client::Datagram { socket, local, remote } => {
                Forward::Send { socket, source: local, remote }
            }
            Client::Stream { conn } if self.writes => Forward::Write { conn },
            Client::Stream { .. } => Forward::Control,
        };
        if to == Forward::Control {
            return Err(to);
        }
        Ok(Route { to, form, path: Path::PeerToClient })
    }

    /// Brings a packet that was let through into its form.
    fn go(&mut self, route: Route, data: Data, packet: &mut Packet<'_>) -> Forward {
        let entropy = &mut self.entropy;
        let fits = packet.reframe(&route.reframe(data), |header, len| match route.form {
            Form::Plain => {}
            Form::Channel(number) => write_channel_header(header, number, len),
            Form::Indication(peer) => write_data_header(header, peer, entropy.bytes(), len),
        });
        assert!(fits, "a packet that does not fit has no route");
        let tally = match route.path {
            Path::ClientToPeer => &mut self.counters.client_to_peer,
            Path::PeerToClient => &mut self.counters.peer_to_client,
            Path::ClientToClient => &mut self.counters.client_to_client,
        };
        *tally = Tally {
            packets: tally.packets + data.count as u64,
            bytes: tally.bytes + data.bytes() as u64,
        };
        route.to
    }

    fn refuse(&mut self, forward: Forward, count: usize) -> Forward {
        if let Forward::Drop(cause) = forward {
            self.counters.drop_for(cause, count as u64);
        }
        forward
    }
}

/// The data of ChannelData whose first datagram has `len` bytes on the channel `number`.
fn channel_data(packet: &Packet<'_>, number: u16, len: usize) -> Result<Data, Forward> {
    let count = packet.count();
    let mut data = Data { strip: CHANNEL_HEADER_LEN, len, last_len: len, count };
    if packet.is_train() {
        for (n, datagram) in packet.datagrams().enumerate().skip(1) {
            data.last_len = match Kind::of(datagram) {
                Kind::Channel { number: other, len: last } if other == number => last,
                _ => return Err(Forward::Split),
            };
            if data.last_len != len && n + 1 < count {
                return Err(Forward::Split);
            }
        }
    }
    Ok(data)
}

/// Takes what `flow`'s limit has to give.
fn limit(flow: &Flow, way: Way, data: Data, now: Instant) -> Result<(), Forward> {
    let passes = flow.limit().is_none_or(|limit| limit.take(way, data.bytes(), now));
    if passes { Ok(()) } else { Err(Forward::Drop(Cause::Limit)) }
}

#[cfg(test)]
mod tests;
