//! Gateways that mean no good: a clear refusal, soon, and nobody else is called on.

use std::net::IpAddr;
use std::time::Duration;

use gateway::{Behaviour, Page, Upnp};
use machine::Endpoint;
use portmap::{Error, Event, Refusal};

use crate::home::{Home, OUTSIDE, STRANGER};

/// The most that any of them may cost.
const PACKETS: u64 = 2_000;

/// Asks for a mapping, which must fail; with why, and what was refused on the way.
fn fails(seed: u64, behaviour: &Behaviour) -> (Error, Vec<Refusal>) {
    let mut home = Home::new(seed, behaviour, 0.0);
    let id = home.map();
    let outcome = home.outcome(id, 120);
    let Some(Err(error)) = outcome else {
        panic!("{behaviour:?}: {outcome:?} {:?}", home.events);
    };
    // What takes its time is refused when its time is over.
    home.run(Duration::from_secs(20));
    let refused = home.events.iter().filter_map(|(_, event)| match event {
        Event::Refused { why, .. } => Some(why.clone()),
        _ => None,
    });
    let refused: Vec<Refusal> = refused.collect();
    assert!(!error.to_string().is_empty());
    assert!(!home.visited, "{behaviour:?} led to the stranger");
    // Afterwards there is peace, also when everything is closed.
    home.client(portmap::Client::close);
    let closed = |event: &Event| matches!(event, Event::Closed).then_some(());
    assert!(home.wait(Duration::from_secs(3), closed).is_some(), "{behaviour:?}");
    home.run(Duration::from_mins(5));
    let stats = home.world.stats();
    assert!(stats.packets < PACKETS, "{behaviour:?}: {stats:?}");
    assert!(!home.visited, "{behaviour:?} led to the stranger");
    (error, refused)
}

fn pages() -> Vec<Page> {
    let redirect = Page::Redirect(format!("http://{STRANGER}/description.xml"));
    vec![
        Page::Empty,
        Page::Huge,
        Page::Short,
        Page::Long,
        Page::Endless,
        Page::Drip,
        Page::Silent,
        Page::Bomb,
        Page::Deep,
        Page::Garbage,
        redirect,
    ]
}

#[test]
fn a_bad_description_is_refused() {
    for version in [1, 2] {
        for description in pages() {
            for seed in 1..=3 {
                let upnp = Upnp { description: description.clone(), ..Upnp::version(version) };
                let (error, refused) = fails(seed, &Behaviour::only(upnp));
                assert_eq!(error, Error::NoGateway, "{description:?}");
                let named = refused.iter().any(|why| matches!(why, Refusal::Upnp(_)));
                assert!(named, "{description:?}: {refused:?}");
            }
        }
    }
}

#[test]
fn a_bad_answer_to_an_action_is_refused() {
    for version in [1, 2] {
        for control in pages() {
            let upnp = Upnp { control: control.clone(), ..Upnp::version(version) };
            fails(1, &Behaviour::only(upnp));
        }
    }
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    for elsewhere in [
        format!("http://{STRANGER}/description.xml"),
        format!("http://{STRANGER}:5000/description.xml"),
        format!("http://10.0.0.1@{STRANGER}/"),
        "https://10.0.0.1/description.xml".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://127.0.0.1:5000/description.xml".to_owned(),
        "http://stranger.example/description.xml".to_owned(),
    ] {
        let location = Some(elsewhere.clone());
        let upnp = Upnp { location, ..Upnp::version(1) };
        let (error, refused) = fails(1, &Behaviour::only(upnp));
        assert_eq!(error, Error::NoGateway, "{elsewhere}");
        assert!(!refused.is_empty(), "{elsewhere}");
    }
    let control_url = Some(format!("http://{STRANGER}/control"));
    fails(1, &Behaviour::only(Upnp { control_url, ..Upnp::version(1) }));
}

/// The gateway's address outside is not on the link, and not whom anybody asked.
#[test]
fn answers_from_another_address_are_not_listened_to() {
    let answers_from = Some(OUTSIDE.parse::<IpAddr>().unwrap());
    for behaviour in [
        Behaviour::all(),
        Behaviour::pcp(),
        Behaviour::nat_pmp(),
        Behaviour::upnp(1),
        Behaviour::upnp(2),
    ] {
        for seed in 1..=3 {
            let upnp = behaviour.upnp.clone();
            let behaviour = Behaviour { answers_from, ..behaviour.clone() };
            let (error, refused) = fails(seed, &behaviour);
            assert_eq!(error, Error::NoGateway, "{behaviour:?}");
            assert!(!refused.is_empty() || upnp.is_none(), "{behaviour:?}: {refused:?}");
        }
    }
}

#[test]
fn a_mapping_that_leads_nowhere_is_refused() {
    for leads_to in ["127.0.0.1:4000", "224.0.0.9:4000", "10.0.0.5:0", "255.255.255.255:9"] {
        let leads_to: Option<Endpoint> = Some(leads_to.parse().unwrap());
        for behaviour in [Behaviour::pcp(), Behaviour::nat_pmp()] {
            let (error, refused) = fails(1, &Behaviour { leads_to, ..behaviour });
            assert!(!matches!(error, Error::NoAnswer(_)), "{leads_to:?}: {error:?} {refused:?}");
        }
    }
    // By UPnP it can be seen to lead to somebody else.
    let leads_to: Option<Endpoint> = Some("10.0.0.66:4000".parse().unwrap());
    for version in [1, 2] {
        fails(1, &Behaviour { leads_to, ..Behaviour::upnp(version) });
    }
}

#[test]
fn a_refusal_keeps_its_number() {
    for code in [402, 501, 606, 728] {
        let upnp = Upnp { refuses: Some(code), ..Upnp::version(1) };
        let (error, _) = fails(1, &Behaviour::only(upnp));
        assert!(error.to_string().contains(&code.to_string()), "{code}: {error}");
    }
    for service in [gateway::Service::NoMap, gateway::Service::Forbidden] {
        for behaviour in [
            Behaviour { pcp: service, ..Behaviour::pcp() },
            Behaviour { nat_pmp: service, ..Behaviour::nat_pmp() },
        ] {
            let (error, _) = fails(1, &behaviour);
            assert!(matches!(error, Error::Refused { .. }), "{behaviour:?}: {error:?}");
        }
    }
}

#[test]
fn where_nobody_answers_the_search_ends() {
    for seed in 1..=5 {
        assert_eq!(fails(seed, &Behaviour::none()).0, Error::NoGateway);
    }
}
