//! `wayleave bench`: loads any server, ours or another's, and says what an operation costs.

mod cpu;
mod load;
mod memory;
mod register;
mod stun;
mod turn;

use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use self::load::{Amount, Outcome, Refusal, Workload};
use crate::failure::{Exit, Failure};
use crate::phone::args::password_in;
use crate::ui::{self, Ui};

/// Load a server and measure it.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// STUN Binding requests
    Stun {
        #[command(flatten)]
        target: Target,
        /// The server sends back what it gets, as `bench/forward.c` can
        #[arg(long, hide = true)]
        echo: bool,
    },
    /// TURN allocations, and packets through them
    Turn(Box<turn::Args>),
    /// SIP registrations with digest over UDP: two requests each, a new Call-ID each
    Register {
        #[command(flatten)]
        target: Target,
        /// The domain: Request-URI and realm
        #[arg(long, default_value = "localhost")]
        domain: String,
        /// What user names begin with; with more than one user a number from 0 follows
        #[arg(long, default_value = "alice")]
        user: String,
        /// How many users there are
        #[arg(long, default_value_t = 1)]
        users: u64,
        /// A file whose first line is the password of all of them
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Target {
    /// The server: HOST:PORT
    #[arg(value_name = "SERVER")]
    server: String,
    /// Operations in all
    #[arg(short = 'n', long, default_value_t = 20_000)]
    operations: u64,
    /// Operations under way at a time
    #[arg(short, long, default_value_t = 64)]
    window: usize,
    /// The server's process, to measure its CPU time (children counted)
    #[arg(long)]
    pid: Option<u32>,
}

/// Loads, and prints the rate and the cost.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let mut entropy = runtime::entropy().context("no randomness")?;
    match args.what {
        What::Stun { target, echo } => {
            let workload = stun::Bindings::new(echo, &mut entropy);
            measure("stun", &target, workload, ui)
        }
        What::Turn(args) => {
            let server = address(&args.server)?;
            turn::run(&args, server, local_address(server)?.ip(), entropy, ui)
        }
        What::Register { target, domain, user, users, password_file } => {
            let password = password_in(&password_file)?;
            let users = register::Users { domain, prefix: user, count: users, password };
            let local = local_address(address(&target.server)?)?;
            let workload = register::Registrations::new(users, local, &mut entropy);
            measure("register", &target, workload, ui)
        }
    }
}

fn measure(
    name: &str,
    target: &Target,
    mut workload: impl Workload,
    ui: &Ui,
) -> Result<(), Failure> {
    let server = address(&target.server)?;
    let amount = Amount { operations: target.operations, window: target.window.clamp(1, 4096) };
    let cpu = || target.pid.map(cpu::used).transpose();
    let before = cpu()?;
    let show = ui::is_terminal() && !ui.is_json();
    let outcome = load::run(server, amount, &mut workload, |so_far| {
        if show {
            eprint!("\r{} of {} ", so_far.done, amount.operations);
        }
    })?;
    if show {
        eprint!("\r\x1b[K");
    }
    let used = cpu()?.zip(before).map(|(after, before)| after.since(before));
    tell(name, &outcome, used, ui);
    match (outcome.done, &outcome.refusal) {
        (0, Some(Refusal::Unauthorized)) => {
            let message = "the server did not accept the password";
            Err(Failure::new(Exit::Authentication, "authentication", message))
        }
        (0, Some(refusal)) => {
            Err(Failure::new(Exit::Failed, "refused", format!("the server refused: {refusal}")))
        }
        (0, None) => Err(Failure::new(
            Exit::Unreachable,
            "unreachable",
            format!("{server} answered nothing"),
        )
        .with_remedy("check the address, and that the server runs")),
        _ => Ok(()),
    }
}

fn tell(name: &str, outcome: &Outcome, used: Option<cpu::Usage>, ui: &Ui) {
    let Outcome { done, refused, lost, repeated, elapsed, .. } = *outcome;
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-9);
    let cost = used.and_then(|used| used.us_per(done));
    ui.event(
        "bench",
        json!({
            "what": name, "done": done, "refused": refused, "lost": lost, "repeated": repeated,
            "elapsed_ms": elapsed.as_millis() as u64, "rate_per_sec": rate.round(),
            "cpu_us_per_operation": cost.map(|us| (us * 100.0).round() / 100.0),
        }),
    );
    if ui.is_json() {
        return;
    }
    ui.say(format!(
        "{name}: {done} done in {:.2} s, {rate:.0} a second; {refused} refused, {lost} lost, \
         {repeated} repeated",
        elapsed.as_secs_f64()
    ));
    match cost {
        Some(us) => ui.say(format!("server CPU: {us:.2} µs an operation")),
        None => ui.say("server CPU: not measured (--pid PID measures it)"),
    }
}

fn address(server: &str) -> Result<SocketAddr, Failure> {
    let found = server.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| {
        Failure::new(Exit::Unreachable, "unreachable", format!("{server} is no HOST:PORT to reach"))
    })
}

/// The address that we reach `server` from.
fn local_address(server: SocketAddr) -> Result<SocketAddr, Failure> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let found = UdpSocket::bind(any)
        .and_then(|socket| socket.connect(server).and_then(|()| socket.local_addr()));
    Ok(found.with_context(|| format!("cannot reach {server}"))?)
}
