//! `wayleave serve`: the network core.

mod accounts;
mod control;
mod core;
mod defaults;
mod http;
mod identity;
mod listeners;
mod messaging;
mod metrics;
mod notify;
mod own_certificate;
mod pages;
mod relaying;
mod report;
mod rosters;
mod shortage;
mod sound;
mod world;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use machine::Entropy;
use machine::journal::Recorder;
use runtime::{Certificates, DescriptorLimit, Inherited, Tls};
use server::Server;
use store::{Address, Store};
use udp::{Plane, PlaneConfig};

use self::accounts::Accounts;
use self::control::Control;
use self::core::Core;
use self::defaults::DESCRIPTORS_MIN;
use self::pages::Watch;
use self::report::Report;
use self::world::Owner;
use crate::config::{Config, Listen, Source};
use crate::failure::{Exit, Failure};
use crate::signal::{self, Signals};
use crate::ui::Ui;

/// The name in the store of what the salts of users that do not exist are made from.
const SALT_SECRET: &str = "xmpp.salts";

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
    /// Take free ports instead of the standard ones; the ready event names them, and the --turn with
    /// which phones find the relay, which they look for on port 3478
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
        sound::check(&config)?;
        Ok(config)
    }
}

/// Serves until told to stop.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    // Before any thread starts, since it changes the environment.
    let inherited = Inherited::from_environment();
    let config = args.config()?;
    control::set_log(&config)?;
    // The store makes the data folder, where a certificate may lie.
    let store = Store::open(&config.data_folder()?)?;
    let certificates = Certificates::none();
    let shown = identity::find(&config)?;
    if let Some(shown) = &shown {
        certificates.replace(&shown.identity).map_err(|error| identity::refused(&error))?;
    }
    let entropy = match args.seed {
        Some(seed) => {
            ui.warn("with --seed nothing is secret: passwords can be guessed from what is sent");
            Entropy::seeded(seed)
        }
        None => runtime::entropy().context("no randomness from the operating system")?,
    };
    let salt_secret = store.secret(SALT_SECRET)?.reveal().try_into().ok();
    let settings = listeners::core_config(&config, args.ports.is_some(), salt_secret)?;
    let core = Server::new(settings, &entropy);
    let mut report = Report::new(*ui, &config, &store, shown.as_ref());
    sound::doubts(&config).into_iter().for_each(|doubt| report.warn(doubt));
    raise_descriptors(&mut report);
    let plane = start_plane(&config, &entropy)?;
    let serving = Serving { args, config, store, report, certificates, inherited, plane };
    match serving.args.journal.clone() {
        None => signal::block_on(serving.serve(core)),
        Some(path) => {
            let recorder = Recorder::new(core, journal(&path)?);
            signal::block_on(serving.serve(recorder))
        }
    }
}

/// Whether a core could start with this configuration, as far as files and this machine's addresses
/// tell; warns of what is hardly meant.
pub fn check(config: &Config, ui: &Ui) -> Result<(), Failure> {
    sound::check(config)?;
    config.data_folder()?;
    listeners::core_config(config, false, None)?;
    if let Some(shown) = identity::named(&config.tls)? {
        Certificates::new(&shown.identity).map_err(|error| identity::refused(&error))?;
    }
    control::set_log(config)?;
    sound::doubts(config).iter().for_each(|doubt| ui.warn(doubt));
    Ok(())
}

/// Raises the limit of open descriptors, and warns where it stays low.
fn raise_descriptors(report: &mut Report) {
    match runtime::raise_descriptor_limit() {
        Ok(DescriptorLimit { soft: Some(limit), .. }) if limit < DESCRIPTORS_MIN => {
            report.warn(format!(
                "no more than {limit} descriptors may be open, and every relayed address takes one; \
                 raise the limit (`ulimit -Hn`, LimitNOFILE= of systemd)"
            ));
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open descriptors stays as it is"),
    }
}

/// Starts the threads that forward packets; without them the core's own task does.
fn start_plane(
    config: &Config,
    entropy: &Entropy,
) -> Result<Option<(Plane, udp::Incoming)>, Failure> {
    let plane = PlaneConfig {
        shards: config.relay.threads,
        clock: || runtime::now().mono,
        entropy: entropy.fork("plane"),
    };
    match Plane::start(plane) {
        Ok(started) => Ok(Some(started)),
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
            tracing::info!("no data plane for this system: packets are forwarded one by one");
            Ok(None)
        }
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the data plane").into()),
    }
}

/// What a core needs around it.
struct Serving {
    args: Args,
    config: Config,
    store: Store,
    report: Report,
    certificates: Certificates,
    inherited: Inherited,
    plane: Option<(Plane, udp::Incoming)>,
}

impl Serving {
    /// Drives the core, recorded or not.
    async fn serve<C: Core>(self, core: C) -> Result<(), Failure> {
        let Self { args, config, store, mut report, certificates, inherited, plane } = self;
        let handle = plane.as_ref().map(|(plane, _)| plane.clone());
        let accounts = Accounts::new(store.clone())?;
        let (owner, mut events) = Owner::new(store, handle.clone())?;
        let queues = owner.queues();
        let driver = runtime::Config {
            name: "core",
            tls: Tls { certificates: certificates.clone(), ..Tls::default() },
            inherited: inherited.clone(),
            plane,
            ..runtime::Config::default()
        };
        let mut signals = Signals::new().context("cannot wait for signals")?;
        let running = runtime::spawn(core, owner, driver);
        let watch = Watch::new(running.handle(), handle, queues);
        if let Some(at) = config.http.listen {
            report.telling(tell(at, watch.clone()).await?);
        }
        let core = running.handle();
        let mut control =
            Control { args, config, core, accounts, watch, certificates, inherited, report };
        let outcome = control.serve(&mut events, &mut signals).await;
        let Control { report, .. } = control;
        running.stop().await.context("the core died")?;
        report.stopped();
        outcome
    }
}

/// Tells metrics and health at `at`.
async fn tell<C: Core>(at: SocketAddr, watch: Watch<C>) -> Result<SocketAddr, Failure> {
    http::serve(at, watch).await.map_err(|error| {
        Failure::new(Exit::Failed, "bind", format!("http.listen: cannot listen on {at}: {error}"))
            .with_remedy(
                "name a free port of an address of this machine: listen = \"127.0.0.1:9464\"",
            )
    })
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
