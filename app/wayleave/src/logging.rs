//! The log, on stderr.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Overrides `-v` with a filter of tracing's: `WAYLEAVE_LOG=runtime=debug`.
const VARIABLE: &str = "WAYLEAVE_LOG";

/// What a running program's filter is replaced by; nothing where the command line or the
/// environment has the last word.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Logs warnings, and more with every `-v`: what users did, every state change, every packet.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let environment = EnvFilter::try_from_env(VARIABLE).ok();
    let settled = verbose > 0 || environment.is_some();
    let filter = environment.unwrap_or_else(|| EnvFilter::new(ours(level)));
    let (filter, handle) = reload::Layer::new(filter);
    let lines =
        fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines).init();
    if !settled {
        // This runs once a process.
        let _ = FILTER.set(handle);
    }
}

/// Logs by another filter, `info` or `info,wayleave_turn=debug`, unless the command line or the
/// environment has said what to log. Says what is wrong with the filter.
pub fn set(filter: Option<&str>) -> Result<(), String> {
    let filter = EnvFilter::try_new(ours(filter.unwrap_or("warn"))).map_err(|e| e.to_string())?;
    match FILTER.get() {
        Some(handle) => handle.reload(filter).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

/// The resolver logs at our levels what only its authors want to read.
fn ours(filter: &str) -> String {
    format!("hickory_resolver=warn,hickory_net=warn,hickory_proto=warn,{filter}")
}
