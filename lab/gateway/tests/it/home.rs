//! A home with a client behind a gateway, and a stranger outside whom nobody has a reason to visit.

use std::net::IpAddr;
use std::time::Duration;

use gateway::{Behaviour, Gateway};
use machine::{BindKind, Endpoint, Ids, Input, Instant, Machine, Now, Output, Outputs, Transport};
use netsim::{Forward, Happening, Link, NodeId, World};
use portmap::{Client, Config, Error, Event, Mapping, MappingId, Protocol, Request};

pub(crate) const INSIDE: &str = "10.0.0.5";
pub(crate) const INSIDE_V6: &str = "2001:db8:1::5";
pub(crate) const ROUTER: &str = "10.0.0.1";
pub(crate) const OUTSIDE: &str = "203.0.113.1";
pub(crate) const STRANGER: &str = "198.51.100.66";

/// The machines of such a world.
#[derive(Debug)]
pub(crate) enum Node {
    Client(Box<Client>),
    Gateway(Box<Gateway>),
    Stranger(Stranger),
}

/// What they tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Client(Event),
    Gateway(gateway::Event),
    /// Somebody called on the stranger.
    Visited,
}

/// Listens at all ports that matter.
#[derive(Debug, Default)]
pub(crate) struct Stranger {
    outputs: Outputs<Told, gateway::Question>,
}

impl Stranger {
    fn handle_input(&mut self, input: &Input<'_, gateway::Answer>) {
        match input {
            Input::Interfaces(_) => {
                let mut ids = Ids::new(0);
                for (kind, port) in [
                    (BindKind::TcpListener, 80),
                    (BindKind::TcpListener, 5000),
                    (BindKind::Udp, 1900),
                    (BindKind::Udp, 5351),
                ] {
                    let (id, local) = (ids.next_id(), Endpoint::UNSPECIFIED_V4.with_port(port));
                    self.outputs.push(Output::Bind { id, kind, local, interface: None });
                }
            }
            Input::Accepted { .. } | Input::Datagram { .. } => self.outputs.event(Told::Visited),
            _ => {}
        }
    }
}

impl Machine for Node {
    type Event = Told;
    type Question = gateway::Question;
    type Answer = gateway::Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, gateway::Answer>) {
        match self {
            Self::Client(client) => {
                if let Some(input) = input.map_answer(|_| None) {
                    client.handle_input(now, input);
                }
            }
            Self::Gateway(gateway) => gateway.handle_input(now, input),
            Self::Stranger(stranger) => stranger.handle_input(&input),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Client(client) => client.handle_timeout(now),
            Self::Gateway(gateway) => gateway.handle_timeout(now),
            Self::Stranger(_) => {}
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Told, gateway::Question>> {
        match self {
            Self::Client(client) => {
                Some(client.poll_output(buf)?.map(Told::Client, |never| match never {}))
            }
            Self::Gateway(gateway) => Some(gateway.poll_output(buf)?.map(Told::Gateway, |q| q)),
            Self::Stranger(stranger) => stranger.outputs.poll(buf),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.poll_timeout(),
            Self::Gateway(gateway) => gateway.poll_timeout(),
            Self::Stranger(_) => None,
        }
    }
}

impl Node {
    fn client(&mut self) -> &mut Client {
        match self {
            Self::Client(client) => client,
            _ => panic!("no client"),
        }
    }

    fn gateway(&mut self) -> &mut Gateway {
        match self {
            Self::Gateway(gateway) => gateway,
            _ => panic!("no gateway"),
        }
    }
}

/// The home.
pub(crate) struct Home {
    pub(crate) world: World<Node>,
    pub(crate) nat: NodeId,
    pub(crate) client: NodeId,
    /// What the client told, with the time.
    pub(crate) events: Vec<(Instant, Event)>,
    /// Whether the stranger was called on.
    pub(crate) visited: bool,
}

impl Home {
    /// A home whose gateway does this; `loss` of the packets between it and the client are lost.
    pub(crate) fn new(seed: u64, behaviour: &Behaviour, loss: f64) -> Self {
        let mut world = World::new(seed);
        let internet = world.router("internet");
        let stranger = world.host(
            "stranger",
            Node::Stranger(Stranger::default()),
            &[&format!("{STRANGER}/24")],
        );
        world.link(stranger, internet, Link::with_latency(Duration::from_millis(5)));
        let inside = [&format!("{ROUTER}/24"), "fe80::1/64", "2001:db8:1::1/64"];
        let spec = "mapping=apd,filtering=apd,ports=random,v6=closed".parse().unwrap();
        let nat = world.nat("nat", spec, &inside, &[&format!("{OUTSIDE}/24")]);
        let gateway = || Node::Gateway(Box::new(Gateway::new(behaviour.clone())));
        world.gateway_with_twin(nat, gateway(), gateway());
        world.link(nat.outside(), internet, Link::with_latency(Duration::from_millis(5)));
        let entropy = world.entropy("client");
        let client = || {
            let client = Client::new(Config::default(), Ids::new(1), &entropy);
            Node::Client(Box::new(client))
        };
        let addresses = [&format!("{INSIDE}/24"), "fe80::5/64", &format!("{INSIDE_V6}/64")];
        let client = world.host_with_twin("client", client(), client(), &addresses);
        let link = Link::with_latency(Duration::from_millis(1)).jitter(Duration::from_micros(300));
        world.link(client, nat, link.loss(loss));
        world.start();
        Self { world, nat, client, events: Vec::new(), visited: false }
    }

    /// Goes on for a while.
    pub(crate) fn run(&mut self, duration: Duration) {
        let deadline = self.world.now().mono + duration;
        self.until(deadline, |_| false);
    }

    /// Goes on until the client says something of this kind; `None` if it has not by then.
    pub(crate) fn wait<T>(
        &mut self,
        duration: Duration,
        wanted: impl Fn(&Event) -> Option<T>,
    ) -> Option<T> {
        let deadline = self.world.now().mono + duration;
        let from = self.events.len();
        self.until(deadline, |event| wanted(event).is_some());
        self.events[from..].iter().find_map(|(_, event)| wanted(event))
    }

    fn until(&mut self, deadline: Instant, enough: impl Fn(&Event) -> bool) {
        while let Some(happened) = self.world.next_before(deadline) {
            match happened.what {
                Happening::Question(id, question) => {
                    gateway::serve(&mut self.world, happened.host, id, &question);
                }
                Happening::Event(Told::Client(event)) => {
                    let enough = enough(&event);
                    self.events.push((happened.now.mono, event));
                    if enough {
                        return;
                    }
                }
                Happening::Event(Told::Gateway(_)) => {}
                Happening::Event(Told::Visited) => self.visited = true,
            }
        }
    }

    /// Calls a verb of the client.
    pub(crate) fn client<R>(&mut self, verb: impl Fn(&mut Client, Now) -> R) -> R {
        self.world.verb(self.client, |node, now| verb(node.client(), now))
    }

    /// From now on the gateway does this instead.
    pub(crate) fn behave(&mut self, behaviour: &Behaviour) {
        self.world.verb(self.nat, |node, _| node.gateway().behave(behaviour.clone()));
    }

    /// Switches the router off and on.
    pub(crate) fn restart(&mut self) {
        gateway::restart(&mut self.world, self.nat, Node::gateway);
    }

    /// Asks for UDP port 4000.
    pub(crate) fn map(&mut self) -> MappingId {
        self.map_as(request())
    }

    pub(crate) fn map_as(&mut self, request: Request) -> MappingId {
        self.client(|client, now| client.map(now, request.clone()))
    }

    /// What came of a mapping: granted or not, within a while.
    pub(crate) fn outcome(&mut self, id: MappingId, secs: u64) -> Option<Result<Mapping, Error>> {
        self.wait(Duration::from_secs(secs), |event| match event {
            Event::Mapped { id: of, mapping } if *of == id => Some(Ok(mapping.clone())),
            Event::Failed { id: of, error } if *of == id => Some(Err(error.clone())),
            _ => None,
        })
    }

    /// The ports that lead to the client.
    pub(crate) fn forwarded(&self) -> Vec<Forward> {
        let inside: [IpAddr; 2] = [INSIDE.parse().unwrap(), INSIDE_V6.parse().unwrap()];
        let all = self.world.forwarded_ports(self.nat);
        all.into_iter().filter(|forward| inside.contains(&forward.inside.ip())).collect()
    }

    /// Whether this very mapping stands in the NAT.
    pub(crate) fn stands(&self, mapping: &Mapping) -> bool {
        self.forwarded().iter().any(|forward| {
            forward.protocol == mapping.transport
                && forward.inside == mapping.internal
                && forward.outside_port == mapping.external.port()
        })
    }

    /// What was found, by protocol.
    pub(crate) fn found(&mut self) -> Vec<Protocol> {
        self.client(|client, now| client.probe(now));
        let searched = self
            .wait(Duration::from_secs(10), |event| matches!(event, Event::Searched).then_some(()));
        assert!(searched.is_some(), "a search ends: {:?}", self.events);
        let mut found = self.client(|client, _| {
            client.gateways().map(|gateway| gateway.protocol).collect::<Vec<_>>()
        });
        found.sort();
        found.dedup();
        found
    }
}

/// A mapping of UDP port 4000.
pub(crate) fn request() -> Request {
    Request::new(Transport::Udp, Endpoint::new(INSIDE.parse::<IpAddr>().unwrap(), 4000))
}
