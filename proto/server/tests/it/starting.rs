//! The start: every address is named, and what cannot be bound is explained.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use machine::{BindKind, Entropy, FailKind, Input, Instant, Machine as _, Now, Output, Transport};
use wayleave_server::{Address, Answer, Config, Event, Server, Service};

use crate::lab::{CORE, Lab};

fn config(any_port: bool) -> Config {
    let mut config = Config::new("example.org", []);
    config.listeners = Config::listeners_at(CORE.parse().unwrap(), any_port).to_vec();
    config
}

fn ready(events: &[Event]) -> Vec<Address> {
    let ready = events.iter().find_map(|event| match event {
        Event::Ready { addresses, .. } => Some(addresses.clone()),
        _ => None,
    });
    ready.unwrap_or_else(|| panic!("not ready: {events:?}"))
}

#[test]
fn every_address_is_named() {
    let mut lab = Lab::with(1, config(false), BTreeMap::new());
    let addresses = ready(&lab.core_said());
    let named: Vec<_> =
        addresses.iter().map(|a| (a.service, a.transport, a.local.to_string())).collect();
    assert_eq!(
        named,
        [
            (Service::Sip, Transport::Udp, format!("{CORE}:5060")),
            (Service::Sip, Transport::Tcp, format!("{CORE}:5060")),
            (Service::Turn, Transport::Udp, format!("{CORE}:3478")),
            (Service::Turn, Transport::Tcp, format!("{CORE}:3478")),
            (Service::Xmpp, Transport::Tcp, format!("{CORE}:5222")),
            (Service::Xmpp, Transport::Tls, format!("{CORE}:5223")),
        ]
    );
    lab.assert_serves();
}

#[test]
fn tcp_takes_the_port_that_udp_got() {
    let mut lab = Lab::with(1, config(true), BTreeMap::new());
    let addresses = ready(&lab.core_said());
    for service in [Service::Sip, Service::Turn] {
        let port = |transport| {
            let wanted = |a: &&Address| (a.service, a.transport) == (service, transport);
            addresses.iter().find(wanted).unwrap().local.port()
        };
        assert_eq!(port(Transport::Udp), port(Transport::Tcp));
        assert_ne!(port(Transport::Udp), 0);
    }
}

#[test]
fn what_cannot_be_bound_is_explained() {
    let mut config = config(false);
    config.listeners.extend(Config::listeners_at("192.0.2.1".parse().unwrap(), false));
    config.listeners.push(config.listeners[0]);
    let mut lab = Lab::with(1, config, BTreeMap::new());
    let events = lab.core_said();
    let failed: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::ListenFailed { address, cause, remedy } => {
                assert!(!remedy.is_empty());
                Some((address.local.to_string(), cause.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(failed.len(), 7, "{events:?}");
    assert!(
        failed.contains(&(
            "192.0.2.1:5060".to_owned(),
            "192.0.2.1 is not an address of this machine"
        ))
    );
    let taken = format!("UDP port 5060 of {CORE} is taken by another program");
    assert!(failed.contains(&(format!("{CORE}:5060"), taken.as_str())));
    assert_eq!(ready(&events).len(), 6);
    lab.assert_serves();
}

/// Starts a core whose ports over UDP are 1001, 1002, … and whose first listeners over TCP collide;
/// gives what it says.
fn start_among(mut collisions: u32) -> Vec<Event> {
    let mut config = config(true);
    // XMPP has no sibling over UDP.
    config.listeners.retain(|listener| listener.service != Service::Xmpp);
    let mut core = Server::new(config, &Entropy::seeded(1));
    let now = Now { mono: Instant::ORIGIN, unix: Duration::ZERO };
    let (mut events, mut port, mut todo) = (Vec::new(), 1000, VecDeque::new());
    loop {
        while let Some(output) = core.poll_output(&mut Vec::new()) {
            match output {
                Output::Ask { id, .. } => {
                    todo.push_back(Input::Answer { id, answer: Answer::Bindings(Vec::new()) });
                }
                Output::Bind { id, kind: BindKind::TcpListener, .. } if collisions > 0 => {
                    collisions -= 1;
                    todo.push_back(Input::Failed { id, kind: FailKind::AddressInUse });
                }
                Output::Bind { id, local, .. } => {
                    port += u16::from(local.port() == 0);
                    let port = if local.port() == 0 { port } else { local.port() };
                    todo.push_back(Input::Bound { id, local: local.with_port(port) });
                }
                Output::Event(event) => events.push(event),
                _ => {}
            }
        }
        let Some(input) = todo.pop_front() else { return events };
        core.handle_input(now, input);
    }
}

#[test]
fn a_port_that_is_taken_over_tcp_is_given_up_over_udp() {
    let events = start_among(0);
    assert_eq!(ready(&events).len(), 4);
    // SIP takes another port for both; TURN tells another one for TCP.
    for collisions in [1, 2] {
        let events = start_among(collisions);
        let failed = |event: &Event| matches!(event, Event::ListenFailed { .. });
        assert!(!events.iter().any(failed), "{events:?}");
        let addresses = ready(&events);
        assert_eq!(addresses.len(), 4, "{addresses:?}");
        let port = |transport| {
            let wanted = |a: &&Address| (a.service, a.transport) == (Service::Sip, transport);
            addresses.iter().find(wanted).unwrap().local.port()
        };
        assert_eq!(port(Transport::Udp), port(Transport::Tcp));
    }
}

#[test]
fn ports_are_not_looked_for_without_end() {
    let events = start_among(1000);
    assert!(events.iter().any(|event| matches!(event, Event::ListenFailed { .. })));
    assert_eq!(ready(&events).len(), 2, "UDP alone");
}

#[test]
fn stun_on_both_ports() {
    let mut lab = Lab::new(1);
    let id = stun::TransactionId::random(&mut Entropy::seeded(1));
    let request = stun::Builder::request(stun::Method::BINDING, id).finish();
    for port in [5060, 3478] {
        assert_eq!(lab.say_to(&format!("{CORE}:{port}"), &request).len(), 1, "port {port}");
    }
    let stats = lab.server().stats();
    assert_eq!((stats.stun_answered, stats.turn.bindings), (1, 1));
    lab.assert_replays();
}
