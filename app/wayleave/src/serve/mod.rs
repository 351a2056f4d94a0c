//! `wayleave serve`: the network core.

mod listeners;
mod report;
mod world;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use machine::journal::Recorder;
use machine::{Entropy, Machine};
use server::{Answer, Event, Question, Server};
use store::{Address, Store};
use tokio::sync::mpsc;

use crate::config::{Config, Listen, Source};
use crate::failure::{Exit, Failure};
use crate::signal::{self, Signal};
use crate::ui::Ui;
use report::Report;
use world::Owner;

/// How to serve.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The domain to serve
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// An address to listen on, with a port if it is not the standard one; may be repeated
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Listen>,
    /// Take free ports instead of the standard ones; the ready event names them
    #[arg(long, value_name = "auto")]
    ports: Option<Ports>,
    /// Write every input of the core and what it answered to a file, to be replayed
    #[arg(long, value_name = "FILE", hide = true)]
    journal: Option<PathBuf>,
    /// Take this number for all randomness, so that a journal replays: nothing is secret then
    #[arg(long, value_name = "N", hide = true)]
    seed: Option<u64>,
}

/// Which ports to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ports {
    /// Free ones.
    Auto,
}

impl Args {
    /// The configuration that the file and the flags add up to.
    fn config(&self) -> Result<Config, Failure> {
        let mut config = self.source.load()?;
        if let Some(domain) = &self.domain {
            config.domain.clone_from(domain);
        }
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        // Whatever can be the domain of an account can be served.
        Address::new("anybody", &config.domain).map_err(|error| {
            Failure::configuration(format!("cannot serve {:?}: {error}", config.domain))
                .with_remedy("name a domain: --domain example.org")
        })?;
        Ok(config)
    }
}

/// Serves until told to stop.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let config = args.config()?;
    let store = Store::open(&config.data_folder()?)?;
    let entropy = match args.seed {
        Some(seed) => {
            ui.warn("with --seed nothing is secret: passwords can be guessed from what is sent");
            Entropy::seeded(seed)
        }
        None => runtime::entropy().context("no randomness from the operating system")?,
    };
    let core = Server::new(listeners::core_config(&config, args.ports.is_some()), &entropy);
    let report = Report::new(*ui, &config, &store);
    match &args.journal {
        None => signal::block_on(serve(core, store, report)),
        Some(path) => {
            let recorder = Recorder::new(core, journal(path)?);
            signal::block_on(serve(recorder, store, report))
        }
    }
}

/// Drives the core, recorded or not.
async fn serve<M>(core: M, store: Store, mut report: Report) -> Result<(), Failure>
where
    M: Machine<Event = Event, Question = Question, Answer = Answer> + Send + 'static,
{
    let (owner, mut events) = Owner::new(store)?;
    let driver = runtime::Config { name: "core", ..runtime::Config::default() };
    let stop = signal::stop().context("cannot wait for signals")?;
    let running = runtime::spawn(core, owner, driver);
    let outcome = tokio::select! {
        outcome = hear(&mut events, &mut report) => outcome,
        signal = stop => match signal {
            Signal::Interrupt => Err(Failure::interrupted()),
            Signal::Terminate => Ok(()),
        },
    };
    running.stop().await.context("the core died")?;
    report.stopped();
    outcome
}

/// Reports what happens; ends when the core cannot serve.
async fn hear(
    events: &mut mpsc::UnboundedReceiver<Event>,
    report: &mut Report,
) -> Result<(), Failure> {
    while let Some(event) = events.recv().await {
        report.event(event)?;
    }
    Err(Failure::new(Exit::Failed, "failed", "the core has died"))
}

/// Where a journal's bytes go.
fn journal(path: &Path) -> Result<impl FnMut(&[u8]) + Send + use<>, Failure> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = BufWriter::new(file);
    let name = path.display().to_string();
    let mut broken = false;
    Ok(move |bytes: &[u8]| {
        if broken {
            return;
        }
        if let Err(error) = file.write_all(bytes) {
            // A hole in the middle would be worse than an end.
            tracing::error!(%error, "the journal {name} ends here");
            broken = true;
        }
    })
}
