//! Our XMPP client by itself on a host of its own: this very test program, started there for one test. It
//! tells what it sees, a line each, and does what it reads.

use std::convert::Infallible;
use std::env;
use std::io::stdin;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use machine::Now;
use runtime::{Roots, Tls, World};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use xmpp::client::{Client, Config, Event, Subscription};
use xmpp::{BareJid, ResourcePart};

use crate::harness::net::Host;
use crate::harness::process::Process;
use crate::harness::program::{PASSWORD, address};

/// Where a child finds its task.
const VARIABLE: &str = "WAYLEAVE_INTEROP_XMPP";

/// How long a client may be at work.
const LIFE: Duration = Duration::from_secs(150);

/// A client that is to be started on `host` as `name` of the server at `server` and `port`, trusting the
/// certificate in DER. It approves whoever wants to see it.
///
/// It takes the lines `ask JID`, to see somebody, and `stop`; it tells `online MECHANISM bound|unbound`,
/// `roster N`, `seen JID`, `gone JID`, `stopped`.
pub(super) fn client(
    host: &Host,
    name: &str,
    server: &str,
    port: u16,
    certificate: PathBuf,
) -> Process {
    // By its process, not by its path: another test may build the program, and cargo this file, once
    // more meanwhile.
    let mut command = host.command(&format!("/proc/{}/exe", std::process::id()));
    command.args(["prosody::client::the_child", "--exact", "--nocapture"]);
    let account = address(name);
    command.env(VARIABLE, format!("{account} {server} {port} {}", certificate.display()));
    Process::start_talking(name, command)
}

/// Whoever hears the events.
struct Listener(UnboundedSender<Event>);

impl World<Client> for Listener {
    fn event(&mut self, _: Now, event: Event) {
        let _ = self.0.send(event);
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would borrow self")]
    fn answer(
        &mut self,
        question: Infallible,
    ) -> impl Future<Output = Infallible> + Send + 'static {
        async move { question }
    }
}

/// What runs on a host of its own. Without a task it does nothing.
#[test]
fn the_child() {
    let Ok(text) = env::var(VARIABLE) else { return };
    let [account, server, port, certificate] =
        text.splitn(4, ' ').collect::<Vec<_>>().try_into().expect("a task");
    let mut config = Config::new(BareJid::new(account).expect("an account"), PASSWORD);
    config.server = Some((server.to_owned(), port.parse().expect("a port")));
    config.resource = ResourcePart::new("wayleave").ok().map(Into::into);
    let certificate = std::fs::read(certificate).expect("a certificate");
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
    let talk =
        tokio.block_on(async { tokio::time::timeout(LIFE, talk(config, certificate)).await });
    talk.expect("an end in time");
}

async fn talk(config: Config, certificate: Vec<u8>) {
    let entropy = runtime::entropy().expect("randomness");
    let client = Client::new(config, machine::Ids::new(0), &entropy);
    let (sender, mut events) = unbounded_channel();
    let tls = Tls { roots: Roots::Only(vec![certificate]), ..Tls::default() };
    let runtime = runtime::Config { name: "xmpp", tls, ..runtime::Config::default() };
    let running = runtime::spawn(client, Listener(sender), runtime);
    let client = running.handle();
    let mut lines = lines();
    client.verb(Client::connect).await.expect("it runs");
    loop {
        tokio::select! {
            Some(line) = lines.recv() => match line.split_once(' ') {
                Some(("ask", whom)) => {
                    let whom = BareJid::new(whom).expect("an account");
                    let asked = client.verb(move |client, now| client.subscribe(now, &whom)).await;
                    asked.expect("it runs").expect("it is online");
                }
                _ => client.verb(Client::stop).await.expect("it runs"),
            },
            Some(event) = events.recv() => match event {
                Event::Online(online) => {
                    let bound = if online.channel_bound { "bound" } else { "unbound" };
                    println!("online {} {bound}", online.mechanism.name());
                }
                Event::Roster => {
                    let contacts = client.verb(|client, _| client.roster().count()).await;
                    println!("roster {}", contacts.expect("it runs"));
                }
                Event::Subscription { from, kind: Subscription::Subscribe, .. } => {
                    let approved = client.verb(move |client, now| client.approve(now, &from)).await;
                    approved.expect("it runs").expect("it is online");
                }
                Event::Presence { from, available, .. } => {
                    println!("{} {}", if available { "seen" } else { "gone" }, from.to_bare());
                }
                Event::Stopped => return println!("stopped"),
                Event::Offline { reason, .. } => panic!("{reason}"),
                _ => {}
            },
            else => return,
        }
    }
}

/// What is read, line by line.
fn lines() -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    thread::spawn(move || {
        for line in stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
