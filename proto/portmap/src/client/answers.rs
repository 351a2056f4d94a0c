//! What servers of PCP and NAT-PMP answer and announce.

use std::time::Duration;

use machine::{Endpoint, Id, Instant, Now, Transport};

use super::lease::{Lease, State, Way, natpmp_error, pcp_error};
use super::leases::Grant;
use super::path::{Path, Standing};
use super::{Client, Error, Event, Refusal};
use crate::defaults::MAX_REFUSALS;
use crate::natpmp::{self, Answer};
use crate::pcp::{self, Operation, Peer};
use crate::{MappingId, Protocol};

impl Client {
    /// Something was not listened to.
    pub(super) fn refuse(&mut self, from: Endpoint, why: Refusal) {
        if self.refusals < MAX_REFUSALS {
            self.refusals += 1;
            self.out.event(Event::Refused { from, why });
        }
    }

    /// A datagram came on the socket of a path.
    //= RFC 6886 §3.1, RFC 6887 §8.3: what does not come from the address and port that was asked is
    //= not listened to.
    pub(super) fn answered(&mut self, now: Now, socket: Id, remote: Endpoint, bytes: &[u8]) {
        let Some(path) = self.paths.get(&socket) else { return };
        if path.remote() != remote {
            return self.refuse(remote, Refusal::Stranger);
        }
        match bytes.first() {
            Some(&natpmp::VERSION) => match natpmp::Response::parse(bytes) {
                Ok(response) => self.natpmp_answered(now, socket, &response),
                Err(_) => self.refuse(remote, Refusal::Malformed),
            },
            _ => match pcp::Response::parse(bytes) {
                Ok(Ok(response)) => self.pcp_answered(now, socket, &response),
                Ok(Err(unread)) => self.pcp_refused(now, socket, unread),
                Err(_) => self.refuse(remote, Refusal::Malformed),
            },
        }
    }

    /// A datagram came to all hosts of a link. Whoever is not our router is none of our business.
    //= RFC 6886 §3.2.1, RFC 6887 §14.1: an announcement of anybody else is ignored.
    pub(super) fn announced(&mut self, now: Now, from: Endpoint, bytes: &[u8]) {
        let ours = |path: &&Path| path.bound && path.route.router == from.ip();
        let sockets: Vec<Id> = self.paths.values().filter(ours).map(|path| path.socket).collect();
        let natpmp = natpmp::Response::parse(bytes).ok();
        let natpmp = natpmp.filter(|said| matches!(said.answer, Answer::ExternalAddress(_)));
        let pcp = pcp::Response::parse(bytes).ok().and_then(Result::ok);
        let pcp = pcp.filter(|said| said.operation == Operation::Announce);
        for socket in sockets {
            match (&natpmp, &pcp) {
                (Some(response), _) if from.is_ipv4() && self.speaks(Protocol::NatPmp) => {
                    self.natpmp_answered(now, socket, response);
                }
                (_, Some(response)) if self.speaks(Protocol::Pcp) => {
                    self.pcp_answered(now, socket, response);
                }
                _ => {}
            }
        }
    }

    /// The network says that nobody listens.
    pub(super) fn unreachable(&mut self, now: Now, socket: Id) {
        for protocol in [Protocol::Pcp, Protocol::NatPmp] {
            let server = self.paths.get_mut(&socket).and_then(|path| path.server(protocol));
            if server.is_some_and(|server| server.standing == Standing::Unknown) {
                self.absent(socket, protocol);
            }
        }
        self.choose_for_all(now);
    }

    fn natpmp_answered(&mut self, now: Now, socket: Id, response: &natpmp::Response) {
        //= RFC 6887 §9, Appendix A: a gateway that refuses version 2 so speaks NAT-PMP, not PCP.
        if response.result == natpmp::ResultCode::UNSUPPORTED_VERSION {
            return self.not_spoken(now, socket, Protocol::Pcp);
        }
        match response.answer {
            Answer::ExternalAddress(ip) => {
                self.natpmp_epoch(now, socket, response, None);
                let refused = response.result != natpmp::ResultCode::SUCCESS;
                let external = if refused { Err(response.result) } else { Ok(ip) };
                self.external_by_natpmp(now, socket, external);
            }
            Answer::Map { tcp, internal_port, external_port, lifetime_secs } => {
                let port = Some(internal_port);
                let Some(id) = self.by_natpmp(socket, tcp, port) else {
                    return self.unasked(socket);
                };
                self.natpmp_epoch(now, socket, response, Some(id));
                let given = (external_port, lifetime_secs);
                self.natpmp_mapped(now, socket, id, response.result, given);
            }
            //= RFC 6886 §3.5: after a refusal the rest is undefined, the port inside with it.
            Answer::Other { opcode: 0 } => {
                self.external_by_natpmp(now, socket, Err(response.result));
            }
            Answer::Other { opcode } => match self.by_natpmp(socket, opcode == 2, None) {
                Some(id) => self.natpmp_mapped(now, socket, id, response.result, (0, 0)),
                None => self.unasked(socket),
            },
            Answer::Version => {}
        }
    }

    fn natpmp_epoch(
        &mut self,
        now: Now,
        socket: Id,
        response: &natpmp::Response,
        of: Option<MappingId>,
    ) {
        // A refused opcode comes back with the request's own bytes where the epoch would be.
        if response.result == natpmp::ResultCode::UNSUPPORTED_OPCODE {
            return;
        }
        let Some(path) = self.paths.get_mut(&socket) else { return };
        if !path.natpmp_epoch.goes_on(now.mono, response.epoch_secs) {
            self.restarted(now, socket, Protocol::NatPmp, of);
        }
    }

    /// The mapping that a response by NAT-PMP is about: it tells by the port inside.
    fn by_natpmp(&self, socket: Id, tcp: bool, port: Option<u16>) -> Option<MappingId> {
        let is_it = |lease: &Lease| {
            let asking = !matches!(lease.state, State::Held(_));
            let same_port = port.map_or(asking, |port| lease.request.internal.port() == port);
            lease.way() == Some(Way::NatPmp(socket)) && lease.is_tcp() == tcp && same_port
        };
        self.leases.iter().find(|(_, lease)| is_it(lease)).map(|(id, _)| *id)
    }

    fn natpmp_mapped(
        &mut self,
        now: Now,
        socket: Id,
        id: MappingId,
        result: natpmp::ResultCode,
        (external_port, lifetime_secs): (u16, u32),
    ) {
        let Some(lease) = self.leases.get(&id) else { return };
        let refused = result != natpmp::ResultCode::SUCCESS;
        if matches!(lease.state, State::Releasing { .. }) {
            if refused || lifetime_secs == 0 {
                self.released(now, id);
            }
            return;
        }
        if refused || lifetime_secs == 0 {
            //= RFC 6886 §3.5: a result that is not known is an error like any other.
            return self.refused(now, id, natpmp_error(result));
        }
        // Asked for only where the address outside was told or nothing refused to tell it.
        let external = self.paths.get(&socket).and_then(|path| path.external);
        let Some(Ok(ip)) = external else {
            return self.refused(now, id, Error::NoAnswer(Protocol::NatPmp));
        };
        let external = Endpoint::new(ip, external_port);
        let lifetime = Some(Duration::from_secs(lifetime_secs.into()));
        let way = Way::NatPmp(socket);
        self.granted(now, id, Grant { way, external, lifetime, upnp: None });
    }

    fn pcp_answered(&mut self, now: Now, socket: Id, response: &pcp::Response) {
        //= RFC 6887 §9: a server of PCP alone answers NAT-PMP so.
        if response.result == pcp::ResultCode::UNSUPP_VERSION {
            return self.not_spoken(now, socket, Protocol::NatPmp);
        }
        let id = match response.operation.map() {
            None => None,
            Some(_) => match self.by_pcp(socket, &response.operation) {
                Some(id) => Some(id),
                None => return self.unasked(socket),
            },
        };
        //= RFC 6887 §8.5: the epoch of every response is looked at, whatever its result.
        self.pcp_epoch(now.mono, socket, response.epoch_secs)
            .unwrap_or_else(|| self.restarted(now, socket, Protocol::Pcp, id));
        match id {
            Some(id) => self.pcp_mapped(now, socket, id, response),
            // Whatever it says to ANNOUNCE, it speaks PCP.
            None => self.heard(now, socket, Protocol::Pcp),
        }
    }

    /// `None` if the server has forgotten its mappings.
    fn pcp_epoch(&mut self, now: Instant, socket: Id, secs: u32) -> Option<()> {
        let path = self.paths.get_mut(&socket)?;
        path.pcp_epoch.goes_on(now, secs).then_some(())
    }

    /// The mapping that a response by PCP is about.
    //= RFC 6887 §11.4, §12.4: nonce, protocol and port inside, and the peer, must be those asked for.
    fn by_pcp(&self, socket: Id, operation: &Operation) -> Option<MappingId> {
        let (map, peer) = match operation {
            Operation::Announce => return None,
            Operation::Map(map) => (map, None),
            Operation::Peer(Peer { map, remote }) => (map, Some(*remote)),
        };
        let is_it = |lease: &Lease| {
            lease.way() == Some(Way::Pcp(socket))
                && lease.nonce == map.nonce
                && lease.request.internal.port() == map.internal_port
                && map.protocol == if lease.is_tcp() { pcp::TCP } else { pcp::UDP }
                && lease.request.peer == peer
        };
        self.leases.iter().find(|(_, lease)| is_it(lease)).map(|(id, _)| *id)
    }

    fn pcp_mapped(&mut self, now: Now, socket: Id, id: MappingId, response: &pcp::Response) {
        let Some(lease) = self.leases.get(&id) else { return };
        let refused = response.result != pcp::ResultCode::SUCCESS;
        let over = refused || response.lifetime_secs == 0;
        if matches!(lease.state, State::Releasing { .. }) {
            if over {
                self.released(now, id);
            }
            return;
        }
        if over {
            let mapless =
                response.result == pcp::ResultCode::UNSUPP_OPCODE && lease.request.peer.is_none();
            if let Some(path) = self.paths.get_mut(&socket).filter(|_| mapless) {
                path.pcp.useless = true;
            }
            if response.result == pcp::ResultCode::NETWORK_FAILURE {
                self.learn_external(socket, None);
            }
            return self.refused(now, id, pcp_error(response.result));
        }
        let Some(map) = response.operation.map() else { return };
        let lifetime = Some(Duration::from_secs(response.lifetime_secs.into()));
        let way = Way::Pcp(socket);
        self.granted(now, id, Grant { way, external: map.external, lifetime, upnp: None });
    }

    /// A refusal that does not say of what: of the version, or of an opcode that was not sent.
    fn pcp_refused(&mut self, now: Now, socket: Id, unread: pcp::Unread) {
        match unread.result {
            //= RFC 6887 §9: a server of another version; there is none that we speak too.
            pcp::ResultCode::UNSUPP_VERSION if unread.version != pcp::VERSION => {
                self.not_spoken(now, socket, Protocol::Pcp);
            }
            pcp::ResultCode::UNSUPP_VERSION => self.not_spoken(now, socket, Protocol::NatPmp),
            _ => self.unasked(socket),
        }
    }

    /// A protocol is not spoken here after all.
    fn not_spoken(&mut self, now: Now, socket: Id, protocol: Protocol) {
        self.absent(socket, protocol);
        let asking = |lease: &Lease| match &lease.state {
            State::Asking { way, .. } => way.socket() == Some(socket) && way.protocol() == protocol,
            _ => false,
        };
        let asking = self.leases.iter().filter(|(_, lease)| asking(lease)).map(|(id, _)| *id);
        let asking: Vec<MappingId> = asking.collect();
        for id in asking {
            self.refused(now, id, Error::NoAnswer(protocol));
        }
        self.choose_for_all(now);
    }

    fn unasked(&mut self, socket: Id) {
        if let Some(remote) = self.paths.get(&socket).map(Path::remote) {
            self.refuse(remote, Refusal::Unasked);
        }
    }
}

/// TLS is TCP to a gateway.
pub(super) const fn plain(transport: Transport) -> Transport {
    match transport {
        Transport::Udp => Transport::Udp,
        Transport::Tcp | Transport::Tls => Transport::Tcp,
    }
}
