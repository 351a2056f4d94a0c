//! `wayleave man DIR`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::failure::Failure;

/// Where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder, made if it is missing
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Writes a page for the program and one for each of its commands.
pub fn run(args: &Args) -> Result<(), Failure> {
    let Args { folder } = args;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(())
}
