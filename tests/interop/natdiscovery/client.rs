//! Our behaviour discovery on a host of its own: this very test program, started there for one test.

use std::convert::Infallible;
use std::env;
use std::time::Duration;

use machine::{Endpoint, Ids, Now};
use runtime::World;
use stun::behaviour::{Config, Discovery, Event, Report};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::harness::net::Host;
use crate::harness::process::Process;

/// Where a child finds the server, and the longest lifetime in seconds that it looks for.
const VARIABLE: &str = "WAYLEAVE_INTEROP_NATDISCOVERY";

/// How long a child waits for the report.
const PATIENCE: Duration = Duration::from_secs(150);

/// What is found out on `host` by asking `server`: `mapping=ei filtering=apd hairpin=off …`.
pub(super) fn discover(host: &Host, server: &str, lifetime_secs: u64) -> String {
    // By its process, not by its path: another test may build the program, and cargo this file,
    // once more meanwhile.
    let mut command = host.command(&format!("/proc/{}/exe", std::process::id()));
    command.args(["natdiscovery::client::the_child", "--exact", "--nocapture"]);
    command.env(VARIABLE, format!("{server} {lifetime_secs}"));
    let printed = Process::start("discovery", command).succeed();
    let found = printed.iter().find(|line| line.contains("mapping="));
    let found = found.unwrap_or_else(|| panic!("no report: {printed:?}"));
    found[found.find("mapping=").unwrap_or_default()..].to_owned()
}

/// Whoever hears the events.
struct Listener(UnboundedSender<Report>);

impl World<Discovery> for Listener {
    fn event(&mut self, _: Now, event: Event) {
        if let Event::Done(report) = event {
            let _ = self.0.send(*report);
        }
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would borrow self")]
    fn answer(
        &mut self,
        question: Infallible,
    ) -> impl Future<Output = Infallible> + Send + 'static {
        async move { question }
    }
}

fn words(report: &Report) -> String {
    fn word<T: ToString, E>(finding: Result<T, E>) -> String {
        finding.map_or_else(|_| "unknown".to_owned(), |it| it.to_string())
    }
    let switch = |on: &bool| if *on { "on" } else { "off" };
    let lifetime = report.lifetime.as_ref().map(|lifetime| {
        let below = lifetime.below.map_or("more".to_owned(), |below| below.as_secs().to_string());
        format!("{}..{below}", lifetime.at_least.as_secs())
    });
    format!(
        "mapping={} filtering={} hairpin={} ports={} fragments={} lifetime={}",
        word(report.mapping.as_ref()),
        word(report.filtering.as_ref()),
        word(report.hairpin.as_ref().map(switch)),
        word(report.ports.as_ref().map(|ports| ports.pattern)),
        word(report.fragments.as_ref().map(switch)),
        word(lifetime),
    )
}

/// What runs on a host of its own. Without a task it does nothing.
#[test]
fn the_child() {
    let Ok(text) = env::var(VARIABLE) else { return };
    let (server, secs) = text.split_once(' ').expect("a server and seconds");
    let server: Endpoint = server.parse().expect("an address");
    let secs: u64 = secs.parse().expect("seconds");
    let lifetime = Some(Duration::from_secs(secs)).filter(|secs| !secs.is_zero());
    let config = Config { lifetime, ..Config::new(server) };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
    tokio.block_on(async {
        let discovery =
            Discovery::new(config, Ids::new(0), runtime::entropy().expect("randomness"));
        let (sender, mut reports) = unbounded_channel();
        let settings = runtime::Config { name: "nat", ..runtime::Config::default() };
        let _running = runtime::spawn(discovery, Listener(sender), settings);
        let report =
            tokio::time::timeout(PATIENCE, reports.recv()).await.expect("a report in time");
        println!("{}", words(&report.expect("it runs")));
    });
}
