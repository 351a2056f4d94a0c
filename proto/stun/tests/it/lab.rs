//! A server with two addresses, and a host that wants to know what stands before it.

use std::convert::Infallible;
use std::time::Duration;

use machine::{
    BindKind, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs,
};
use netsim::{Access, Happening, Link, NodeId, World};
use stun::behaviour::{Config, Discovery, Event, Property, Report};
use stun::binding::{Address, Places};
use stun::{AttributeType, Builder, Message};
use wayleave_stun as stun;

pub(crate) const SERVER: &str = "198.51.100.10:3478";
const PORTS: [u16; 2] = [3478, 3479];
const LATENCY: Duration = Duration::from_millis(20);

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// All of RFC 5780, and RFC 3489.
    Full,
    /// It has one address.
    Plain,
    /// Its other address does not answer, nor sends.
    OtherSilent,
    /// It takes no notice of CHANGE-REQUEST.
    Stubborn,
    /// It says that its other address is a multicast group.
    Misleading,
}

#[expect(clippy::large_enum_variant, reason = "two hosts")]
pub(crate) enum Resident {
    Server(StunServer),
    Client(Discovery),
}

pub(crate) struct StunServer {
    server: Server,
    places: Places,
    sockets: Vec<(Endpoint, Id)>,
    outputs: Outputs<Event, Infallible>,
}

pub(crate) struct Lab {
    world: World<Resident>,
    client: NodeId,
    pub(crate) learned: Vec<Property>,
}

impl StunServer {
    fn new(server: Server) -> Self {
        let address = |n: u8| {
            let ip = [198, 51, 100, n].into();
            Address { local: ip, seen: ip }
        };
        let places = Places::new([address(10), address(11)], PORTS, true).unwrap();
        let (mut ids, mut outputs) = (Ids::new(0), Outputs::new());
        let sockets = places.locals().map(|local| (local, ids.next_id()));
        for (local, id) in sockets {
            outputs.push(Output::Bind { id, kind: BindKind::Udp, local, interface: None });
        }
        Self { server, places, sockets: sockets.to_vec(), outputs }
    }

    fn datagram(&mut self, local: Endpoint, remote: Endpoint, bytes: &[u8]) {
        let mut answer = Vec::new();
        let places = match self.server {
            Server::Plain => &[][..],
            _ => &[self.places],
        };
        let route = stun::binding::answer_at(places, bytes, local, remote, &mut answer);
        let Some(mut route) = route else { return };
        let far = |endpoint: Endpoint| endpoint.ip() != SERVER.parse::<Endpoint>().unwrap().ip();
        match self.server {
            Server::OtherSilent if far(local) || far(route.from) => return,
            Server::Stubborn => route.from = local,
            Server::Misleading => {
                let given = Message::parse(&answer).unwrap();
                let mut other = Builder::new(given.class(), given.method(), given.id());
                let group = "224.0.0.1:3478".parse().unwrap();
                other.xor_mapped_address(remote).address(AttributeType::OTHER_ADDRESS, group);
                if given.attribute(AttributeType::PADDING).is_some() {
                    other.attribute(AttributeType::PADDING, &[]);
                }
                answer = other.finish();
            }
            _ => {}
        }
        let socket = self.sockets.iter().find(|(local, _)| *local == route.from).unwrap().1;
        self.outputs.datagram(socket, route.to, &answer);
    }
}

impl Machine for Resident {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        match self {
            Self::Client(discovery) => discovery.handle_input(now, input),
            Self::Server(server) => {
                if let Input::Datagram { local, remote, bytes, .. } = input {
                    server.datagram(local, remote, bytes);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        if let Self::Client(discovery) = self {
            discovery.handle_timeout(now);
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        match self {
            Self::Client(discovery) => discovery.poll_output(buf),
            Self::Server(server) => server.outputs.poll(buf),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Client(discovery) => discovery.poll_timeout(),
            Self::Server(_) => None,
        }
    }
}

impl Lab {
    pub(crate) fn new(seed: u64, access: &str, server: Server, config: Config, loss: f64) -> Self {
        let mut world = World::new(seed);
        let internet = world.router("internet");
        let link = || Link::with_latency(LATENCY);
        let addresses = ["198.51.100.10/24", "198.51.100.11/24"];
        let server = world.host("server", Resident::Server(StunServer::new(server)), &addresses);
        world.link(server, internet, link());
        let access: Access = access.parse().unwrap();
        let nats = access.nats();
        // From the inside out: each network, and the address on it of who is further inside.
        let nets = ["203.0.113", "192.168.1", "10.0.1"];
        let inmost = nets[nats.len()];
        let entropy = Entropy::seeded(seed).fork("client");
        let client = || Discovery::new(config.clone(), Ids::new(3), entropy.clone());
        let (machine, twin) = (Resident::Client(client()), Resident::Client(client()));
        let address = format!("{inmost}.2/24");
        let client = world.host_with_twin("client", machine, twin, &[&address]);
        let mut outmost = None;
        for (n, spec) in nats.iter().enumerate() {
            let depth = nats.len() - n;
            let inside = format!("{}.1/24", nets[depth]);
            let outside = format!("{}.2/24", nets[depth - 1]);
            let nat = world.nat(&format!("nat.{n}"), spec.clone(), &[&inside], &[&outside]);
            match outmost {
                None => world.link(client, nat, Link::default()),
                Some(inner) => world.link(NodeId::outside(inner), nat, Link::default()),
            };
            outmost = Some(nat);
        }
        let uplink = match (outmost, access.firewall()) {
            (Some(nat), Some(firewall)) => {
                let firewall = world.firewall("firewall", firewall);
                world.link(nat.outside(), firewall, Link::default());
                world.link(firewall, internet, link().loss(loss))
            }
            (Some(nat), None) => world.link(nat.outside(), internet, link().loss(loss)),
            (None, _) => world.link(client, internet, link().loss(loss)),
        };
        let _ = uplink;
        Self { world, client, learned: Vec::new() }
    }

    /// Makes the client's packets too large for the way, and forbids to cut them.
    pub(crate) fn narrow(mut self) -> Self {
        self.world.set_dont_fragment(self.client, true);
        self
    }

    /// What is found out, and when.
    pub(crate) fn run(mut self) -> (Report, Instant) {
        self.finish()
    }

    pub(crate) fn finish(&mut self) -> (Report, Instant) {
        self.world.start();
        let deadline = Instant::ORIGIN + Duration::from_secs(7200);
        while let Some(happened) = self.world.next_before(deadline) {
            match happened.what {
                Happening::Event(Event::Learned(property)) => self.learned.push(property),
                Happening::Event(Event::Done(report)) => {
                    let timeout = match self.world.machine(self.client) {
                        Resident::Client(discovery) => discovery.poll_timeout(),
                        Resident::Server(_) => None,
                    };
                    assert_eq!(timeout, None, "nothing is waited for at the end");
                    return (*report, happened.now.mono);
                }
                Happening::Question(..) => {}
            }
        }
        panic!("no end: {:?}", self.learned);
    }
}
