//! Who is behind what: hosts, NATs with their tables, the core, and the way of the media.
//!
//! A table is that of the talk's slides ("How do NATs work"): the inside host and port, the outside
//! port, and the active connections.

use machine::{Endpoint, Transport};
use maud::{Markup, html};
use netsim::{Dependence, Mapping, NatTable};
use scenarios::topology::{CORE, DOMAIN, Place, blocks_udp};
use scenarios::{Access, Side, Who};

use super::{Fate, each, name, part};
use crate::demo::outcome::{Call, Outcome, via_name};
use crate::events::transport_name;

pub fn section(outcome: &Outcome) -> Markup {
    let about = "The way from Alice to Bob. Each NAT shows its table as it was when they spoke: the \
                 inside host and port, the port outside, and the active connections. What the media \
                 pass through is marked.";
    part("where", "Who is where", about, each(outcome, figure))
}

fn figure(call: &Call) -> Markup {
    let fate = Fate::of(call);
    let report = &call.report;
    let (alice, bob) = (&report.topology.alice, &report.topology.bob);
    let boxes = |access: &Access| access.nats().len() + usize::from(access.firewall().is_some());
    // Two in a row stand above each other, and their host above them.
    let deep = boxes(&call.spec.alice).max(boxes(&call.spec.bob)) > 1;
    html! {
        div class={ "topology " (fate.class()) @if deep { " deep" } @else { " flat" } } {
            div.person.alice {
                (host(Who::Alice, alice.address))
                (wire())
                (nats(call, Who::Alice, alice, &call.spec.alice, &report.alice_nats))
            }
            (wire())
            (internet(call, fate))
            (wire())
            div.person.bob {
                (nats(call, Who::Bob, bob, &call.spec.bob, &report.bob_nats))
                (wire())
                (host(Who::Bob, bob.address))
            }
        }
    }
}

fn wire() -> Markup {
    html! { div.line aria-hidden="true" {} }
}

fn host(who: Who, address: &str) -> Markup {
    html! {
        div class={ "node host " (who.name()) } {
            p.title { (name(who)) }
            p.address { (address) }
        }
    }
}

/// What is between somebody and the internet: the NAT next to the internet last, as it is passed from
/// Alice to Bob.
fn nats(call: &Call, who: Who, place: &Place, access: &Access, tables: &[NatTable]) -> Markup {
    let carried = Carried::of(call.report.side(who));
    let mut nats: Vec<Markup> = place
        .nats
        .iter()
        .enumerate()
        .map(|(at, (_, outside))| {
            let inside = if at == 0 { inside_of(place) } else { second_inside(who) };
            let title =
                if place.nats.len() > 1 { format!("NAT {}", at + 1) } else { "NAT".to_owned() };
            nat(&title, inside, outside, tables.get(at), carried, access)
        })
        .collect();
    if nats.is_empty() {
        nats.push(html! { div.node.open { p.title { "no NAT" } p.what { "a public address" } } });
    }
    if blocks_udp(access) {
        nats.push(html! {
            div.node.wall { p.title { "firewall" } p.what { "lets no UDP through" } }
        });
    }
    if who == Who::Bob {
        nats.reverse();
    }
    html! {
        div.nats {
            @for (at, nat) in nats.iter().enumerate() {
                @if at > 0 { div.line.between aria-hidden="true" {} }
                (nat)
            }
        }
    }
}

/// The NAT's address on the inside, as the hosts there know it.
fn inside_of(place: &Place) -> &'static str {
    if place.address.starts_with("192.168") { "192.168.0.254" } else { "10.0.0.1" }
}

const fn second_inside(who: Who) -> &'static str {
    match who {
        Who::Bob => "172.17.0.1",
        _ => "172.16.0.1",
    }
}

fn nat(
    title: &str,
    inside: &str,
    outside: &str,
    table: Option<&NatTable>,
    carried: Option<Carried>,
    access: &Access,
) -> Markup {
    let kind = table.map_or_else(|| access.to_string(), words);
    html! {
        div.node.nat {
            p.title { (title) }
            dl.sides {
                div { dt { "Internal address" } dd { (inside) } }
                div { dt { "External address" } dd { (outside) } }
            }
            p.what { (kind) }
            @match table {
                Some(table) if !table.mappings.is_empty() => { (mappings(title, table, carried)) }
                _ => { p.empty { "Nobody spoke through it." } }
            }
            @if let Some(table) = table {
                @let dropped = table.stats.filtered + table.stats.unmapped;
                @if dropped > 0 {
                    p.dropped { "Kept out: " (dropped) @if dropped == 1 { " packet" } @else { " packets" } " from outside." }
                }
            }
        }
    }
}

/// How a NAT behaves, by RFC 4787.
fn words(table: &NatTable) -> String {
    let mapping = match table.spec.mapping {
        Dependence::Endpoint => "one outside port for all destinations",
        Dependence::Address => "an outside port for each destination's address",
        Dependence::AddressAndPort => "an outside port for each destination",
    };
    let filtering = match table.spec.filtering {
        Dependence::Endpoint => "anybody gets in",
        Dependence::Address => "only addresses that were sent to get in",
        Dependence::AddressAndPort => "only addresses and ports that were sent to get in",
    };
    format!("Mapping: {mapping}. Filtering: {filtering}.")
}

/// How one side's media leave its network.
#[derive(Clone, Copy)]
struct Carried {
    /// Where they go: to the other side, or to a relay of one's own.
    to: Endpoint,
    protocol: Transport,
    /// What they are sent from, where that is known, and what the internet sees of it.
    inside: Option<Endpoint>,
    outside: Option<Endpoint>,
}

impl Carried {
    fn of(side: &Side) -> Option<Self> {
        let path = side.path.as_ref()?;
        let protocol =
            if path.transport == Transport::Udp { Transport::Udp } else { Transport::Tcp };
        let Some(relay) = path.relay else {
            let (inside, outside) = (Some(path.base), Some(path.local));
            return Some(Self { to: path.remote, protocol, inside, outside });
        };
        let local = &side.explanation.as_ref()?.local;
        let relayed = local.iter().find(|(_, candidate)| candidate.endpoint == path.local);
        let outside = relayed.and_then(|(_, candidate)| candidate.related);
        Some(Self { to: relay, protocol, inside: None, outside })
    }

    fn by(&self, mapping: &Mapping) -> bool {
        mapping.protocol == self.protocol
            && mapping.remotes.contains(&self.to)
            && (self.inside == Some(mapping.inside) || self.outside == Some(mapping.outside))
    }
}

fn mappings(title: &str, table: &NatTable, carried: Option<Carried>) -> Markup {
    let is_used = |mapping: &Mapping| carried.is_some_and(|carried| carried.by(mapping));
    html! {
        table.mappings {
            caption.hidden { "What " (title) " remembers" }
            thead { tr { th scope="col" { "host:port" } th scope="col" { "port" } } }
            @for mapping in &table.mappings {
                tbody.used[is_used(mapping)] {
                    tr {
                        th scope="row" {
                            (mapping.inside)
                        }
                        td { @if mapping.protocol != Transport::Udp { span.proto { (transport_name(mapping.protocol)) " " } }
                            @if is_used(mapping) { span.mark { "media " } } b { (mapping.outside.port()) } }
                    }
                    tr.remotes {
                        td colspan="2" {
                            span.hidden { "Active connections: " }
                            @for remote in &mapping.remotes { span { (remote) } " " }
                        }
                    }
                }
            }
        }
    }
}

/// The core in the middle, and the way of the media by it, through it, or not at all.
fn internet(call: &Call, fate: Fate) -> Markup {
    let way = match fate {
        Fate::Direct => "media go straight from NAT to NAT",
        Fate::Relayed => "media pass through the relay",
        Fate::None => "media find no way",
    };
    let services =
        [via_name(call.spec.via), "STUN"].into_iter().chain(call.spec.turn.then_some("TURN"));
    let services: Vec<&str> = services.collect();
    html! {
        div class={ "internet " (fate.class()) } {
            p.title { "the internet" }
            div.node.core {
                p.title { (name(Who::Core)) }
                p.address { (CORE) }
                p.what { (services.join(" · ")) " for " (DOMAIN) }
            }
            p.way { span aria-hidden="true" { (fate.sign()) } " " (way) }
        }
    }
}
