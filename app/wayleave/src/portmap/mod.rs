//! `wayleave portmap`: what the router lets in, and opening and closing ports by hand.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use machine::{Endpoint, Ids, Transport};
use portmap::upnp::igd::PortMapping;
use portmap::{Client, Config, Event, Gateway, Mapping, MappingId, Protocol, Request, Trouble};
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::nat::{fields, words};
use crate::signal;
use crate::station::Station;
use crate::ui::Ui;

/// NoSuchEntryInArray of UPnP (WANIPConnection:2 §2.5.18).
const NO_SUCH_ENTRY: u16 = 714;

/// Open and close ports in the router: PCP, NAT-PMP, UPnP.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// By what the router is asked; the best that answers when missing
    #[arg(long, global = true, value_name = "PROTOCOL")]
    by: Option<By>,
    /// The router, if it is not the default one
    #[arg(long, global = true, value_name = "ADDRESS")]
    router: Option<IpAddr>,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Which routers can be asked, by what, and what is wrong with them
    Status,
    /// Let others in
    Add {
        /// udp or tcp
        protocol: Proto,
        /// The port on this host, or ADDRESS:PORT where it has several addresses
        internal: String,
        /// The port outside; the same one when missing
        external: Option<u16>,
        /// For how many seconds
        #[arg(long, value_name = "SECS", default_value_t = 3600)]
        lease: u64,
        /// Stay, renew the mapping, and remove it at Ctrl-C
        #[arg(long)]
        keep: bool,
    },
    /// The router's table: ours and others' (UPnP alone tells)
    List,
    /// Close a port again
    Remove {
        /// udp or tcp
        protocol: Proto,
        /// The port outside
        external: u16,
        /// The port on this host, if it is another one: by it PCP and NAT-PMP know a mapping
        #[arg(long, value_name = "PORT")]
        internal: Option<u16>,
    },
}

/// What a port is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Proto {
    /// Datagrams
    Udp,
    /// Connections
    Tcp,
}

/// By what a router is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// The Port Control Protocol
    Pcp,
    /// NAT-PMP
    NatPmp,
    /// UPnP Internet Gateway Device
    Upnp,
}

impl From<Proto> for Transport {
    fn from(proto: Proto) -> Self {
        match proto {
            Proto::Udp => Self::Udp,
            Proto::Tcp => Self::Tcp,
        }
    }
}

impl From<By> for Protocol {
    fn from(by: By) -> Self {
        match by {
            By::Pcp => Self::Pcp,
            By::NatPmp => Self::NatPmp,
            By::Upnp => Self::Upnp,
        }
    }
}

/// Does what was asked for.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    signal::block_on(async {
        let mut config = Config { announcements: false, ..Config::default() };
        config.gateways.extend(args.router);
        config.protocols = match (&args.what, args.by) {
            (_, Some(by)) => vec![by.into()],
            (What::List, None) => vec![Protocol::Upnp],
            (_, None) => Protocol::ALL.to_vec(),
        };
        if let What::Add { keep: true, .. } = args.what {
            config.announcements = true;
        }
        let entropy = runtime::entropy().context("no randomness")?;
        let client = Client::new(config, Ids::new(1), &entropy);
        let mut station = Station::open(client, "portmap")?;
        let done = Errand { ui, station: &mut station }.run(&args.what).await;
        station.close().await?;
        done
    })
}

/// One run of the command.
struct Errand<'a> {
    ui: &'a Ui,
    station: &'a mut Station<Client>,
}

impl Errand<'_> {
    async fn run(&mut self, what: &What) -> Result<(), Failure> {
        match what {
            What::Status => self.status().await,
            What::List => self.list().await,
            What::Remove { protocol, external, internal } => {
                let internal = internal.unwrap_or(*external);
                self.remove((*protocol).into(), *external, internal).await
            }
            What::Add { protocol, internal, external, lease, keep } => {
                let request = Request {
                    external_port: *external,
                    lifetime: Duration::from_secs(*lease),
                    ..Request::new((*protocol).into(), endpoint(internal)?)
                };
                self.add(request, *keep).await
            }
        }
    }

    /// The next event; Ctrl-C ends the command.
    async fn next(&mut self) -> Result<Event, Failure> {
        self.station.next().await?.ok_or_else(Failure::interrupted)
    }

    async fn status(&mut self) -> Result<(), Failure> {
        self.station.verb(Client::probe).await?;
        let mut found: Vec<Gateway> = Vec::new();
        loop {
            match self.next().await? {
                Event::Gateway(gateway) => {
                    let same = |other: &Gateway| {
                        (other.address, other.protocol) == (gateway.address, gateway.protocol)
                    };
                    found.retain(|other| !same(other));
                    found.push(*gateway);
                }
                Event::Searched => break,
                Event::Refused { from, why } => {
                    self.ui.warn(format!("{from} is not listened to: {why}"))
                }
                _ => {}
            }
        }
        found.sort_by_key(|gateway| (gateway.protocol, gateway.address));
        for gateway in &found {
            self.ui.event("gateway", fields::gateway(gateway));
            if !self.ui.is_json() {
                self.ui.say(words::gateway(gateway));
            }
        }
        if found.is_empty() { Err(no_gateway("no router maps ports")) } else { Ok(()) }
    }

    async fn add(&mut self, request: Request, keep: bool) -> Result<(), Failure> {
        let id = self.station.verb(move |client, now| client.map(now, request)).await?;
        loop {
            match self.station.next().await? {
                Some(event) => {
                    let first = matches!(event, Event::Mapped { .. });
                    if self.added(id, event)? && !keep {
                        return Ok(());
                    }
                    if first && !self.ui.is_json() {
                        self.ui.say("it is renewed until Ctrl-C, which removes it");
                    }
                }
                None if keep => return self.give_back().await,
                None => return Err(Failure::interrupted()),
            }
        }
    }

    /// Tells of a mapping; whether it stands.
    fn added(&self, id: MappingId, event: Event) -> Result<bool, Failure> {
        match event {
            Event::Mapped { id: of, mapping } | Event::Changed { id: of, mapping } if of == id => {
                self.tell(&mapping);
                Ok(true)
            }
            Event::Failed { id: of, error } | Event::Lost { id: of, error } if of == id => {
                Err(refused(&error))
            }
            Event::Restarted { gateway, protocol } => {
                self.ui
                    .warn(format!("the router {gateway} has forgotten its mappings ({protocol})"));
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    async fn give_back(&mut self) -> Result<(), Failure> {
        self.station.verb(Client::close).await?;
        loop {
            if self.next().await? == Event::Closed {
                return Ok(());
            }
        }
    }

    async fn list(&mut self) -> Result<(), Failure> {
        self.station.verb(Client::list).await?;
        loop {
            if let Event::Listed(listed) = self.next().await? {
                let entries = listed.map_err(|error| refused(&error))?;
                if entries.is_empty() && !self.ui.is_json() {
                    self.ui.say("nothing is mapped");
                }
                entries.iter().for_each(|entry| self.tell_entry(entry));
                return Ok(());
            }
        }
    }

    /// Closes a port: by UPnP whosever it is, else by what else the router speaks.
    async fn remove(
        &mut self,
        transport: Transport,
        port: u16,
        internal: u16,
    ) -> Result<(), Failure> {
        self.station.verb(move |client, now| client.remove_at(now, transport, port)).await?;
        let removed = loop {
            if let Event::Removed { result, .. } = self.next().await? {
                break result;
            }
        };
        match removed {
            Ok(()) => {}
            Err(portmap::Error::NoGateway) => {
                let request = Request {
                    external_port: Some(port),
                    ..Request::new(transport, endpoint(&internal.to_string())?)
                };
                self.take_over(request, port).await?;
            }
            Err(portmap::Error::Refused {
                protocol: Protocol::Upnp, code: NO_SUCH_ENTRY, ..
            }) => {
                let transport = name(transport);
                let message = format!("nothing is mapped at {transport} port {port}");
                return Err(Failure::new(Exit::Failed, "gateway", message));
            }
            Err(error) => return Err(refused(&error)),
        }
        if !self.ui.is_json() {
            self.ui.say(format!("{} port {port} is closed", name(transport)));
        }
        self.ui.event("unmapped", json!({ "transport": name(transport), "port": port }));
        Ok(())
    }

    /// Makes a mapping anew by NAT-PMP or PCP, which gives the one that stands, and removes it.
    async fn take_over(&mut self, request: Request, port: u16) -> Result<(), Failure> {
        let mut error = portmap::Error::NoGateway;
        for protocol in [Protocol::NatPmp, Protocol::Pcp] {
            let request = Request { protocol: Some(protocol), ..request.clone() };
            let id = self.station.verb(move |client, now| client.map(now, request)).await?;
            let found = loop {
                match self.next().await? {
                    Event::Mapped { id: of, mapping } if of == id => break Ok(mapping),
                    Event::Failed { id: of, error } if of == id => break Err(error),
                    _ => {}
                }
            };
            match found {
                Ok(mapping) => {
                    self.station.verb(move |client, now| client.unmap(now, id)).await?;
                    while !matches!(self.next().await?, Event::Unmapped { id: of } if of == id) {}
                    return if mapping.external.port() == port {
                        Ok(())
                    } else {
                        Err(elsewhere(port))
                    };
                }
                //= RFC 6887 §11.3: whoever does not know a mapping's nonce cannot change it.
                Err(portmap::Error::Refused { protocol: Protocol::Pcp, code: 2, .. }) => {
                    return Err(another_runs());
                }
                Err(portmap::Error::NoGateway) => {}
                Err(other) => error = other,
            }
        }
        Err(refused(&error))
    }

    fn tell(&self, mapping: &Mapping) {
        let Mapping { protocol, transport, internal, external, lease, .. } = mapping;
        self.ui.event(
            "mapping",
            json!({
                "protocol": protocol.to_string(),
                "transport": name(*transport),
                "internal": internal.to_string(),
                "external": external.to_string(),
                "lease_secs": lease.map(|lease| lease.as_secs()),
            }),
        );
        if !self.ui.is_json() {
            let lease = lease.map_or_else(
                || "until it is removed".to_owned(),
                |lease| format!("for {} s", lease.as_secs()),
            );
            let transport = name(*transport);
            self.ui
                .say(format!("{transport} {external} leads to {internal}, {lease} ({protocol})"));
        }
    }

    fn tell_entry(&self, entry: &PortMapping) {
        let internal = format!("{}:{}", entry.internal_client, entry.internal_port);
        let internal: String = internal.chars().filter(|c| !c.is_control()).collect();
        let lease = (!entry.lease.is_zero()).then_some(entry.lease.as_secs());
        self.ui.event(
            "mapping",
            json!({
                "protocol": Protocol::Upnp.to_string(),
                "transport": name(entry.transport),
                "internal": internal,
                "external": entry.external_port,
                "lease_secs": lease,
                "description": entry.description,
            }),
        );
        if !self.ui.is_json() {
            let lease = lease.map_or_else(|| "no end".to_owned(), |lease| format!("{lease} s"));
            let words: String =
                entry.description.chars().filter(|c| !c.is_control()).take(60).collect();
            let (transport, port) = (name(entry.transport), entry.external_port);
            self.ui.say(format!("{transport:<4} {port:<6} {internal:<22} {lease:<9} {words}"));
        }
    }
}

/// A port of this host, perhaps with one of its addresses.
fn endpoint(text: &str) -> Result<Endpoint, Failure> {
    match text.parse::<u16>() {
        Ok(port) if port != 0 => Ok(Endpoint::new(Endpoint::UNSPECIFIED_V4.ip(), port)),
        _ => text.parse().map_err(|_| Failure::usage(format!("{text} is no PORT or ADDRESS:PORT"))),
    }
}

const fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
    }
}

fn no_gateway(message: &str) -> Failure {
    Failure::new(Exit::Unreachable, "gateway", message).with_remedy(
        "switch on UPnP, NAT-PMP or PCP in the router, or name it with --router ADDRESS",
    )
}

/// A mapping of this host's port has another port outside, and now none.
fn elsewhere(port: u16) -> Failure {
    let message = format!("no mapping of this host's has the port {port} outside");
    Failure::new(Exit::Failed, "gateway", message)
        .with_remedy("name the port on this host with --internal PORT")
}

/// PCP, and another run of the program.
fn another_runs() -> Failure {
    let message = "by PCP only the run that made a mapping can remove it: it ends with its lease";
    Failure::new(Exit::Failed, "gateway", message)
        .with_remedy("`wayleave portmap add --keep` removes its mapping at Ctrl-C")
}

fn refused(error: &portmap::Error) -> Failure {
    use portmap::Error as E;
    match error {
        E::NoGateway | E::NoAnswer(_) => no_gateway(&error.to_string()),
        E::Trouble(Trouble::NotConnected) => {
            Failure::new(Exit::Unreachable, "gateway", error.to_string())
        }
        E::Unusable | E::NotOurs(_) => Failure::usage(error.to_string()),
        _ => Failure::new(Exit::Failed, "gateway", error.to_string()),
    }
}
