//! `wayleave config`, and the server's configuration that it shows.

mod form;
mod settings;
mod source;
mod values;

pub use settings::{Config, DEFAULT, Digest, Tls, XmppLimits};
pub use source::Source;
pub use values::{Listen, Network};

use anyhow::Context as _;
use clap::Subcommand;

use crate::failure::Failure;
use crate::serve;
use crate::ui::Ui;

/// What to do with the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every key as it stands, defaults filled in
    Show {
        #[command(flatten)]
        source: Source,
    },
    /// Say whether a server could start with it
    Check {
        #[command(flatten)]
        source: Source,
    },
    /// Print a configuration file with every key, its default and what it is for
    Default,
}

/// Does it.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    match args.action {
        Action::Show { source } => {
            let config = source.load()?;
            ui.event("config", &config);
            if !ui.is_json() {
                let text = toml::to_string_pretty(&config).context("cannot print it as TOML")?;
                ui.say(text.trim_end());
            }
        }
        Action::Check { source } => {
            let config = source.load()?;
            serve::check(&config, ui)?;
            ui.event("config", &config);
            warn_of_amplification(&config, ui);
            ui.say(format!("{} is sound", source.name()));
        }
        Action::Default => ui.say(DEFAULT.trim_end()),
    }
    Ok(())
}

/// Warns of a domain that is so long that challenges of TURN serve forgers.
fn warn_of_amplification(config: &Config, ui: &Ui) {
    let factor = turn::server::Config::new(&config.domain, []).amplification();
    if factor > turn::server::defaults::MAX_AMPLIFICATION {
        ui.warn(format!(
            "domain: it is so long that TURN answers strangers with {factor:.1} times their bytes"
        ));
    }
}
