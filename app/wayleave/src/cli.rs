//! The command line: the flags that all commands share, and the commands.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::phone::{answer, call, chat};
use crate::{bench, completions, config, demo, man, nat, portmap, serve, user};

/// Real-time communication that gets through.
#[derive(Debug, Parser)]
#[command(name = "wayleave", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What all commands share.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// Print one JSON object a line on stdout, and everything else on stderr
    #[arg(long, global = true, help_heading = "Common options")]
    pub json: bool,
    /// Log more; twice for every state change, three times for every packet
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub verbose: u8,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Common options"
    )]
    pub color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What `wayleave` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A call between two people behind NATs, simulated: the whole story on one machine
    Demo(demo::Args),
    /// Run the network core: SIP registrar and proxy, XMPP, STUN, and TURN to relay
    Serve(serve::Args),
    /// Add, list and remove accounts, and set their passwords
    User(user::Args),
    /// Call somebody
    Call(call::Args),
    /// Answer every call
    Answer(answer::Args),
    /// Write to somebody: lines in from stdin, lines out to stdout
    Chat(chat::Args),
    /// Find out what stands between this host and the world
    Nat(nat::Args),
    /// Open and close ports in the router: PCP, NAT-PMP, UPnP
    Portmap(portmap::Args),
    /// Load a server, ours or another's, and measure it
    Bench(bench::Args),
    /// Show and check the server's configuration
    Config(config::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Write the manual pages into a folder
    Man(man::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
