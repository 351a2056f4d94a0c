use std::convert::Infallible;
use std::time::Duration;

use machine::{Entropy, Ids, Input, Instant, Now, Output, Transport};

use super::route::take;
use super::{Fork, Proxy};
use crate::message::Request;
use crate::method::Method;
use crate::stack::{Config, Event, Stack, Target, TransactionId};
use crate::status::Status;
use crate::testing::{Net, Part};
use crate::{defaults, validate};

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);

/// A stack; in the middle also a proxy that forwards everything to the same places.
struct Node {
    stack: Stack,
    proxy: Option<(Proxy, Vec<&'static str>)>,
}

impl Node {
    fn pump(&mut self, now: Now) {
        let Self { stack, proxy: Some((proxy, places)) } = self else { return };
        while let Some(event) = stack.poll_event() {
            match event {
                Event::Request { transaction, flow, request } => {
                    let fork = |place: &&str| Fork {
                        uri: format!("sip:bob@{place}").parse().unwrap(),
                        target: Target::Uri,
                    };
                    let forks = places.iter().map(fork).collect();
                    proxy.forward(now, stack, transaction, flow, request, forks);
                }
                Event::Response { transaction, response, .. } => {
                    assert!(proxy.response(now, stack, transaction, &response));
                }
                Event::TimedOut { transaction } => {
                    assert!(proxy.timed_out(now, stack, transaction));
                }
                Event::Failed { transaction, failure } => {
                    assert!(proxy.failed(now, stack, transaction, failure));
                }
                Event::Cancelled { transaction } => {
                    assert!(proxy.cancelled(now, stack, transaction));
                }
                Event::ServerEnded { transaction, .. } => {
                    proxy.server_ended(transaction);
                }
                _ => {}
            }
        }
    }
}

impl Part for Node {
    fn input(&mut self, now: Now, input: &Input<'_, ()>) {
        self.stack.handle_input(now, input);
        self.pump(now);
    }
    fn timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        if let Some((proxy, _)) = &mut self.proxy {
            proxy.handle_timeout(now, &mut self.stack);
        }
        self.pump(now);
    }
    fn output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Infallible, Infallible>> {
        self.stack.poll_output(buf)
    }
    fn due(&self) -> Option<Instant> {
        let proxy = self.proxy.as_ref().and_then(|(proxy, _)| proxy.poll_timeout());
        self.stack.poll_timeout().into_iter().chain(proxy).min()
    }
}

fn stack(seed: u64) -> Stack {
    let mut stack = Stack::new(Config::default(), Ids::new(1), Entropy::seeded(seed));
    stack.listen(Transport::Udp, "0.0.0.0:5060".parse().unwrap());
    stack
}

/// Alice (0), the proxy (1) and two phones of Bob's (2, 3).
fn net(places: &[&'static str]) -> Net<Node> {
    let node = |seed| Node { stack: stack(seed), proxy: None };
    let middle = Node { stack: stack(9), proxy: Some((Proxy::new(), places.to_vec())) };
    let mut net = Net::new([
        ("10.0.0.1", node(1)),
        ("10.0.0.9", middle),
        ("10.0.0.2", node(2)),
        ("10.0.0.3", node(3)),
    ]);
    net.run(MS);
    net
}

fn request(method: Method) -> Request {
    let from = "<sip:alice@test>;tag=a".parse().unwrap();
    let to = "<sip:bob@test>".parse().unwrap();
    let uri = "sip:bob@test".parse().unwrap();
    Request::with_essentials(method, uri, &from, &to, "c1", 1)
}

fn send(net: &mut Net<Node>, method: Method) -> TransactionId {
    let (transport, remote) = (Transport::Udp, "10.0.0.9:5060".parse().unwrap());
    let target = Target::Address { transport, remote };
    let id = net.on(0, |node, now| node.stack.send_request(now, request(method), target.clone()));
    net.run(100 * MS);
    id
}

fn received(net: &mut Net<Node>, index: usize) -> (TransactionId, Request) {
    while let Some(event) = net.on(index, |node, _| node.stack.poll_event()) {
        if let Event::Request { transaction, request, .. } = event {
            return (transaction, request);
        }
    }
    panic!("no request: {:#?}", net.log);
}

fn respond(net: &mut Net<Node>, index: usize, to: &(TransactionId, Request), status: Status) {
    let mut response = to.1.response(status);
    response.set_to_tag(&format!("b{index}"));
    net.on(index, |node, now| node.stack.respond(now, to.0, &response));
    net.run(100 * MS);
}

fn statuses(net: &mut Net<Node>) -> Vec<u16> {
    let mut seen = Vec::new();
    while let Some(event) = net.on(0, |node, _| node.stack.poll_event()) {
        match event {
            Event::Response { response, .. } => {
                assert!(validate::has_one_via(&response));
                seen.push(response.status.code());
            }
            Event::TimedOut { .. } => seen.push(0),
            _ => {}
        }
    }
    seen
}

fn assert_forgotten(net: &mut Net<Node>) {
    net.run(SEC * 80);
    let Node { stack, proxy: Some((proxy, _)) } = &net.nodes[1].part else { panic!() };
    assert!(proxy.owners.is_empty() && proxy.contexts.is_empty() && proxy.timers.is_empty());
    assert_eq!((stack.stats().clients, stack.stats().servers), (0, 0));
}

#[test]
fn a_request_and_every_2xx_pass() {
    let mut net = net(&["10.0.0.2"]);
    send(&mut net, Method::Invite);
    let invite = received(&mut net, 2);
    assert_eq!(invite.1.headers.max_forwards().unwrap().unwrap().0, 69);
    assert_eq!(invite.1.headers.list("Via").count(), 2);
    assert_eq!(invite.1.headers.list("Record-Route").count(), 2);
    respond(&mut net, 2, &invite, Status::RINGING);
    respond(&mut net, 2, &invite, Status::OK);
    respond(&mut net, 2, &invite, Status::OK);
    assert_eq!(statuses(&mut net), [180, 200, 200]);
    assert_forgotten(&mut net);
}

#[test]
fn the_first_2xx_cancels_the_others() {
    let mut net = net(&["10.0.0.2", "10.0.0.3"]);
    send(&mut net, Method::Invite);
    let (first, second) = (received(&mut net, 2), received(&mut net, 3));
    respond(&mut net, 3, &second, Status::RINGING);
    respond(&mut net, 2, &first, Status::OK);
    net.run(100 * MS);
    assert_eq!(net.count("10.0.0.9 > 10.0.0.3 CANCEL"), 1);
    respond(&mut net, 3, &second, Status::REQUEST_TERMINATED);
    assert_eq!(statuses(&mut net), [180, 200]);
    assert_forgotten(&mut net);
}

#[test]
fn a_6xx_waits_for_the_others_and_wins() {
    let mut net = net(&["10.0.0.2", "10.0.0.3"]);
    send(&mut net, Method::Invite);
    let (first, second) = (received(&mut net, 2), received(&mut net, 3));
    respond(&mut net, 3, &second, Status::RINGING);
    respond(&mut net, 2, &first, Status::DECLINE);
    assert_eq!(statuses(&mut net), [180]);
    assert_eq!(net.count("10.0.0.9 > 10.0.0.3 CANCEL"), 1);
    respond(&mut net, 3, &second, Status::REQUEST_TERMINATED);
    assert_eq!(statuses(&mut net), [603]);
    assert_forgotten(&mut net);
}

#[test]
fn timer_c_cancels_what_rings_for_good() {
    let mut net = net(&["10.0.0.2"]);
    send(&mut net, Method::Invite);
    let invite = received(&mut net, 2);
    respond(&mut net, 2, &invite, Status::RINGING);
    net.run(SEC * 120);
    // Another provisional response starts it again.
    respond(&mut net, 2, &invite, Status::RINGING);
    net.run(SEC * 120);
    assert_eq!(net.count("CANCEL"), 0);
    net.run(defaults::TIMER_C - SEC * 120 + 100 * MS);
    assert_eq!(net.count("10.0.0.9 > 10.0.0.2 CANCEL"), 1);
    respond(&mut net, 2, &invite, Status::REQUEST_TERMINATED);
    assert_eq!(statuses(&mut net), [180, 180, 487]);
    assert_forgotten(&mut net);
}

#[test]
fn a_cancel_reaches_every_fork() {
    let mut net = net(&["10.0.0.2", "10.0.0.3"]);
    let id = send(&mut net, Method::Invite);
    let (first, second) = (received(&mut net, 2), received(&mut net, 3));
    respond(&mut net, 2, &first, Status::RINGING);
    respond(&mut net, 3, &second, Status::RINGING);
    net.on(0, |node, now| node.stack.cancel(now, id));
    net.run(100 * MS);
    respond(&mut net, 2, &first, Status::REQUEST_TERMINATED);
    respond(&mut net, 3, &second, Status::REQUEST_TERMINATED);
    assert_eq!(statuses(&mut net), [180, 180, 487]);
    assert_forgotten(&mut net);
}

#[test]
fn silence_to_an_invite_is_a_408_and_to_others_is_silence() {
    for (method, expected) in [(Method::Invite, vec![100, 408]), (Method::Options, vec![0])] {
        let mut net = net(&["10.0.0.2"]);
        net.lose = Box::new(|line| line.contains("> 10.0.0.2"));
        send(&mut net, method);
        net.run(SEC * 40);
        assert_eq!(statuses(&mut net), expected);
        assert_forgotten(&mut net);
    }
}

#[test]
fn nowhere_to_go() {
    for (places, code) in [(vec!["10.0.0.77"], 480), (vec!["nowhere.test"], 404), (vec![], 404)] {
        let mut net = net(&places);
        send(&mut net, Method::Options);
        net.run(SEC);
        assert_eq!(statuses(&mut net), [code]);
        assert_forgotten(&mut net);
    }
}

#[test]
fn breadth_is_limited() {
    let mut net = net(&["10.0.0.2"; 40]);
    send(&mut net, Method::Options);
    assert_eq!(net.count("10.0.0.9 > 10.0.0.2 OPTIONS"), defaults::FORKS);
}

/// A request from a strict router, and one with two entries of ours before another's.
#[test]
fn routes_that_name_us() {
    let mut net = net(&["10.0.0.2"]);
    send(&mut net, Method::Invite);
    let invite = received(&mut net, 2).1;
    let recorded: Vec<_> = invite.headers.list("Record-Route").map(str::to_owned).collect();
    let stack = &net.nodes[1].part.stack;
    let within = |method| {
        let mut request = request(method);
        request.headers.set("To", "<sip:bob@test>;tag=b");
        request
    };
    let mut loose = within(Method::Bye);
    recorded.iter().for_each(|route| loose.headers.push("Route", route));
    loose.headers.push("Route", "<sip:192.0.2.1;lr>");
    let taken = take(stack, &mut loose, |host| host == "test");
    assert!(taken.ours && taken.more && taken.entries == 2);
    assert_eq!(taken.flow.unwrap().remote, "10.0.0.1:5060".parse().unwrap());
    assert_eq!(loose.headers.list("Route").collect::<Vec<_>>(), ["<sip:192.0.2.1;lr>"]);
    // The entry with the token is the one for the caller's side, the last in Record-Route.
    let mut strict = within(Method::Bye);
    let bare = recorded[1].trim_matches(['<', '>']);
    strict.uri = bare.parse().unwrap();
    strict.headers.push("Route", "<sip:alice@10.0.0.1>");
    let taken = take(stack, &mut strict, |host| host == "test");
    assert!(taken.ours && !taken.more && taken.entries == 1);
    assert_eq!(strict.uri.to_string(), "sip:alice@10.0.0.1");
}

/// A token lets in what belongs to its call: not the beginning of another, and not another's end.
#[test]
fn a_token_is_good_in_its_dialog_alone() {
    let mut net = net(&["10.0.0.2"]);
    send(&mut net, Method::Invite);
    let invite = received(&mut net, 2).1;
    let stack = &net.nodes[1].part.stack;
    let route = |to: &str, call_id: Option<&str>| {
        let mut request = request(Method::Invite);
        request.headers.set("To", to);
        call_id.into_iter().for_each(|id| request.headers.set("Call-ID", id));
        let recorded = invite.headers.list("Record-Route");
        recorded.for_each(|route| request.headers.push("Route", route));
        take(stack, &mut request, |host| host == "test").ours
    };
    assert!(route("<sip:bob@test>;tag=b", None));
    assert!(!route("<sip:bob@test>", None));
    assert!(!route("<sip:bob@test>;tag=b", Some("another call")));
}
