//! The exerciser on tokio, on loopback.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::IpAddr;

use machine::{Checked, Now};
use runtime::{Certificates, Config, Dns, Identity, Roots, Running, Tls, World};
use tokio::sync::mpsc;

use crate::exerciser::{Event, Exerciser, INPUTS, OUTPUTS, Plan, Question};

struct Owner(mpsc::UnboundedSender<Event>);

impl World<Checked<Exerciser>> for Owner {
    fn event(&mut self, _: Now, event: Event) {
        self.0.send(event).unwrap();
    }

    fn answer(&mut self, question: Question) -> impl Future<Output = u64> + Send + 'static {
        std::future::ready(question.answer())
    }
}

type Events = mpsc::UnboundedReceiver<Event>;

/// A name that the hosts file knows, and that the server's certificate carries.
const NAME: &str = "localhost";

fn start(machine: Exerciser, twin: Exerciser, tls: Tls) -> (Running<Checked<Exerciser>>, Events) {
    let (sender, events) = mpsc::unbounded_channel();
    // The hosts file knows the one name that is there; no server knows the other.
    let dns = Dns::Servers(Vec::new());
    let config = Config { name: "exerciser", dns, tls, ..Config::default() };
    (runtime::spawn(Checked::with_twin(machine, twin), Owner(sender), config), events)
}

/// A certificate to show, and whom to trust for it.
fn certificate() -> (Tls, Tls) {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let der = made.cert.der().to_vec();
    let key = made.signing_key.serialize_der();
    let identity = Identity { chain: vec![der.clone()], key };
    let shown = Tls { certificates: Certificates::new(&identity).unwrap(), ..Tls::default() };
    (shown, Tls { roots: Roots::Only(vec![der]), ..Tls::default() })
}

#[tokio::test]
async fn every_kind_of_input_and_output() {
    let ip: IpAddr = "127.0.0.1".parse().unwrap();
    let (shown, trusted) = certificate();
    let (server, mut ready) = start(Exerciser::server(ip), Exerciser::server(ip), shown);
    let Some(Event::Ready { udp, tcp }) = ready.recv().await else { panic!("not ready") };

    let entropy = runtime::entropy().unwrap();
    let twins = || Exerciser::client(entropy.clone());
    let (client, mut events) = start(twins(), twins(), trusted);
    let source = "127.0.0.2".parse().unwrap();
    let plan = Plan { source, udp, tcp, name: NAME.to_owned(), flood_len: 32 << 20 };
    let begin = move |client: &mut Checked<Exerciser>, now| {
        client.verb(now, |client, now| client.begin(now, plan.clone()));
    };
    client.handle().verb(begin).await.unwrap();

    let mut did = Vec::new();
    loop {
        match events.recv().await.unwrap() {
            Event::Did(what, outcome) => did.push((what, outcome)),
            Event::Done => break,
            Event::Wrong(what) => panic!("{what} (after {did:?})"),
            Event::Ready { .. } | Event::InterfacesChanged(_) => {}
        }
    }
    let expected = [
        ("interfaces", "some"),
        ("bind", "a port"),
        ("bind a taken address", "in use"),
        ("bind a foreign address", "not available"),
        ("datagram from a chosen source", "as chosen"),
        ("train of datagrams", "cut"),
        ("datagram kept whole", "arrived"),
        ("unreachable", "port"),
        ("resolve", "an address"),
        ("resolve nothing", "an error"),
        ("ask", "the right answer"),
        ("listen", "a port"),
        ("accept", "hello"),
        ("refused", "refused"),
        ("echo", "there and back"),
        ("backpressure", "waited for room"),
        ("pause", "held back, then all of it"),
        ("tls", "secured"),
    ];
    assert_eq!(did, expected.map(|(what, outcome)| (what, outcome.to_owned())));

    let machines = [server.stop().await.unwrap(), client.stop().await.unwrap()];
    let all = |kinds: fn(&Exerciser) -> &BTreeSet<&'static str>| -> BTreeSet<_> {
        machines.iter().flat_map(|machine| kinds(machine.get())).copied().collect()
    };
    assert_eq!(all(Exerciser::seen), BTreeSet::from(INPUTS));
    assert_eq!(all(Exerciser::given), BTreeSet::from(OUTPUTS));
}
