//! `wayleave bench`: loads any server, ours or another's, and says what an operation costs.

mod cpu;
mod load;
mod memory;
mod register;
mod stop;
mod stun;
mod turn;

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use self::load::{Amount, Outcome, Refusal, Workload};
use crate::failure::{Exit, Failure};
use crate::phone::account::password_in;
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
    /// The server: HOST or HOST:PORT
    #[arg(value_name = "SERVER")]
    server: String,
    /// Operations in all
    #[arg(short = 'n', long, default_value_t = 20_000,
          value_parser = clap::value_parser!(u64).range(1..))]
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
            measure("stun", &target, address(&target.server, 3478)?, workload, ui)
        }
        What::Turn(args) => {
            let server = address(&args.server, args.port())?;
            turn::run(&args, server, local_address(server)?.ip(), entropy, ui)
        }
        What::Register { target, domain, user, users, password_file } => {
            let password = password_in(&password_file)?;
            let users = register::Users { domain, prefix: user, count: users, password };
            let server = address(&target.server, 5060)?;
            let local = local_address(server)?;
            let workload = register::Registrations::new(users, local, &mut entropy);
            measure("register", &target, server, workload, ui)
        }
    }
}

fn measure(
    name: &str,
    target: &Target,
    server: SocketAddr,
    mut workload: impl Workload,
    ui: &Ui,
) -> Result<(), Failure> {
    if let Some(pid) = target.pid {
        cpu::used(pid).map_err(|e| Failure::usage(format!("--pid {pid}: {e:#}")))?;
    }
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
    if outcome.closed {
        return Err(nobody_listens(server));
    }
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

fn nobody_listens(server: SocketAddr) -> Failure {
    let message = format!("nobody listens on {server}");
    Failure::new(Exit::Unreachable, "unreachable", message)
        .with_remedy("check address, port and transport, and that the server runs")
}

fn tell(name: &str, outcome: &Outcome, used: Option<cpu::Usage>, ui: &Ui) {
    let Outcome { done, refused, lost, repeated, elapsed, .. } = *outcome;
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-9);
    let cost = used.and_then(|used| used.us_per(done));
    let split = used.and_then(|used| used.split_us_per(done));
    let why = not_measured(used, done);
    ui.event(
        "bench",
        json!({
            "what": name, "done": done, "refused": refused, "lost": lost, "repeated": repeated,
            "elapsed_ms": elapsed.as_millis() as u64,
            "rate_per_sec": (done > 0).then(|| rate.round()),
            "cpu_us_per_operation": cost.map(hundredths),
            "cpu_user_us": split.map(|(user, _)| hundredths(user)),
            "cpu_kernel_us": split.map(|(_, kernel)| hundredths(kernel)),
            "not_measured": why,
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
        Some(us) => ui.say(format!("server CPU: {us:.2} µs an operation{}", split_text(split))),
        None => ui.say(format!("server CPU: not measured ({})", why.unwrap_or_default())),
    }
}

/// Why figures of CPU time are missing, where they are.
fn not_measured(used: Option<cpu::Usage>, done: u64) -> Option<&'static str> {
    match used {
        _ if done == 0 => Some("nothing was done"),
        None => Some("--pid PID measures CPU and memory"),
        Some(used) if used.kernel_share().is_none() => {
            Some("user and kernel: too few clock ticks, a longer run has more")
        }
        Some(_) => None,
    }
}

/// `: 1.20 user, 3.40 kernel`, where that is known.
fn split_text(split: Option<(f64, f64)>) -> String {
    split.map_or_else(String::new, |(user, kernel)| format!(": {user:.2} user, {kernel:.2} kernel"))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// `HOST:PORT`, or `HOST` with the port that is usual.
fn address(server: &str, usual_port: u16) -> Result<SocketAddr, Failure> {
    if let Ok(address) = server.parse() {
        return Ok(address);
    }
    if let Ok(ip) = server.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, usual_port));
    }
    let (host, port) = match server.rsplit_once(':') {
        None => (server, usual_port),
        Some((host, port)) => {
            let wrong = |_| Failure::usage(format!("{server}: {port} is no port"));
            (host, port.parse().map_err(wrong)?)
        }
    };
    let found = (host, port).to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| {
        Failure::new(Exit::Unreachable, "unreachable", format!("{host} does not resolve"))
            .with_remedy("check the name, or give an address")
    })
}

/// The address that we reach `server` from.
fn local_address(server: SocketAddr) -> Result<SocketAddr, Failure> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let found = UdpSocket::bind(any)
        .and_then(|socket| socket.connect(server).and_then(|()| socket.local_addr()));
    Ok(found.with_context(|| format!("cannot reach {server}"))?)
}

#[cfg(test)]
mod tests {
    use super::address;
    use crate::failure::Exit;

    #[test]
    fn with_and_without_a_port() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:3478"),
            ("192.0.2.1:9", "192.0.2.1:9"),
            ("2001:db8::1", "[2001:db8::1]:3478"),
            ("[2001:db8::1]", "[2001:db8::1]:3478"),
            ("[2001:db8::1]:9", "[2001:db8::1]:9"),
        ] {
            assert_eq!(address(text, 3478).unwrap(), expected.parse().unwrap());
        }
        assert_eq!(address("host:99999", 3478).unwrap_err().exit, Exit::Usage);
        assert_eq!(address("nobody.invalid", 3478).unwrap_err().exit, Exit::Unreachable);
    }
}
