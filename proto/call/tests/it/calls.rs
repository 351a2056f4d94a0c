//! Calls from the first offer to the last report.

use std::time::Duration;

use call::call::Error;
use call::media::Source;
use call::{Capabilities, Codec, Config, State, negotiate};
use connect::IceMode;

use crate::network::{Network, Side};

const SECOND: Duration = Duration::from_secs(1);

/// A sound that can be told from itself at any other time.
fn sound(count: i32) -> Vec<i16> {
    (0..count).map(|n| ((n * n / 7) % 20_000 - 10_000) as i16).collect()
}

fn config(ice: IceMode) -> Config {
    Config { ice, source: Source::once(sound(16_000)), ..Config::default() }
}

fn close(heard: &[i16], sent: &[i16]) -> bool {
    heard.len() >= sent.len() && heard.iter().zip(sent).all(|(a, b)| a.abs_diff(*b) <= 600)
}

/// A call from the first side to the second, three seconds long.
fn call(configs: [Config; 2]) -> Network {
    let mut network = Network::new(configs);
    network.dial();
    network.run(4 * SECOND);
    for side in &network.sides {
        assert_eq!(side.states.last(), Some(&State::Established), "{:?}", side.errors);
        assert!(close(&side.heard, &sound(16_000)), "all is heard");
        assert_eq!(side.source_ended, 1);
        assert!(!side.no_path);
    }
    for side in 0..2 {
        network.verb(side, |call, now, connect| call.end(now, connect));
    }
    network
}

#[test]
fn a_call_with_ice() {
    let network = call([config(IceMode::On), config(IceMode::On)]);
    let [alice, bob] = &network.sides;
    use State::{Answered, Connecting, Ended, Established, Offering, Ringing};
    assert_eq!(alice.states, [Offering, Connecting, Established, Ended]);
    assert_eq!(bob.states, [Ringing, Answered, Connecting, Established, Ended]);
    let [ours, theirs] = [alice, bob].map(|side| side.paths.get(&1).unwrap());
    assert_eq!((ours.local, ours.remote), (theirs.remote, theirs.local));
    for side in [alice, bob] {
        let stats = side.stats.unwrap();
        assert_eq!((stats.lost, stats.late), (0, 0));
        assert!(stats.mos().unwrap() > 4.3, "{stats:?}");
    }
}

#[test]
fn a_call_that_trickles() {
    // The one server is silent: who tells all at once waits for it, one after the other; who trickles
    // does not.
    let silent: Vec<machine::Endpoint> = vec!["192.0.2.99:3478".parse().unwrap()];
    for (trickle, least, most) in [(false, 4 * SECOND, 5 * SECOND), (true, SECOND / 100, SECOND)] {
        let one = Config { trickle, stun_servers: silent.clone(), ..config(IceMode::On) };
        let mut network = Network::new([one.clone(), one]);
        network.dial();
        let start = network.now.mono;
        while network.sides[0].paths.is_empty() {
            network.run(Duration::from_millis(10));
            assert!(network.now.mono - start < 9 * SECOND);
        }
        let took = network.now.mono - start;
        assert!((least..most).contains(&took), "{trickle} {took:?}");
        network.run(15 * SECOND);
        for side in &network.sides {
            assert_eq!(side.states.last(), Some(&State::Established), "{:?}", side.errors);
            assert_eq!(side.trickled, usize::from(trickle), "the end is told, once");
            assert!(close(&side.heard, &sound(16_000)));
        }
    }
}

#[test]
fn candidates_of_the_other_side_have_a_limit() {
    let mut network = Network::new([config(IceMode::On), config(IceMode::On)]);
    network.sides[1].answer_after = 10 * SECOND;
    network.dial();
    network.run(5 * SECOND);
    let many: Vec<_> = (0..1000)
        .map(|n| {
            let at = machine::Endpoint::new([203, 0, 113, 1], 1000 + n);
            let kind = connect::CandidateKind::Host;
            connect::Candidate::signalled(kind, 1, &n.to_string(), u32::from(n), at)
        })
        .collect();
    network.verb(1, |call, now, connect| {
        call.add_candidates(now, connect, 0, &many, false);
        call.add_candidates(now, connect, 7, &many, false);
        call.add_candidates(now, connect, 0, &many, true);
    });
    network.run(10 * SECOND);
    let side = &network.sides[1];
    assert_eq!(side.states.last(), Some(&State::Established), "{:?}", side.errors);
    let explanation = side.connect.explain(side.call.as_ref().unwrap().session()).unwrap();
    assert!(explanation.remote.len() <= call::defaults::MAX_CANDIDATES);
}

#[test]
fn without_ice_on_either_or_both_sides() {
    use IceMode::{Off, On};
    for [a, b] in [[Off, Off], [On, Off], [Off, On]] {
        call([config(a), config(b)]);
    }
}

#[test]
fn media_that_come_before_the_answer_are_heard() {
    let mut network = Network::new([config(IceMode::Off), config(IceMode::Off)]);
    network.signal_delay = SECOND / 2;
    network.dial();
    network.run(5 * SECOND);
    assert!(close(&network.sides[0].heard, &sound(16_000)));
    assert!(close(&network.sides[1].heard, &sound(16_000)));
}

#[test]
fn rtcp_on_a_port_of_its_own() {
    let apart = Capabilities { rtcp_mux: false, ..Capabilities::default() };
    for ice in [IceMode::On, IceMode::Off] {
        let mut configs = [config(ice), config(ice)];
        configs[1].capabilities = apart.clone();
        configs.iter_mut().for_each(|config| config.source = Source::looped(sound(16_000)));
        let mut network = Network::new(configs);
        network.dial();
        network.run(15 * SECOND);
        for side in &network.sides {
            let call = side.call.as_ref().unwrap();
            assert!(!call.agreed().unwrap().rtcp_mux);
            let rtt = call.stats().round_trip.expect("reports came through");
            assert!((39..=42).contains(&rtt.as_millis()), "{rtt:?}");
        }
    }
}

#[test]
fn it_rings_as_long_as_it_takes() {
    let mut network = Network::new([config(IceMode::On), config(IceMode::On)]);
    network.sides[1].answer_after = 30 * SECOND;
    network.dial();
    network.run(SECOND);
    network.verb(0, |call, _, _| call.ringing());
    network.run(20 * SECOND);
    assert_eq!(network.sides.each_ref().map(|s| *s.states.last().unwrap()), [State::Ringing; 2]);
    network.run(15 * SECOND);
    for side in &network.sides {
        assert_eq!(side.states.last(), Some(&State::Established));
        assert!(close(&side.heard, &sound(16_000)));
    }
}

#[test]
fn hold_and_back() {
    let mut configs = [config(IceMode::On), config(IceMode::On)];
    configs.iter_mut().for_each(|config| config.source = Source::looped(sound(16_000)));
    let mut network = Network::new(configs);
    network.dial();
    network.run(3 * SECOND);
    network.verb(1, |call, _, connect| call.hold(connect, true)).unwrap();
    network.run(SECOND);
    let sent =
        |network: &Network, side: usize| network.sides[side].call.as_ref().unwrap().stats().sent;
    let held = sent(&network, 0);
    let holding = sent(&network, 1);
    network.run(SECOND);
    assert_eq!(sent(&network, 0), held, "who is held is silent");
    assert_eq!(sent(&network, 1), holding + 50);
    network.verb(1, |call, _, connect| call.hold(connect, false)).unwrap();
    network.run(2 * SECOND);
    assert!(sent(&network, 0) > held + 90);
    let stats = network.sides[0].call.as_ref().unwrap().stats();
    assert_eq!((stats.lost, stats.late), (0, 0), "the path stayed");
}

#[test]
fn a_restart_keeps_the_sound() {
    for side in 0..2 {
        let mut configs = [config(IceMode::On), config(IceMode::On)];
        configs.iter_mut().for_each(|config| config.source = Source::looped(sound(16_000)));
        let mut network = Network::new(configs);
        network.dial();
        network.run(3 * SECOND);
        let ufrag = |network: &Network, side: usize| {
            let side: &Side = &network.sides[side];
            let local = side.connect.local(side.call.as_ref().unwrap().session()).unwrap();
            local.credentials.unwrap().ufrag
        };
        let before = [ufrag(&network, 0), ufrag(&network, 1)];
        let paths = network.sides.each_ref().map(|side| side.told_paths);
        network.verb(side, |call, now, connect| call.restart(now, connect)).unwrap();
        network.run(5 * SECOND);
        for side in 0..2 {
            assert_ne!(ufrag(&network, side), before[side]);
            assert_eq!(network.sides[side].told_paths, paths[side] + 1, "a path again");
            let stats = network.sides[side].call.as_ref().unwrap().stats();
            assert_eq!((stats.lost, stats.late), (0, 0));
        }
    }
}

#[test]
fn nothing_in_common_and_verbs_out_of_place() {
    let mut configs = [config(IceMode::On), config(IceMode::On)];
    configs[0].capabilities.codecs = vec![Codec::pcma()];
    configs[1].capabilities.codecs = vec![Codec::pcmu(), Codec::telephone_event(101)];
    let mut network = Network::new(configs);
    network.dial();
    let refused = network.verb(0, |call, now, connect| call.answer(now, connect));
    assert_eq!(refused, Err(Error::State(State::Offering)));
    let refused = network.verb(0, |call, _, connect| call.hold(connect, true));
    assert_eq!(refused, Err(Error::State(State::Offering)));
    network.run(5 * SECOND);
    assert!(network.sides[1].call.is_none());
    assert_eq!(network.sides[1].errors, [negotiate::Error::NothingInCommon.into()]);
    network.verb(0, |call, now, connect| call.end(now, connect));
    assert_eq!(network.sides[0].states.last(), Some(&State::Ended));
    network.verb(0, |call, now, connect| call.end(now, connect));
    assert!(network.sides[0].stats.is_none(), "nothing was agreed, nothing is told");
}

#[test]
fn no_path_is_told() {
    let mut network = Network::new([config(IceMode::On), config(IceMode::On)]);
    network.cut = true;
    network.dial();
    network.run(120 * SECOND);
    for side in &network.sides {
        assert!(side.no_path);
        assert_eq!(side.states.last(), Some(&State::Connecting));
    }
}

#[test]
fn the_same_seed_gives_the_same_call() {
    let run = || {
        let network = call([config(IceMode::On), config(IceMode::On)]);
        network.sides.map(|side| (side.heard, side.paths, side.stats.unwrap()))
    };
    assert_eq!(run(), run());
}

/// What a session says whose path was lost, as with a relay that is gone: the call looks for another,
/// once, and goes on.
#[test]
fn a_path_that_is_lost_is_looked_for_anew() {
    let mut network = Network::new([config(IceMode::On), config(IceMode::On)]);
    network.dial();
    network.run(2 * SECOND);
    let lose = |network: &mut Network| {
        network.verb(0, |call, now, connect| {
            let session = call.session();
            let explanation = Box::new(connect.explain(session).unwrap());
            let lost = connect::Event::Failed { session, explanation };
            call.handle_connect(now, connect, lost);
        });
    };
    for _ in 0..2 {
        let told = network.sides[0].told_paths;
        lose(&mut network);
        network.run(2 * SECOND);
        let [alice, bob] = &network.sides;
        assert!(alice.told_paths > told && !alice.no_path && !bob.no_path);
    }
    // What is lost again before it was found is lost.
    network.cut = true;
    lose(&mut network);
    assert!(!network.sides[0].no_path);
    lose(&mut network);
    assert!(network.sides[0].no_path);
}
