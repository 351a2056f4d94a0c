//! Routers that want it otherwise.

use std::time::Duration;

use super::super::{Error, Event, Request};
use super::lab::{HERE, Lab, OUTSIDE, Router, request};
use crate::upnp::igd::code;
use crate::upnp::soap::Fault;

fn fault(code: u16) -> Error {
    Error::Fault(Fault::of_code(code))
}

#[test]
fn only_permanent_leases() {
    for version in [1, 2] {
        let mut lab = Lab::found(Router { version, only_permanent: true, ..Router::default() });
        let granted = lab.map(&request(5000)).unwrap();
        assert_eq!((granted.mapping.lease, granted.requested), (None, Duration::ZERO));
        lab.router.asked.clear();
        assert_eq!(lab.renew(&granted).unwrap(), granted);
        // What is known is not tried again.
        let adds = lab.router.asked.iter().filter(|name| *name == "AddPortMapping").count();
        assert_eq!(adds, 1);
    }
}

#[test]
fn a_port_that_is_taken() {
    for version in [1, 2] {
        let mut lab = Lab::found(Router { version, ..Router::default() });
        lab.router.occupy(5000);
        let granted = lab.map(&request(5000)).unwrap();
        assert_ne!(granted.mapping.external.port(), 5000);
        assert_eq!(granted.mapping.internal.port(), 5000);
        let rather_none = Request { prefer_failure: true, ..request(5000) };
        assert_eq!(lab.map(&rather_none), Err(fault(code::CONFLICT)));
        // A renewal never moves.
        lab.router.table.clear();
        lab.router.occupy(granted.mapping.external.port());
        assert_eq!(lab.renew(&granted), Err(fault(code::CONFLICT)));
    }
    let mut lab = Lab::found(Router::default());
    lab.router.faults = vec![("AddPortMapping", code::CONFLICT)];
    assert_eq!(lab.map(&request(5000)), Err(fault(code::CONFLICT)));
    let tries = lab.router.asked.iter().filter(|name| *name == "AddPortMapping").count();
    assert_eq!(tries, 1 + crate::upnp::defaults::PORT_TRIES as usize);
}

#[test]
fn a_router_that_sees_a_conflict_with_the_same_mapping() {
    let mut lab = Lab::found(Router { never_overwrites: true, ..Router::default() });
    let granted = lab.map(&request(5000)).unwrap();
    assert_eq!(lab.renew(&granted).unwrap(), granted);
    assert!(lab.router.asked.contains(&"DeletePortMapping".into()));
}

#[test]
fn ports_that_must_be_the_same() {
    let mut lab = Lab::found(Router { same_port: true, ..Router::default() });
    let other = Request { external_port: Some(6000), ..request(5000) };
    assert_eq!(lab.map(&other).unwrap().mapping.external.port(), 5000);
    let rather_none = Request { prefer_failure: true, ..other };
    assert_eq!(lab.map(&rather_none), Err(fault(code::SAME_PORT_REQUIRED)));
}

#[test]
fn a_version_2_without_its_action() {
    let mut lab = Lab::found(Router { version: 2, ..Router::default() });
    for code in [code::INVALID_ACTION, code::ACTION_FAILED, code::OPTIONAL_ACTION_NOT_IMPLEMENTED] {
        lab.router.faults = vec![("AddAnyPortMapping", code)];
        assert_eq!(lab.map(&request(5000)).unwrap().mapping.external.port(), 5000);
    }
    // An error that says that it cannot be is not asked around.
    lab.router.faults = vec![("AddAnyPortMapping", code::NO_PORT_MAPS_AVAILABLE)];
    assert_eq!(lab.map(&request(5000)), Err(fault(code::NO_PORT_MAPS_AVAILABLE)));
}

#[test]
fn leases_cut_short_and_leases_not_listed() {
    let mut lab = Lab::found(Router { longest: 120, ..Router::default() });
    let granted = lab.map(&request(5000)).unwrap();
    assert_eq!(granted.mapping.lease, Some(Duration::from_secs(120)));
    assert_eq!(granted.requested, Duration::from_secs(3600));
    let mut lab = Lab::found(Router { lists_no_lease: true, ..Router::default() });
    let granted = lab.map(&request(5000)).unwrap();
    assert_eq!(granted.mapping.lease, Some(Duration::from_secs(3600)));
    // Some routers cannot say at all.
    lab.router.faults = vec![("GetSpecificPortMappingEntry", code::INVALID_ACTION)];
    assert_eq!(lab.map(&request(5000)).unwrap(), granted);
}

#[test]
fn a_router_that_is_not_connected() {
    for external in [None, Some("0.0.0.0".parse().unwrap())] {
        let mut lab = Lab::new(Router { external, ..Router::default() });
        let events = lab.search();
        let [Event::Found(gateway), Event::Searched] = &events[..] else { panic!("{events:?}") };
        assert_eq!(gateway.external, None);
        assert_eq!(lab.map(&request(5000)), Err(Error::NotConnected));
        assert!(lab.router.table.is_empty());
    }
    let mut lab = Lab::found(Router::default());
    lab.router.faults = vec![("GetExternalIPAddress", code::ACTION_FAILED)];
    assert_eq!(lab.map(&request(5000)), Err(Error::NotConnected));
}

#[test]
fn external_addresses_and_mappings_that_lead_elsewhere() {
    for external in ["224.0.0.1", "127.0.0.1", "255.255.255.255", HERE, "2001:db8::7"] {
        let external = external.parse().unwrap();
        let mut lab = Lab::found(Router { external: Some(external), ..Router::default() });
        assert_eq!(lab.map(&request(5000)), Err(Error::External(external)));
        assert!(lab.router.table.is_empty());
    }
    // A private one is for its owner to judge.
    let mut lab =
        Lab::found(Router { external: Some("10.0.0.2".parse().unwrap()), ..Router::default() });
    assert!(lab.map(&request(5000)).is_ok());
    let elsewhere = "192.168.1.66".to_owned();
    let mut lab = Lab::found(Router { leads_to: Some(elsewhere.clone()), ..Router::default() });
    assert_eq!(lab.map(&request(5000)), Err(Error::Elsewhere(elsewhere)));
    // A name tells nothing.
    let mut lab = Lab::found(Router { leads_to: Some("laptop".into()), ..Router::default() });
    assert!(lab.map(&request(5000)).is_ok());
}

#[test]
fn low_ports_that_the_router_keeps() {
    let mut lab = Lab::found(Router::default());
    lab.router.faults = vec![("AddPortMapping", code::NOT_AUTHORIZED)];
    assert_eq!(lab.map(&request(5000)), Err(fault(code::NOT_AUTHORIZED)));
    let adds = |lab: &Lab| lab.router.asked.iter().filter(|name| *name == "AddPortMapping").count();
    assert_eq!(adds(&lab), 1);
    // Another port is tried, which this router does not like either.
    assert_eq!(lab.map(&request(80)), Err(fault(code::NOT_AUTHORIZED)));
    assert_eq!(adds(&lab), 3);
}

#[test]
fn lists_that_end_oddly_or_never() {
    let mut lab = Lab::found(Router { lists_one: true, ..Router::default() });
    lab.router.occupy(1);
    lab.router.occupy(2);
    assert_eq!(lab.list().unwrap().len(), 1);
    lab.router.lists_one = false;
    assert_eq!(lab.list().unwrap().len(), 2);
    lab.router.faults = vec![("GetGenericPortMappingEntry", code::ACTION_FAILED)];
    assert_eq!(lab.list(), Err(fault(code::ACTION_FAILED)));
    let mut lab = Lab::found(Router::default());
    for port in 0..crate::upnp::defaults::LISTED as u16 + 5 {
        lab.router.occupy(port + 1);
    }
    assert_eq!(lab.list().unwrap().len(), crate::upnp::defaults::LISTED);
}

#[test]
fn the_base_of_relative_addresses() {
    let base = Some("http://192.168.1.1:80/igd/".into());
    let mut lab = Lab::found(Router { base, control: "ctl".into(), ..Router::default() });
    assert_eq!(
        lab.map(&request(5000)).unwrap().mapping.external.to_string(),
        format!("{OUTSIDE}:5000")
    );
}
