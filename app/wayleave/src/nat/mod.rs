//! `wayleave nat`: what stands between this host and the world.

pub mod fields;
pub mod words;

use std::time::Duration;

use anyhow::Context as _;
use machine::Ids;
use survey::{Config, Event, Report, Survey};

use crate::failure::{Exit, Failure};
use crate::phone::account;
use crate::signal;
use crate::station::Station;
use crate::ui::Ui;

/// Find out what stands between this host and the world.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A STUN server to ask, as HOST or HOST:PORT: a Wayleave core, or any with two addresses (RFC 5780).
    /// Without one only what is near is looked at: addresses, gateways, NAT64
    #[arg(long, value_name = "HOST")]
    server: Option<String>,
    /// The server's port for SIP, to find out whether SIP is rewritten on the way
    #[arg(long, value_name = "PORT", default_value_t = survey::defaults::SIP_PORT)]
    sip_port: u16,
    /// Measure how long the NAT keeps a mapping, up to so long (90s, 5m); takes longer than all else
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "3m",
          value_parser = crate::phone::args::duration)]
    lifetime: Option<Duration>,
    /// Ask as RFC 3489 has it, for old servers
    #[arg(long)]
    classic: bool,
    /// Ask no gateway (PCP, NAT-PMP, UPnP)
    #[arg(long)]
    no_gateways: bool,
}

/// Asks everybody who can tell, and prints what it means.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let server = args.server.as_deref().map(account::server).transpose()?;
    let mut portmap = portmap::Config::default();
    if args.no_gateways {
        portmap.protocols.clear();
    }
    let config = Config {
        server: server.as_ref().map(|server| server.host.clone()),
        port: server.and_then(|server| server.port),
        sip_port: Some(args.sip_port),
        lifetime: args.lifetime,
        classic: args.classic,
        portmap,
    };
    let asked = config.server.is_some();
    let report = signal::block_on(measure(config, ui))?;
    let verdict = report.verdict();
    ui.event("nat", fields::of(&report, &verdict));
    if !ui.is_json() {
        words::of(&report, &verdict).into_iter().for_each(|line| ui.say(line));
    }
    outcome(&report, asked)
}

async fn measure(config: Config, ui: &Ui) -> Result<Report, Failure> {
    let entropy = runtime::entropy().context("no randomness")?;
    let mut station = Station::open(Survey::new(config, Ids::new(1), entropy), "survey")?;
    let progress = words::Progress::new(ui);
    let report = loop {
        match station.next().await? {
            None => break Err(Failure::interrupted()),
            Some(Event::Done(report)) => break Ok(*report),
            Some(event) => progress.tell(&event),
        }
    };
    progress.end();
    station.close().await?;
    report
}

/// Whether the measurement succeeded, whatever it found.
fn outcome(report: &Report, asked: bool) -> Result<(), Failure> {
    let server = report.server.as_deref().unwrap_or_default();
    if let Some(trouble) = &report.trouble {
        let message = format!("the server {server} was not asked: {trouble}");
        return Err(Failure::new(Exit::Unreachable, "server", message)
            .with_remedy("check the name, or give an address"));
    }
    let heard = report.udp() == Some(true) || report.tcp443 == Some(true);
    if asked && !heard {
        let message =
            format!("the server {server} does not answer, neither over UDP nor on TCP 443");
        return Err(Failure::new(Exit::Unreachable, "server", message).with_remedy(
            "check that it runs (its STUN port is 3478 unless --server HOST:PORT says otherwise), or \
             that this host has a network",
        ));
    }
    Ok(())
}
