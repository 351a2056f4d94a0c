//! The client against routers good and bad, without a network between.

mod hostile;
mod lab;
mod quirks;

use std::time::Duration;

use machine::Transport;

use super::{Error, Event, Refusal};
use crate::upnp::igd::{ConnectionStatus, code, kind};
use crate::upnp::soap::Fault;
use lab::{HERE, Lab, OUTSIDE, ROUTER, ROUTER_V6, Router, request};

#[test]
fn a_gateway_is_found_with_all_that_it_tells() {
    for version in [1, 2] {
        let mut lab = Lab::new(Router { version, ..Router::default() });
        let events = lab.search();
        let [Event::Found(gateway), Event::Searched] = &events[..] else { panic!("{events:?}") };
        assert_eq!((gateway.address, gateway.version), (ROUTER.parse().unwrap(), version));
        assert_eq!(gateway.local.to_string(), HERE);
        assert_eq!(gateway.friendly_name, "A router");
        assert_eq!(gateway.status, Some(ConnectionStatus::Connected));
        assert_eq!(gateway.external.map(|ip| ip.to_string()).as_deref(), Some(OUTSIDE));
        let service = if version == 2 { kind::WAN_IP_2 } else { kind::WAN_IP_1 };
        assert_eq!(gateway.connection.as_deref(), Some(service));
        assert_eq!(lab.client.get().gateways().count(), 1);
        // Once more: it is found again, and nothing is doubled.
        let events = lab.search();
        assert!(matches!(&events[..], [Event::Found(_), Event::Searched]), "{events:?}");
    }
}

#[test]
fn without_a_gateway_a_search_ends() {
    let mut lab = Lab::new(Router { answers: false, ..Router::default() });
    assert_eq!(lab.search(), [Event::Searched]);
    assert!(lab.now.mono.as_millis() < 5000);
    let events = lab.call(|client, now| client.list(now, ROUTER.parse().unwrap()));
    assert!(matches!(&events[..], [Event::Failed { error: Error::NoGateway, .. }]));
}

#[test]
fn mappings_are_made_renewed_listed_and_removed() {
    for version in [1, 2] {
        let mut lab = Lab::found(Router { version, ..Router::default() });
        let granted = lab.map(&request(5000)).unwrap();
        assert_eq!(granted.mapping.internal.to_string(), format!("{HERE}:5000"));
        assert_eq!(granted.mapping.external.to_string(), format!("{OUTSIDE}:5000"));
        assert_eq!(granted.mapping.lease, Some(Duration::from_secs(3600)));
        let again = lab.renew(&granted).unwrap();
        assert_eq!(again.mapping, granted.mapping);
        let entries = lab.list().unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].external_port, entries[0].description.as_str()), (5000, "lab"));
        let events = lab.call(|client, now| client.unmap(now, &granted));
        assert!(matches!(&events[..], [Event::Unmapped { .. }]));
        assert_eq!(lab.list(), Ok(vec![]));
        // Gone is gone, unless somebody wants it to have been there.
        let events = lab.call(|client, now| client.unmap(now, &granted));
        assert!(matches!(&events[..], [Event::Unmapped { .. }]));
        let gateway = ROUTER.parse().unwrap();
        let events = lab.call(|client, now| client.remove(now, gateway, Transport::Udp, 5000));
        let gone = Error::Fault(Fault::of_code(code::NO_SUCH_ENTRY_IN_ARRAY));
        assert!(matches!(&events[..], [Event::Failed { error, .. }] if *error == gone));
    }
}

#[test]
fn pinholes_are_opened_kept_and_closed_over_ipv6() {
    let mut lab = Lab::found(Router { address: ROUTER_V6.parse().unwrap(), ..Router::default() });
    let internal = "[2001:db8::9]:5000".parse().unwrap();
    let request = super::Request { internal, ..request(5000) };
    let granted = lab.map(&request).unwrap();
    assert_eq!((granted.mapping.external, granted.pinhole), (internal, Some(1)));
    assert_eq!(lab.renew(&granted).unwrap().pinhole, Some(1));
    // A router that has forgotten it opens another one.
    lab.router.pinholes.clear();
    let again = lab.renew(&granted).unwrap();
    assert_eq!((again.pinhole, lab.router.pinholes.len()), (Some(2), 1));
    for _ in 0..2 {
        let events = lab.call(|client, now| client.unmap(now, &again));
        assert!(matches!(&events[..], [Event::Unmapped { .. }]));
        assert!(lab.router.pinholes.is_empty());
    }
    // Without a firewall there is nothing to open, and nothing to close.
    lab.router.faults = vec![("AddPinhole", code::FIREWALL_DISABLED)];
    let open = lab.map(&request).unwrap();
    assert_eq!((open.pinhole, open.mapping.lease), (None, None));
    let events = lab.call(|client, now| client.unmap(now, &open));
    assert!(matches!(&events[..], [Event::Unmapped { .. }]));
    lab.router.faults = vec![("AddPinhole", code::NOT_AUTHORIZED)];
    assert_eq!(lab.map(&request), Err(Error::Fault(Fault::of_code(code::NOT_AUTHORIZED))));
}

#[test]
fn a_restart_is_noticed_by_uptime_and_by_boot_id() {
    let mut lab = Lab::found(Router::default());
    let gateway = ROUTER.parse().unwrap();
    let refresh = |lab: &mut Lab| lab.call(|client, now| client.refresh(now, gateway));
    assert!(matches!(&refresh(&mut lab)[..], [Event::Found(_)]));
    lab.router.uptime_secs = 5;
    let events = refresh(&mut lab);
    assert!(matches!(&events[..], [Event::Restarted { .. }, Event::Found(_)]), "{events:?}");
    assert!(matches!(&refresh(&mut lab)[..], [Event::Found(_)]));
    lab.router.boot_id += 1;
    let events = lab.search();
    assert!(matches!(&events[..], [Event::Restarted { .. }, Event::Found(_), Event::Searched]));
}

#[test]
fn a_gateway_that_is_gone_is_lost_with_its_calls() {
    let mut lab = Lab::found(Router::default());
    lab.router.refuses = true;
    lab.router.answers = false;
    let gateway = ROUTER.parse().unwrap();
    lab.verb(|client, now| {
        client.list(now, gateway);
        client.list(now, gateway)
    });
    let events = lab.run();
    let error = Error::Unreachable;
    assert!(
        matches!(&events[..], [Event::Failed { .. }, Event::Failed { .. }, Event::Lost { error: e, .. }] if *e == error),
        "{events:?}"
    );
    assert_eq!(lab.client.get().gateways().count(), 0);
    // One that does not answer the next search is asked, too.
    let mut lab = Lab::found(Router::default());
    lab.router.answers = false;
    assert!(matches!(&lab.search()[..], [Event::Found(_), Event::Searched]));
    lab.router.refuses = true;
    // More than once: one silence is a lost packet.
    assert!(matches!(&lab.search()[..], [Event::Searched, Event::Lost { .. }]));
    // And one whose link is gone.
    let mut lab = Lab::found(Router::default());
    lab.interfaces(vec![]);
    assert!(matches!(&lab.run()[..], [Event::Lost { .. }]));
}

#[test]
fn what_is_cancelled_or_closed_is_silent() {
    let mut lab = Lab::found(Router::default());
    let gateway = ROUTER.parse().unwrap();
    lab.router.silent = true;
    let calls = lab.verb(|client, now| [client.list(now, gateway), client.list(now, gateway)]);
    for call in calls {
        lab.verb(|client, now| client.cancel(now, call));
    }
    assert_eq!(lab.run(), []);
    assert!(lab.connections.is_empty());
    lab.verb(|client, now| client.list(now, gateway));
    lab.verb(|client, now| client.search(now));
    lab.verb(|client, _| client.close());
    assert_eq!(lab.run(), []);
    assert!(lab.connections.is_empty() && lab.sockets.is_empty());
    assert_eq!(lab.client.get().gateways().count(), 0);
}

#[test]
fn calls_that_wait_are_limited() {
    let mut lab = Lab::found(Router::default());
    lab.router.silent = true;
    let gateway = ROUTER.parse().unwrap();
    for _ in 0..crate::upnp::defaults::CALLS {
        lab.verb(|client, now| client.list(now, gateway));
    }
    assert_eq!(lab.take(), []);
    lab.verb(|client, now| client.list(now, gateway));
    assert!(matches!(&lab.take()[..], [Event::Failed { error: Error::TooManyCalls, .. }]));
}

#[test]
fn a_device_that_is_no_gateway_is_passed_over() {
    let mut lab = Lab::new(Router { is_gateway: false, ..Router::default() });
    assert_eq!(lab.search(), [Event::Searched]);
    let mut lab =
        Lab::new(Router { location: Some("ftp://192.168.1.1/a".into()), ..Router::default() });
    let events = lab.search();
    assert!(matches!(
        &events[..],
        [Event::Refused { why: Refusal::NotHttp(_), .. }, Event::Searched]
    ));
}
