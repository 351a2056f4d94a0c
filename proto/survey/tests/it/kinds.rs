//! Every kind of NAT is named, and what it means is right.

use std::time::Duration;

use gateway::Behaviour;
use survey::alg::{Alg, Error};
use survey::{Ipv6, Kind, Layers, Way};

use crate::ground::{Ground, ip};

/// A person waits for so long.
const A_WHILE: Duration = Duration::from_secs(6);

#[test]
fn every_preset_is_named() {
    for (preset, kind) in [
        ("open", Kind::Open),
        ("full-cone", Kind::FullCone),
        ("address-restricted", Kind::AddressRestricted),
        ("port-restricted", Kind::PortRestricted),
        ("symmetric", Kind::Symmetric),
        ("symmetric-sequential", Kind::Symmetric),
        ("double", Kind::FullCone),
        ("symmetric-then-cone", Kind::Symmetric),
        ("udp-blocked", Kind::UdpBlocked),
    ] {
        let (report, took) = Ground::behind(preset).survey(None);
        assert_eq!(report.kind(), Some(kind), "{preset}: {report:?}");
        assert!(took < A_WHILE, "{preset}: {took:?}");
        assert_eq!(report.udp(), Some(kind != Kind::UdpBlocked), "{preset}");
        assert_eq!(report.tcp443, Some(true), "{preset}: who refuses was reached");
        let seen = ip(report.ipv4.as_ref().unwrap().mapped);
        let expected = (kind != Kind::UdpBlocked).then(|| "203.0.113.1".to_owned());
        assert_eq!(seen, expected, "{preset}");
    }
}

#[test]
fn what_it_means_for_calls() {
    let ways = |access: &str, gateway: Option<Behaviour>| {
        let ground = Ground { gateway, ..Ground::behind(access) };
        let (report, _) = ground.survey(None);
        report.verdict().peers.into_iter().map(|(_, way)| way).collect::<Vec<_>>()
    };
    use Way::{Direct, Relay};
    // Peers: open, full cone, address-restricted, port-restricted, symmetric, UDP blocked.
    let all = vec![Direct, Direct, Direct, Direct, Direct, Relay];
    assert_eq!(ways("port-restricted", None), [Direct, Direct, Direct, Direct, Relay, Relay]);
    assert_eq!(ways("symmetric", None), [Direct, Direct, Direct, Relay, Relay, Relay]);
    assert_eq!(ways("address-restricted", None), all);
    assert_eq!(ways("udp-blocked", None), [Relay; 6]);
    // What lets everybody in is of no use if the answers leave from elsewhere.
    let moves = [Direct, Direct, Direct, Relay, Relay, Relay];
    assert_eq!(ways("mapping=apd,filtering=ei", None), moves);
    assert_eq!(ways("symmetric", Some(Behaviour::all())), all);
}

#[test]
fn gateways_are_found_and_judged() {
    let behind = |access: &str, gateway: &str, outside: &'static str| {
        let gateway = Some(gateway.parse().unwrap());
        Ground { gateway, outside, ..Ground::behind(access) }.survey(None).0
    };
    let report = behind("port-restricted", "all", "203.0.113.1/24");
    let spoken: Vec<String> =
        report.gateways.iter().map(|gateway| gateway.protocol.to_string()).collect();
    assert_eq!(spoken, ["PCP", "NAT-PMP", "UPnP"], "{:?}", report.gateways);
    assert_eq!(report.layers(), Layers::Single);
    assert!(report.door().is_some());
    for protocol in ["natpmp", "upnp1", "upnp2"] {
        let report = behind("double", protocol, "203.0.113.1/24");
        assert_eq!(report.layers(), Layers::Double, "{protocol}: {:?}", report.gateways);
        assert!(report.door().is_none(), "{protocol}");
        assert!(report.gateways[0].trouble.is_some(), "{protocol}");
        assert!(report.verdict().advice.iter().any(|advice| advice.contains("bridge mode")));
    }
    let report = behind("port-restricted", "natpmp", "100.64.0.9/24");
    assert_eq!(report.layers(), Layers::Carrier);
    assert!(report.verdict().summary.contains("CGN"), "{}", report.verdict().summary);
}

#[test]
fn a_message_that_is_rewritten_is_noticed() {
    let (report, _) = Ground::behind("mapping=ei,filtering=apd,alg=on").survey(None);
    let Some(Ok(Alg::Altered(changes))) = &report.alg else { panic!("{:?}", report.alg) };
    let came = changes.iter().filter_map(|change| change.came.as_deref());
    assert!(came.into_iter().any(|line| line.contains("203.0.113.1")), "{changes:?}");
    assert!(report.verdict().advice.iter().any(|advice| advice.contains("SIP ALG")));
    let (report, _) = Ground::behind("mapping=ei,filtering=apd").survey(None);
    assert_eq!(report.alg, Some(Ok::<Alg, Error>(Alg::None)));
}

#[test]
fn what_a_server_cannot_reveal_is_unknown() {
    let ground = Ground { addresses: 1, ..Ground::behind("symmetric") };
    let (report, took) = ground.survey(None);
    assert!(report.mapping().is_none() && report.filtering().is_none(), "{report:?}");
    assert_eq!(report.udp(), Some(true));
    assert_eq!(report.kind(), None);
    assert!(took < A_WHILE, "{took:?}");
    let seen = report.ipv4.as_ref().unwrap();
    assert_eq!(seen.mapping.as_ref().unwrap_err().to_string(), "the server has no second address");
    assert!(report.verdict().peers.iter().any(|(_, way)| *way == Way::Unknown));
}

#[test]
fn without_a_server_what_is_near_is_told() {
    let ground = Ground {
        server: None,
        gateway: Some(Behaviour::all()),
        nat64: Some("64:ff9b::c000:aa"),
        ..Ground::behind("port-restricted")
    };
    let (report, took) = ground.survey(None);
    assert_eq!(report.nat64.unwrap().unwrap().to_string(), "64:ff9b::/96");
    assert_eq!((report.udp(), report.tcp443, report.alg.as_ref()), (None, None, None));
    assert_eq!(report.ipv6(), Some(Ipv6::None));
    assert_eq!(report.gateways.len(), 3);
    assert!(took < A_WHILE, "{took:?}");
}

#[test]
fn a_server_that_is_not_there() {
    let ground = Ground { server: Some("nobody.example.org"), ..Ground::behind("open") };
    let (report, _) = ground.survey(None);
    assert_eq!(report.trouble.as_deref(), Some("no such name"));
    let ground = Ground { server: Some("203.0.113.99"), ..Ground::behind("open") };
    let (report, _) = ground.survey(None);
    assert_eq!(report.udp(), Some(false));
    assert_ne!(report.tcp443, Some(true));
}

#[test]
fn how_long_a_mapping_lives() {
    let ground = Ground::behind("mapping=ei,filtering=apd,lifetime=45s");
    let (report, _) = ground.survey(Some(Duration::from_secs(120)));
    let lifetime = report.ipv4.as_ref().unwrap().lifetime.as_ref().unwrap();
    let (least, below) = (lifetime.at_least.as_secs(), lifetime.below.unwrap().as_secs());
    assert!(least <= 45 && 45 <= below, "{lifetime:?}");
}
