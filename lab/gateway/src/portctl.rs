//! The gateway's PCP (RFC 6887) and NAT-PMP (RFC 6886), which share a port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use machine::{Endpoint, Now, Transport};
use portmap::{natpmp, pcp};

use crate::behaviour::Service;
use crate::defaults::{
    ANNOUNCEMENT_INTERVAL, ANNOUNCEMENTS, LIFETIME, LONG_ERROR_LIFETIME, SHORT_ERROR_LIFETIME,
};
use crate::gateway::{Asker, Gateway, Refusal, Reply, Timer, Wish};
use crate::table::{Entry, Holder};

/// Who asked for a mapping, and with what.
#[derive(Debug)]
pub(crate) struct Asked {
    from: Asker,
    request: Vec<u8>,
    parsed: Parsed,
}

#[derive(Debug)]
enum Parsed {
    Pcp(Box<pcp::Request>),
    NatPmp(natpmp::Request),
}

impl Gateway {
    /// A datagram came to the port of PCP and NAT-PMP.
    pub(crate) fn controlled(&mut self, now: Now, from: Asker, bytes: &[u8]) {
        let (pcp, nat_pmp) = (self.behaviour.pcp, self.behaviour.nat_pmp);
        match bytes.first() {
            Some(&natpmp::VERSION) => match nat_pmp {
                Service::Silent => {}
                //= RFC 6887 §9: what speaks PCP alone refuses the version, as PCP does.
                Service::Unsupported => {
                    self.refuse_pcp(now, from, bytes, pcp::ResultCode::UNSUPP_VERSION)
                }
                _ if from.remote.is_ipv4() => self.nat_pmp(now, from, bytes),
                _ => {}
            },
            Some(_) => match pcp {
                Service::Silent => {}
                //= RFC 6886 §3.5: what speaks NAT-PMP alone refuses the version, as NAT-PMP does.
                Service::Unsupported => {
                    self.refuse_nat_pmp(now, from, bytes, natpmp::ResultCode::UNSUPPORTED_VERSION);
                }
                _ => self.pcp(now, from, bytes),
            },
            None => {}
        }
    }

    fn pcp(&mut self, now: Now, from: Asker, bytes: &[u8]) {
        use pcp::ResultCode as Code;
        let request = match pcp::Request::parse(bytes) {
            Ok(request) => request,
            Err(error) => {
                if let Some(code) = error.code() {
                    self.refuse_pcp(now, from, bytes, code);
                }
                return;
            }
        };
        let Some(map) = request.operation.map().copied() else {
            return self.answer_pcp(now, from, &request, 0, request.operation);
        };
        let transport = match map.protocol {
            pcp::UDP => Some(Transport::Udp),
            pcp::TCP => Some(Transport::Tcp),
            _ => None,
        };
        let internal = Endpoint::new(from.remote.ip(), map.internal_port);
        self.table.expire(now.mono);
        let known = transport.and_then(|transport| self.table.of(transport, internal)).cloned();
        let holder = Holder::Pcp(map.nonce.0);
        let options = &request.options;
        //= RFC 6887 §8.2 and §11.3: in this order.
        let refusal = match (self.behaviour.pcp, transport) {
            (Service::NoMap, _) => Some(Code::UNSUPP_OPCODE),
            (Service::Forbidden, _) => Some(Code::NOT_AUTHORIZED),
            _ if request.client != from.remote.ip() => Some(Code::ADDRESS_MISMATCH),
            _ if options.third_party.is_some() || !options.filters.is_empty() => {
                Some(Code::UNSUPP_OPTION)
            }
            (_, None) => Some(Code::UNSUPP_PROTOCOL),
            _ if map.internal_port == 0 => Some(Code::UNSUPP_PROTOCOL),
            //= RFC 6887 §11.3: whose nonce is another one may not change a mapping.
            _ if known.as_ref().is_some_and(|known| known.holder != holder) => {
                Some(Code::NOT_AUTHORIZED)
            }
            _ if self.external().is_unspecified() && internal.is_ipv4() => {
                Some(Code::NETWORK_FAILURE)
            }
            _ => None,
        };
        let (None, Some(transport)) = (refusal, transport) else {
            let code = refusal.unwrap_or(Code::UNSUPP_PROTOCOL);
            return self.refuse_pcp(now, from, bytes, code);
        };
        if request.lifetime_secs == 0 {
            //= RFC 6887 §15.1: what there is not is removed with success.
            if let Some(known) = known {
                self.close(known);
            }
            return self.answer_pcp(now, from, &request, 0, request.operation);
        }
        let other_address = !map.external.ip().is_unspecified()
            && map.external.ip() != self.external()
            && internal.is_ipv4();
        let other_port =
            known.is_some_and(|known| ![0, known.external_port].contains(&map.external.port()));
        if options.prefer_failure && (other_address || other_port) {
            return self.refuse_pcp(now, from, bytes, Code::CANNOT_PROVIDE_EXTERNAL);
        }
        let wish = Wish {
            transport,
            internal,
            external_port: map.external.port(),
            exact: options.prefer_failure && map.external.port() != 0,
            lifetime: Some(self.lifetime(request.lifetime_secs)),
            holder,
            description: "PCP".to_owned(),
        };
        let parsed = Parsed::Pcp(Box::new(request));
        self.open(now, wish, Reply::Port(Asked { from, request: bytes.to_vec(), parsed }));
    }

    fn nat_pmp(&mut self, now: Now, from: Asker, bytes: &[u8]) {
        use natpmp::ResultCode as Code;
        let request = match natpmp::Request::parse(bytes) {
            Ok(request) => request,
            Err(error) => {
                if let Some(code) = error.code() {
                    self.refuse_nat_pmp(now, from, bytes, code);
                }
                return;
            }
        };
        let natpmp::Request::Map { tcp, internal_port, external_port, lifetime_secs } = request
        else {
            return self.tell_external(now, from);
        };
        let refusal = match self.behaviour.nat_pmp {
            Service::NoMap => Some(Code::UNSUPPORTED_OPCODE),
            Service::Forbidden => Some(Code::NOT_AUTHORIZED),
            //= RFC 6886 §3.5: without an address outside there is nothing to map.
            _ if self.external().is_unspecified() && lifetime_secs > 0 => {
                Some(Code::NETWORK_FAILURE)
            }
            _ => None,
        };
        if let Some(code) = refusal {
            return self.refuse_nat_pmp(now, from, bytes, code);
        }
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let internal = Endpoint::new(from.remote.ip(), internal_port);
        if lifetime_secs == 0 {
            //= RFC 6886 §3.4: port 0 stands for all of the client's; the answer has port 0 outside.
            let of_client = |entry: &&Entry| {
                entry.transport == transport
                    && entry.holder == Holder::NatPmp
                    && entry.internal.ip() == internal.ip()
                    && [0, entry.internal.port()].contains(&internal_port)
            };
            let entries: Vec<Entry> = self.table.iter().filter(of_client).cloned().collect();
            entries.into_iter().for_each(|entry| self.close(entry));
            let answer =
                natpmp::Answer::Map { tcp, internal_port, external_port: 0, lifetime_secs: 0 };
            return self.answer_nat_pmp(now, from, answer);
        }
        let wish = Wish {
            transport,
            internal,
            external_port,
            exact: false,
            lifetime: Some(self.lifetime(lifetime_secs)),
            holder: Holder::NatPmp,
            description: "NAT-PMP".to_owned(),
        };
        let parsed = Parsed::NatPmp(request);
        self.open(now, wish, Reply::Port(Asked { from, request: bytes.to_vec(), parsed }));
    }

    /// A mapping that was asked for stands.
    pub(crate) fn port_mapped(&mut self, now: Now, asked: Asked, entry: &Entry) {
        let lifetime = entry.expires.map_or(LIFETIME, |expires| expires - now.mono);
        let lifetime_secs = secs(lifetime);
        let ip = if entry.internal.is_ipv6() { entry.internal.ip() } else { self.external() };
        let external = Endpoint::new(ip, entry.external_port);
        let external = self.behaviour.leads_to.unwrap_or(external);
        match asked.parsed {
            Parsed::Pcp(request) => {
                let mut operation = request.operation;
                if let pcp::Operation::Map(map) | pcp::Operation::Peer(pcp::Peer { map, .. }) =
                    &mut operation
                {
                    map.external = external;
                }
                self.answer_pcp(now, asked.from, &request, lifetime_secs, operation);
            }
            Parsed::NatPmp(natpmp::Request::Map { tcp, internal_port, .. }) => {
                let external_port = external.port();
                let answer =
                    natpmp::Answer::Map { tcp, internal_port, external_port, lifetime_secs };
                self.answer_nat_pmp(now, asked.from, answer);
            }
            Parsed::NatPmp(natpmp::Request::ExternalAddress) => {}
        }
    }

    /// A mapping that was asked for is not to be had.
    pub(crate) fn port_refused(&mut self, now: Now, asked: &Asked, refusal: Refusal) {
        let (from, request) = (asked.from, &asked.request);
        match asked.parsed {
            Parsed::Pcp(_) => {
                let code = match refusal {
                    Refusal::Taken | Refusal::SamePort => pcp::ResultCode::CANNOT_PROVIDE_EXTERNAL,
                    Refusal::Full => pcp::ResultCode::NO_RESOURCES,
                };
                self.refuse_pcp(now, from, request, code);
            }
            Parsed::NatPmp(_) => {
                self.refuse_nat_pmp(now, from, request, natpmp::ResultCode::OUT_OF_RESOURCES);
            }
        }
    }

    /// Tells everybody inside, for the `nth` time, that its mappings are gone.
    ///
    //= RFC 6886 §3.2.1: ten times, the interval doubling from a quarter of a second.
    //= RFC 6887 §14.1.3: PCP's ANNOUNCE goes to the same groups and port.
    pub(crate) fn announce(&mut self, now: Now, nth: u32) {
        let port = pcp::CLIENT_PORT;
        let groups: [(bool, IpAddr); 2] = [
            (false, Ipv4Addr::new(224, 0, 0, 1).into()),
            (true, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into()),
        ];
        for (v6, group) in groups {
            let Some(socket) = self.control_socket(v6) else { continue };
            let from = Asker { socket, remote: Endpoint::new(group, port), local: group };
            if self.behaviour.nat_pmp == Service::Full && !v6 {
                self.tell_external(now, from);
            }
            if self.behaviour.pcp == Service::Full {
                let response = pcp::Response {
                    result: pcp::ResultCode::SUCCESS,
                    lifetime_secs: 0,
                    epoch_secs: self.epoch(now),
                    operation: pcp::Operation::Announce,
                    options: pcp::Options::default(),
                };
                let mut bytes = Vec::new();
                response.write(&mut bytes);
                self.answer(from, &bytes);
            }
        }
        if nth < ANNOUNCEMENTS {
            let interval = ANNOUNCEMENT_INTERVAL * (1 << (nth - 1));
            self.timers.set(Timer::Announce(nth + 1), now.mono + interval);
        }
    }

    fn tell_external(&mut self, now: Now, to: Asker) {
        let external = self.behaviour.leads_to.map_or_else(|| self.external(), |to| to.ip());
        let ip = match external {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        self.answer_nat_pmp(now, to, natpmp::Answer::ExternalAddress(ip));
    }

    fn answer_pcp(
        &mut self,
        now: Now,
        to: Asker,
        request: &pcp::Request,
        lifetime_secs: u32,
        operation: pcp::Operation,
    ) {
        let response = pcp::Response {
            result: pcp::ResultCode::SUCCESS,
            lifetime_secs,
            epoch_secs: self.epoch(now),
            operation,
            options: request.options.clone(),
        };
        let mut bytes = Vec::new();
        response.write(&mut bytes);
        self.answer(to, &bytes);
    }

    fn refuse_pcp(&mut self, now: Now, to: Asker, request: &[u8], code: pcp::ResultCode) {
        use pcp::ResultCode as Code;
        //= RFC 6887 §7.4: some errors may soon be over.
        let soon = [Code::NETWORK_FAILURE, Code::NO_RESOURCES, Code::CANNOT_PROVIDE_EXTERNAL];
        let lifetime =
            if soon.contains(&code) { SHORT_ERROR_LIFETIME } else { LONG_ERROR_LIFETIME };
        let mut bytes = Vec::new();
        if pcp::Response::refuse(request, code, secs(lifetime), self.epoch(now), &mut bytes) {
            self.answer(to, &bytes);
        }
    }

    fn answer_nat_pmp(&mut self, now: Now, to: Asker, answer: natpmp::Answer) {
        let (result, epoch_secs) = (natpmp::ResultCode::SUCCESS, self.epoch(now));
        let mut bytes = Vec::new();
        natpmp::Response { result, epoch_secs, answer }.write(&mut bytes);
        self.answer(to, &bytes);
    }

    fn refuse_nat_pmp(&mut self, now: Now, to: Asker, request: &[u8], code: natpmp::ResultCode) {
        let refusal = natpmp::Response::refusal(request, code, self.epoch(now));
        if let Some(refusal) = refusal {
            let mut bytes = Vec::new();
            refusal.write(&mut bytes);
            self.answer(to, &bytes);
        }
    }

    fn epoch(&self, now: Now) -> u32 {
        secs(self.uptime(now))
    }

    fn lifetime(&self, secs: u32) -> Duration {
        let limit = self.behaviour.lifetime_limit.unwrap_or(LIFETIME);
        Duration::from_secs(secs.into()).min(limit)
    }
}

fn secs(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
