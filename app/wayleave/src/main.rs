//! The `wayleave` program.
//!
//! A module a command: its arguments as clap reads them, and a `run` that does it. What the
//! commands share stands beside them: [`ui`] prints, [`failure`] says what went wrong and with
//! which exit code, [`signal`] waits for Ctrl-C.

#![allow(unreachable_pub, reason = "nothing of a program can be reached from outside")]

mod bench;
mod cli;
mod completions;
mod config;
mod demo;
mod events;
mod explain;
mod failure;
mod ladder;
mod logging;
mod man;
mod nat;
mod phone;
mod portmap;
mod serve;
mod signal;
mod station;
mod ui;
mod user;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command};
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    logging::start(cli.common.verbose);
    let ui = Ui::new(&cli.common);
    match run(cli.command, &ui) {
        Ok(()) => ExitCode::from(Exit::Done),
        Err(failure) => {
            ui.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(command: Command, ui: &Ui) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args, ui),
        Command::User(args) => user::run(args, ui),
        Command::Demo(args) => demo::run(args, ui),
        Command::Call(args) => phone::call::run(args, ui),
        Command::Answer(args) => phone::answer::run(args, ui),
        Command::Chat(args) => phone::chat::run(args, ui),
        Command::Nat(args) => nat::run(args, ui),
        Command::Portmap(args) => portmap::run(args, ui),
        Command::Bench(args) => bench::run(args, ui),
        Command::Config(args) => config::run(args, ui),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Prints help and versions where they belong, and errors of usage as `--json` wants them.
fn usage(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !asked && std::env::args_os().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Ui::json().failure(&Failure::usage(message));
    } else {
        // Nobody listens: there is nothing left to tell them.
        let _ = error.print();
    }
    ExitCode::from(if asked { Exit::Done } else { Exit::Usage })
}
