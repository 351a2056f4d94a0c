//! The log, on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Overrides `-v` with a filter of tracing's: `WAYLEAVE_LOG=runtime=debug`.
const VARIABLE: &str = "WAYLEAVE_LOG";

/// Logs warnings, and more with every `-v`: what users did, every state change, every packet.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    // The resolver logs at our levels what only its authors want to read.
    let ours = format!("{level},hickory_resolver=warn,hickory_net=warn,hickory_proto=warn");
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(ours));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
