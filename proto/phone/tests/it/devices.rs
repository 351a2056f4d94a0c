//! One account on several devices, each of which takes what comes by itself.

use std::time::Duration;

use phone::{By, CallId, EndKind, EndReason, Event, JingleEnd, Source, defaults};
use wayleave_phone as phone;
use xmpp::jingle::{Action, Initiation};

use crate::intruders::{initiate, propose, said, steps, submit};
use crate::lab::{Handset, Lab, MS, SEC, ended, heard};

const BOB: &str = "xmpp:bob@example.org";

/// A phone that answers one call at a time, and what it told.
struct Automat {
    handset: Handset,
    busy: Option<CallId>,
    told: Vec<Event>,
}

impl Automat {
    fn new(lab: &mut Lab, n: u8, user: &str) -> Self {
        let handset = lab.phone(n, Lab::config_xmpp(user));
        lab.register(handset);
        Self { handset, busy: None, told: Vec::new() }
    }

    fn serve(&mut self, lab: &mut Lab) {
        for event in lab.take(self.handset) {
            match &event {
                Event::Incoming { call, .. } => {
                    let (call, idle) = (*call, self.busy.is_none());
                    lab.on(self.handset, |phone, now| match idle {
                        true => phone.answer(now, call, Source::looped(vec![9000; 80])),
                        false => phone.reject(now, call, true),
                    });
                    self.busy = self.busy.or(Some(call));
                }
                Event::Ended { call, .. } if self.busy == Some(*call) => self.busy = None,
                _ => {}
            }
            self.told.push(event);
        }
    }

    fn count(&self, name: &str) -> usize {
        self.told.iter().filter(|event| format!("{event:?}").starts_with(name)).count()
    }
}

/// Lets them do so for a while.
fn serve(lab: &mut Lab, automats: &mut [Automat], duration: Duration) {
    for _ in 0..duration.as_millis() {
        lab.run(MS);
        automats.iter_mut().for_each(|automat| automat.serve(lab));
    }
}

/// Two devices answer at once, short calls in a row: the caller always talks to one of them, and the
/// other is free for the next call.
#[test]
fn who_loses_a_call_is_free_for_the_next() {
    for (seed, friends) in [(1, false), (2, false), (3, true)] {
        let mut lab = Lab::new(seed);
        if friends {
            lab.accounts.befriend("alice", "bob");
        }
        let alice = lab.phone(1, Lab::config_xmpp("alice"));
        lab.register(alice);
        let mut bobs = [(2, "bob"), (3, "bob")].map(|(n, user)| Automat::new(&mut lab, n, user));
        serve(&mut lab, &mut bobs, SEC);
        for round in 0..5 {
            let call = lab.call(alice, BOB);
            serve(&mut lab, &mut bobs, MS * 700);
            assert!(heard(&lab.take(alice)) > 5, "{friends} {round}: one of them talks");
            lab.on(alice, |phone, now| phone.hang_up(now, call));
            serve(&mut lab, &mut bobs, MS * 300);
            assert_eq!(ended(&lab.take(alice)).unwrap().0.kind(), EndKind::HungUp);
            for bob in &bobs {
                assert_eq!(bob.busy, None, "{friends} {round}");
                assert_eq!(bob.count("Incoming"), bob.count("Ended"), "every end is told");
                assert_eq!(lab.on(bob.handset, |phone, _| phone.calls().count()), 0);
            }
        }
        let rang: usize = bobs.iter().map(|bob| bob.count("Incoming")).sum();
        assert_eq!(rang, if friends { 5 } else { 10 });
    }
}

/// One that is busy leaves the call to the other.
#[test]
fn who_is_busy_speaks_for_itself_alone() {
    let mut lab = Lab::new(4);
    lab.accounts.add("carol", "carol");
    let [alice, carol] = [(1, "alice"), (4, "carol")].map(|(n, user)| {
        let handset = lab.phone(n, Lab::config_xmpp(user));
        lab.register(handset);
        handset
    });
    let mut bobs = [(2, "bob"), (3, "bob")].map(|(n, user)| Automat::new(&mut lab, n, user));
    serve(&mut lab, &mut bobs, SEC);
    lab.call(alice, BOB);
    serve(&mut lab, &mut bobs, SEC);
    assert_eq!(bobs.iter().filter(|bob| bob.busy.is_some()).count(), 1);
    lab.call(carol, BOB);
    serve(&mut lab, &mut bobs, SEC * 2);
    assert!(heard(&lab.take(carol)) > 40);
    assert!(heard(&lab.take(alice)) > 80, "and the first call goes on");
    assert!(bobs.iter().all(|bob| bob.busy.is_some()));
}

/// The caller gives up at whatever moment: both sides learn that it is over.
#[test]
fn a_call_is_taken_back_while_it_is_taken() {
    for friends in [true, false] {
        for wait in (0..60).step_by(5) {
            let mut lab = Lab::new(5);
            if friends {
                lab.accounts.befriend("alice", "bob");
            }
            let alice = lab.phone(1, Lab::config_xmpp("alice"));
            lab.register(alice);
            let mut bobs = [Automat::new(&mut lab, 2, "bob")];
            serve(&mut lab, &mut bobs, SEC);
            let call = lab.call(alice, BOB);
            serve(&mut lab, &mut bobs, MS * wait);
            lab.on(alice, |phone, now| phone.hang_up(now, call));
            serve(&mut lab, &mut bobs, SEC);
            assert!(ended(&lab.take(alice)).is_some());
            let [bob] = &bobs;
            assert_eq!((bob.busy, bob.count("Incoming")), (None, bob.count("Ended")), "{wait}");
            assert_eq!(lab.on(bob.handset, |phone, _| phone.calls().count()), 0);
        }
    }
}

/// A caller's program that takes nothing back: the loser gives up soon, since it knows of its rival.
#[test]
fn a_rival_is_waited_for_no_longer_than_a_moment() {
    let mut lab = Lab::new(6);
    lab.accounts.add("mallory", "mallory");
    let mut bobs = [(2, "bob"), (3, "bob")].map(|(n, user)| Automat::new(&mut lab, n, user));
    let mallory = lab.client(4, "mallory");
    submit(&mut lab, mallory, &propose("p", "audio"));
    serve(&mut lab, &mut bobs, SEC);
    let proceeds: Vec<_> = said(&mut lab, mallory)
        .into_iter()
        .filter_map(|(from, said)| matches!(said, Initiation::Proceed { .. }).then_some(from))
        .collect();
    assert_eq!(proceeds.len(), 2, "both go on");
    let (to, step) = (proceeds[0].clone(), initiate("p"));
    lab.on_client(mallory, |client, now| client.request(now, to.clone(), step.clone(), true))
        .unwrap();
    serve(&mut lab, &mut bobs, SEC);
    let accepts = steps(&mut lab, mallory);
    assert!(accepts.iter().any(|step| step.action == Action::SessionAccept), "{accepts:?}");
    serve(&mut lab, &mut bobs, defaults::CONTEST_LIMIT);
    let over: Vec<_> = bobs.iter().filter_map(|bob| ended(&bob.told)).collect();
    assert_eq!(over, [(EndReason::Jingle(JingleEnd::Elsewhere), By::Us)]);
}
