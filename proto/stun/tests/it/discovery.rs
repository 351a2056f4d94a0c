//! Behaviour discovery in the simulated internet: every kind of NAT is named as what it is.

use std::time::Duration;

use machine::{Entropy, Ids, Instant};
use netsim::Access;
use stun::behaviour::{
    Config, Discovery, Filtering, Lifetime, Mapping, Pattern, Property, Report, Unknown,
};
use wayleave_stun as stun;

use crate::lab::{Lab, SERVER, Server};

const MAPPINGS: [(&str, Mapping); 3] = [
    ("ei", Mapping::EndpointIndependent),
    ("ad", Mapping::AddressDependent),
    ("apd", Mapping::AddressAndPortDependent),
];
const FILTERINGS: [(&str, Filtering); 3] = [
    ("ei", Filtering::EndpointIndependent),
    ("ad", Filtering::AddressDependent),
    ("apd", Filtering::AddressAndPortDependent),
];
const PORTS: [(&str, Pattern); 3] = [
    ("preserve", Pattern::Preserved),
    ("sequential", Pattern::Sequential { step: 1 }),
    ("random", Pattern::Random),
];

fn config() -> Config {
    Config::new(SERVER.parse().unwrap())
}

/// What is found out behind `access`, and when.
fn discover(seed: u64, access: &str, server: Server, config: Config) -> (Report, Instant) {
    Lab::new(seed, access, server, config, 0.0).run()
}

fn ports(report: &Report) -> Option<Pattern> {
    report.ports.as_ref().ok().map(|ports| ports.pattern)
}

/// Whether hairpinning shows in any packet: where neither is independent of the endpoint it does not.
fn hairpin(access: &str, on: bool) -> Result<bool, Unknown> {
    let shows = access.contains("mapping=ei") || access.contains("filtering=ei");
    if shows { Ok(on) } else { Err(Unknown::Hidden) }
}

#[test]
fn every_combination_of_axes_is_named() {
    let mut seed = 0;
    for (mapping, is_mapping) in MAPPINGS {
        for (filtering, is_filtering) in FILTERINGS {
            for (choice, pattern) in PORTS {
                for on in [true, false] {
                    seed += 1;
                    let switch = if on { "on" } else { "off" };
                    let access = format!(
                        "mapping={mapping},filtering={filtering},ports={choice},hairpin={switch}"
                    );
                    let (report, end) = discover(seed, &access, Server::Full, config());
                    assert_eq!(report.mapping, Ok(is_mapping), "{access}");
                    assert_eq!(report.filtering, Ok(is_filtering), "{access}");
                    assert_eq!(ports(&report), Some(pattern), "{access}: {:?}", report.ports);
                    assert_eq!(report.hairpin, hairpin(&access, on), "{access}");
                    assert_eq!(report.fragments, Ok(true), "{access}");
                    assert_eq!(report.lifetime, Err(Unknown::NotMeasured));
                    assert!(end.as_millis() < 5000, "{access}: {} ms", end.as_millis());
                }
            }
        }
    }
}

#[test]
fn every_preset_is_named() {
    let [ei, _, apd] = MAPPINGS.map(|(_, mapping)| mapping);
    let [to_all, to_addresses, to_ports] = FILTERINGS.map(|(_, filtering)| filtering);
    let [preserved, sequential, random] = PORTS.map(|(_, pattern)| pattern);
    for (access, mapping, filtering, pattern) in [
        ("open", Mapping::None, to_all, preserved),
        ("full-cone", ei, to_all, preserved),
        ("address-restricted", ei, to_addresses, preserved),
        ("port-restricted", ei, to_ports, preserved),
        ("symmetric", apd, to_ports, random),
        ("symmetric-sequential", apd, to_ports, sequential),
        ("double", ei, to_all, preserved),
        ("symmetric-then-cone", apd, to_ports, random),
    ] {
        let (report, _) = discover(7, access, Server::Full, config());
        assert_eq!(report.mapping, Ok(mapping), "{access}");
        assert_eq!(report.filtering, Ok(filtering), "{access}");
        assert_eq!(ports(&report), Some(pattern), "{access}");
        assert_eq!(report.local == report.mapped, mapping == Mapping::None, "{access}");
        let hairpin = match (mapping, filtering) {
            (Mapping::None, _) => Err(Unknown::NoNat),
            (Mapping::EndpointIndependent, _) => Ok(false),
            _ => Err(Unknown::Hidden),
        };
        assert_eq!(report.hairpin, hairpin, "{access}");
    }
    let presets = netsim::Preset::ALL.len();
    assert_eq!(presets, 9, "a preset more, or less, than this test knows");
}

#[test]
fn without_udp_nothing_is_known_soon() {
    let (report, end) = discover(1, "udp-blocked", Server::Full, config());
    assert_eq!((report.mapped, report.mapping), (None, Err(Unknown::NoAnswer)));
    assert_eq!(report.filtering, Err(Unknown::NoAnswer));
    assert!(end.as_millis() <= 5000, "{} ms", end.as_millis());
}

#[test]
fn lost_packets_change_nothing() {
    for seed in 0..60 {
        let (mapping, is_mapping) = MAPPINGS[seed as usize % 3];
        let (filtering, is_filtering) = FILTERINGS[seed as usize / 3 % 3];
        let (choice, pattern) = PORTS[seed as usize / 9 % 3];
        let access = format!("mapping={mapping},filtering={filtering},ports={choice},hairpin=on");
        let (report, end) = Lab::new(seed, &access, Server::Full, config(), 0.05).run();
        assert_eq!(report.mapping, Ok(is_mapping), "{seed} {access}");
        assert_eq!(report.filtering, Ok(is_filtering), "{seed} {access}");
        assert_eq!(report.hairpin, hairpin(&access, true), "{seed} {access}");
        let alike = ports(&report).map(|found| found.to_string() == pattern.to_string());
        assert_eq!(alike, Some(true), "{seed} {access} {:?}", report.ports);
        assert!(end.as_millis() < 9000, "{access}: {} ms", end.as_millis());
    }
}

#[test]
fn what_a_server_cannot_show_is_unknown() {
    for (server, access, mapping, filtering, fragments) in [
        (
            Server::Plain,
            "symmetric",
            Err(Unknown::NoOtherAddress),
            Err(Unknown::NoOtherAddress),
            Err(Unknown::Unsupported),
        ),
        (
            Server::Plain,
            "open",
            Ok(Mapping::None),
            Err(Unknown::NoOtherAddress),
            Err(Unknown::Unsupported),
        ),
        (
            Server::OtherSilent,
            "port-restricted",
            Err(Unknown::OtherAddressSilent),
            Err(Unknown::OtherAddressSilent),
            Ok(true),
        ),
        (
            Server::Stubborn,
            "port-restricted",
            Ok(Mapping::EndpointIndependent),
            Err(Unknown::Unsupported),
            Ok(true),
        ),
        (
            Server::Misleading,
            "full-cone",
            Err(Unknown::NoOtherAddress),
            Err(Unknown::NoOtherAddress),
            Ok(true),
        ),
    ] {
        let (report, _) = discover(3, access, server, config());
        assert_eq!(report.mapping, mapping, "{server:?}");
        assert_eq!(report.filtering, filtering, "{server:?}");
        assert_eq!(report.fragments, fragments, "{server:?}");
        assert!(report.ports.is_ok() && report.mapped.is_some(), "{server:?}");
    }
    // Without the mapping one cannot tell why nothing came back.
    let (report, _) = discover(3, "port-restricted", Server::Plain, config());
    assert_eq!(report.hairpin, Err(Unknown::Hidden));
    let on = "mapping=ei,filtering=ad,hairpin=on";
    assert_eq!(discover(3, on, Server::Plain, config()).0.hairpin, Ok(true));
}

#[test]
fn a_server_of_rfc_3489_is_enough() {
    let classic = Config { classic: true, ..config() };
    for (access, mapping, filtering) in [
        ("address-restricted", MAPPINGS[0].1, FILTERINGS[1].1),
        ("symmetric", MAPPINGS[2].1, FILTERINGS[2].1),
    ] {
        let (report, _) = discover(5, access, Server::Full, classic.clone());
        assert_eq!((report.mapping, report.filtering), (Ok(mapping), Ok(filtering)));
        assert_eq!(report.fragments, Err(Unknown::Unsupported));
    }
}

#[test]
fn lifetimes_are_found() {
    let most = Duration::from_secs(400);
    let config = Config { lifetime: Some(most), ..config() };
    for access in ["port-restricted", "symmetric", "full-cone"] {
        for secs in [3, 12, 30, 61, 120, 300] {
            let access: Access = access.parse().unwrap();
            let [nat] = &access.nats()[..] else { panic!("one NAT") };
            let access = nat.clone().lifetime(Duration::from_secs(secs)).to_string();
            let (report, end) = discover(secs, &access, Server::Full, config.clone());
            let Ok(Lifetime { at_least, below: Some(below) }) = report.lifetime else {
                panic!("{access}: {:?}", report.lifetime);
            };
            let real = Duration::from_secs(secs);
            // A mapping is as old as the way of a packet when it is woken.
            assert!(at_least <= real && real <= below + Duration::from_millis(100), "{access}");
            assert!(
                below - at_least <= (real / 8).max(Duration::from_secs(1)),
                "{access}: {report:?}"
            );
            assert!(end.as_millis() < 1000 * (4 * secs + 30), "{access}: {end:?}");
        }
    }
    let access = "mapping=ei,filtering=apd,lifetime=1h";
    let (report, _) = discover(1, access, Server::Full, config.clone());
    assert_eq!(report.lifetime, Ok(Lifetime { at_least: most, below: None }));
    let (report, _) = discover(1, "port-restricted", Server::Plain, config);
    assert_eq!(report.lifetime, Err(Unknown::Unsupported));
}

#[test]
fn a_path_that_takes_no_fragments_is_found() {
    let (report, _) = Lab::new(1, "full-cone", Server::Full, config(), 0.0).narrow().run();
    assert_eq!(report.fragments, Ok(false));
    assert_eq!(report.mapping, Ok(Mapping::EndpointIndependent));
}

#[test]
fn progress_is_told() {
    let mut lab = Lab::new(1, "mapping=apd,filtering=ei,hairpin=on", Server::Full, config(), 0.0);
    lab.finish();
    let learned = &lab.learned;
    assert!(matches!(learned[0], Property::Reached { .. }), "{learned:?}");
    for property in [
        Property::Mapping(Ok(Mapping::AddressAndPortDependent)),
        Property::Filtering(Ok(Filtering::EndpointIndependent)),
        Property::Hairpin(Ok(true)),
        Property::Fragments(Ok(true)),
    ] {
        assert_eq!(learned.iter().filter(|one| **one == property).count(), 1, "{learned:?}");
    }
}

#[test]
fn it_ends_when_it_is_told_to() {
    let mut discovery = Discovery::new(config(), Ids::new(1), Entropy::seeded(1));
    discovery.stop();
    discovery.stop();
    assert_eq!(discovery.report().mapping, Err(Unknown::NotMeasured));
}
