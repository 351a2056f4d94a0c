//! `wayleave serve`: the network core.

use crate::config::{Listen, Source};
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// How to serve.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The domain to serve
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// An address to listen on, port included if it is not the standard one; may be repeated
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Listen>,
    /// Which ports to take: free ones instead of the standard ones
    #[arg(long, value_name = "auto")]
    ports: Option<Ports>,
}

/// Which ports to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Ports {
    /// Free ones.
    Auto,
}

/// Serves until told to stop.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let mut config = args.source.load()?;
    if let Some(domain) = args.domain {
        config.domain = domain;
    }
    if !args.listen.is_empty() {
        config.listen = args.listen;
    }
    ui.warn(format!("{} {:?}", config.domain, args.ports));
    Err(Failure::new(Exit::Failed, "unfinished", "serving is not built yet"))
}
