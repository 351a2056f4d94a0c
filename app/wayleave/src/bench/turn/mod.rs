//! `wayleave bench turn`: allocations on any TURN server, and packets through them.

mod churn;
mod client;
mod flow;
mod gauge;
mod link;
mod report;
mod setup;
mod stage;
mod tls;
mod traffic;
mod users;
mod wire;

use std::net::{IpAddr, SocketAddr};

use clap::ValueEnum;
use machine::Entropy;

use self::client::Client;
use self::flow::Via;
use self::report::Report;
use self::stage::Stage;
use self::traffic::Direction;
use super::load::{Outcome, Refusal};
use super::{cpu, memory};
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// What to load, and with what.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The server: HOST or HOST:PORT
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// How the clients reach it
    #[arg(long, value_enum, default_value_t = Transport::Udp)]
    transport: Transport,
    /// How many allocations, a client each
    #[arg(short, long, default_value_t = 100)]
    allocations: usize,
    /// Who sends to whom
    #[arg(long, value_enum, default_value_t = Direction::ClientToPeer)]
    direction: Direction,
    /// How data travels between client and server
    #[arg(long, value_enum, default_value_t = Via::Channel)]
    via: Via,
    /// Bytes of payload in a packet
    #[arg(long, value_name = "BYTES", default_value_t = 172,
          value_parser = clap::value_parser!(u16).range(8..=9000))]
    size: u16,
    /// Packets of one flow that leave in one go (UDP_SEGMENT)
    #[arg(long, value_name = "PACKETS", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    train: u16,
    /// Packets in all; 0 measures allocations alone
    #[arg(short = 'n', long, default_value_t = 200_000)]
    packets: u64,
    /// Packets or requests under way at a time
    #[arg(short, long, default_value_t = 64,
          value_parser = clap::value_parser!(u64).range(1..))]
    window: u64,
    /// Packets a second; without it as many as the window lets through
    #[arg(long, value_name = "PACKETS")]
    rate: Option<u64>,
    #[command(flatten)]
    users: users::Args,
    /// The address of the peer, which is opened here
    #[arg(long, value_name = "IP:PORT")]
    peer: Option<SocketAddr>,
    /// The server's process, to measure its CPU time and its memory (children counted)
    #[arg(long)]
    pid: Option<u32>,
    /// So many generations of clients that vanish without a word; says how the memory of the server
    /// grows
    #[arg(long, value_name = "GENERATIONS", requires = "pid", conflicts_with = "bare")]
    churn: Option<usize>,
    /// The server is no TURN server but `bench/forward.c`
    #[arg(long, hide = true, conflicts_with_all = ["via", "transport"])]
    bare: bool,
}

impl Args {
    /// The port that is usual for the transport (RFC 8656 §2.1).
    pub const fn port(&self) -> u16 {
        match self.transport {
            Transport::Udp | Transport::Tcp => 3478,
            Transport::Tls => 5349,
        }
    }

    /// Finds what clap cannot.
    fn check(&self) -> Result<(), Failure> {
        if self.allocations == 0 {
            return Err(Failure::usage("-a wants one allocation at least"));
        }
        if self.direction == Direction::ClientToClient && !self.allocations.is_multiple_of(2) {
            let message = "clients send to each other in pairs: -a wants an even number";
            return Err(Failure::usage(message));
        }
        if let Some(pid) = self.pid {
            let measurable = cpu::used(pid).and_then(|_| memory::held(pid));
            measurable.map_err(|e| Failure::usage(format!("--pid {pid}: {e:#}")))?;
        }
        Ok(())
    }
}

/// How clients reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// UDP
    Udp,
    /// TCP
    Tcp,
    /// TLS, whatever the certificate
    Tls,
}

/// Loads `server` from the address `local`, and prints what it costs.
pub fn run(
    args: &Args,
    server: SocketAddr,
    local: IpAddr,
    entropy: Entropy,
    ui: &Ui,
) -> Result<(), Failure> {
    args.check()?;
    // A server's ports end sooner or later, and so do ours: what cannot be opened says so.
    let _ = runtime::raise_descriptor_limit();
    let mut stage = Stage::set(args, server, local, entropy)?;
    if let (Some(generations), Some(pid)) = (args.churn, args.pid) {
        return churn::run(generations, pid, args, &mut stage, ui);
    }
    let mut clients = stage.connect()?;
    let mut report = Report::default();
    let ended = load(args, &mut stage, &mut clients, &mut report);
    report.tell(args, ui);
    if !args.bare {
        stage.release(clients);
    }
    ended
}

fn load(
    args: &Args,
    stage: &mut Stage<'_>,
    clients: &mut [Client],
    report: &mut Report,
) -> Result<(), Failure> {
    let flows = if args.bare {
        stage.forwarded(clients)?
    } else {
        let (outcome, _) = report.allocate.insert(stage.allocate(clients)?);
        all_granted(outcome, args)?;
        if args.packets == 0 {
            return Ok(());
        }
        let (outcome, _) = report.permit.insert(stage.permit(clients)?);
        all_granted(outcome, args)?;
        stage.flows(clients)
    };
    report.trial = Some(stage.try_out(clients, &flows)?);
    report.traffic = Some(stage.pass(args.packets, clients, &flows)?);
    Ok(())
}

/// Allocation Quota Reached (RFC 8656 §18.12).
const QUOTA_REACHED: u16 = 486;

/// Packets want every allocation and permission.
fn all_granted(outcome: &Outcome, args: &Args) -> Result<(), Failure> {
    match (&outcome.refusal, outcome.lost) {
        (Some(Refusal::Unauthorized), _) if !args.users.has_password() => {
            let message = "the server asks for a password, and none was given";
            Err(Failure::new(Exit::Authentication, "authentication", message)
                .with_remedy("give it with --password-file FILE"))
        }
        (Some(refusal @ Refusal::Code(QUOTA_REACHED, _)), _) => {
            let message = format!("the server refused: {refusal}");
            Err(Failure::new(Exit::Failed, "refused", message)
                .with_remedy("use --users, or raise turn.quotas.user on the server"))
        }
        (Some(Refusal::Unauthorized), _) => {
            let message = "the server did not accept the password";
            Err(Failure::new(Exit::Authentication, "authentication", message))
        }
        (Some(refusal), _) => {
            Err(Failure::new(Exit::Failed, "refused", format!("the server refused: {refusal}")))
        }
        (None, 0) => Ok(()),
        (None, lost) => {
            let message = format!("{lost} requests were not answered");
            Err(Failure::new(Exit::Unreachable, "unreachable", message)
                .with_remedy("check the address, and that the server runs"))
        }
    }
}
