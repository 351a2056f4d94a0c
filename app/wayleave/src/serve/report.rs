//! What the core tells people and programs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use machine::Transport;
use serde_json::{Value, json};
use server::{Address, Event, Places, Service};
use store::Store;

use super::identity::Shown;
use crate::config::Config;
use crate::events::transport_name;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Where phones look for a core's TURN server.
const TURN_PORT: u16 = 3478;

/// Tells what happens.
pub struct Report {
    ui: Ui,
    domain: String,
    accounts: Accounts,
    /// Why the core cannot serve, as far as it is known before it is ready.
    failure: Option<Failure>,
    /// What it must do without.
    warnings: Vec<String>,
    http: Option<SocketAddr>,
    certificate: Option<Certificate>,
    ready: bool,
}

/// The certificate that clients see.
struct Certificate {
    path: String,
    fingerprint: String,
    /// Whether nobody vouches for it.
    own: bool,
}

/// What was in the store at the start.
struct Accounts {
    path: String,
    /// Of the domain that is served.
    count: usize,
}

impl Report {
    pub fn new(ui: Ui, config: &Config, store: &Store, shown: Option<&Shown>) -> Self {
        let domain = config.domain.to_lowercase();
        let all = store.accounts().unwrap_or_default();
        let count = all.iter().filter(|account| account.address.domain() == domain).count();
        let accounts = Accounts { path: store.path().display().to_string(), count };
        let certificate = shown.map(|shown| Certificate {
            path: shown.path.display().to_string(),
            fingerprint: shown.fingerprint(),
            own: shown.own,
        });
        let (failure, warnings, http, ready) = (None, Vec::new(), None, false);
        Self { ui, domain, accounts, failure, warnings, http, certificate, ready }
    }

    /// Tells an event; a failure when the core cannot serve.
    pub fn event(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::ListenFailed { address, cause, remedy } => {
                self.listen_failed(&address, &cause, remedy);
            }
            Event::Ready { addresses, places } => {
                if let Some(failure) = self.failure.take() {
                    return Err(failure);
                }
                self.ready(&addresses, &places);
            }
            Event::Registered { address, contact, remote, expires } => {
                tracing::info!("a user has registered");
                self.ui.event(
                    "registered",
                    json!({
                        "address": address,
                        "contact": contact,
                        "remote": remote.to_string(),
                        "expires_secs": expires.as_secs(),
                    }),
                );
            }
            Event::Relay(_) | Event::Allocated { .. } | Event::Released { .. } | Event::Drained => {
            }
            Event::SessionStarted { jid, remote, transport } => {
                tracing::info!("a user has logged in over XMPP");
                let (remote, transport) = (remote.to_string(), transport_name(transport));
                self.ui.event(
                    "session_started",
                    json!({ "jid": jid, "remote": remote, "transport": transport }),
                );
            }
            Event::SessionEnded { jid, remote, cause } => {
                tracing::info!(?cause, "an XMPP session is over");
                let (remote, cause) = (remote.to_string(), format!("{cause:?}").to_lowercase());
                let fields = json!({ "jid": jid, "remote": remote, "cause": cause });
                self.ui.event("session_ended", fields);
            }
            Event::Unregistered { address } => {
                tracing::info!("a user is not registered any more");
                self.ui.event("unregistered", json!({ "address": address }));
            }
        }
        Ok(())
    }

    /// What the core must do without, or what is hardly meant; told once it is ready.
    pub fn warn(&mut self, warning: String) {
        if self.ready {
            self.ui.warn(warning);
        } else {
            self.warnings.push(warning);
        }
    }

    /// Metrics and health are told here.
    pub fn telling(&mut self, http: SocketAddr) {
        self.http = Some(http);
    }

    /// The configuration was read again; `restart` are the keys that only count after a restart.
    pub fn reloaded(&self, restart: &[&str]) {
        tracing::info!(?restart, "the configuration was read again");
        self.ui.event("reloaded", json!({ "needs_restart": restart }));
        self.ui.say("read the configuration again");
        if !restart.is_empty() {
            let keys = restart.join(", ");
            self.ui.warn(format!("{keys}: what changed there counts after a restart"));
        }
    }

    /// The configuration cannot be read again: everything stays as it was.
    pub fn not_reloaded(&self, failure: &Failure) {
        let Failure { message, remedy, .. } = failure;
        self.ui.event("reload_failed", json!({ "message": message, "remedy": remedy }));
        self.ui.warn(format!("the configuration stays as it was: {message}"));
        if let Some(remedy) = remedy {
            self.ui.warn(format!("remedy: {remedy}"));
        }
    }

    /// No new work is taken; so many relayed addresses are still in use, and so many XMPP clients are
    /// sent away.
    pub fn draining(&self, allocations: u64, connections: u64, limit: Duration) {
        tracing::info!(allocations, connections, ?limit, "draining");
        let secs = limit.as_secs();
        self.ui.event(
            "draining",
            json!({ "allocations": allocations, "connections": connections, "limit_secs": secs }),
        );
        self.ui.say(format!(
            "draining: {allocations} relayed addresses are in use, and have {secs} s to end; \
             {connections} XMPP clients are sent away; Ctrl-C stops at once"
        ));
    }

    /// The core has stopped.
    pub fn stopped(&self) {
        if self.ready {
            self.ui.say("stopped");
        }
    }

    /// Without one of SIP's or XMPP's listeners the core would only seem to serve; without one of
    /// TURN's, calls that need no relay go on, and there is still STUN on SIP's port (RFC 5626 §3.5.2).
    fn listen_failed(&mut self, address: &Address, cause: &str, mut remedy: String) {
        let message = format!("cannot listen on {}: {cause}", address.local);
        if address.service == Service::Xmpp {
            remedy += "; xmpp.ports = [] and xmpp.tls_ports = [] serve no XMPP";
        }
        if address.service == Service::Stun {
            let instead = "nobody can find out there what a NAT does";
            self.warnings.push(format!("{message}; {instead} ({remedy})"));
        } else if address.service == Service::Turn {
            let instead = "nobody is relayed there, and STUN is answered on SIP's port alone";
            self.warnings.push(format!("{message}; {instead} ({remedy})"));
        } else {
            let failure = || Failure::new(Exit::Failed, "bind", message).with_remedy(remedy);
            self.failure.get_or_insert_with(failure);
        }
    }

    fn ready(&mut self, addresses: &[Address], places: &[Places]) {
        self.ready = true;
        let Self { ui, domain, accounts, warnings, certificate, .. } = self;
        warnings.drain(..).for_each(|warning| ui.warn(warning));
        let listed: Vec<_> = addresses.iter().flat_map(fields).collect();
        let http = self.http.map(|at| at.to_string());
        let tls = certificate.as_ref().map(Certificate::fields);
        ui.event(
            "ready",
            json!({
                "domain": domain,
                "addresses": listed,
                "nat_discovery": places.iter().map(primary).collect::<Vec<_>>(),
                "http": http,
                "tls": tls,
                "turn_flag": turn_flag(addresses, domain),
            }),
        );
        ui.say(format!("{} {}", ui.paint("1", "wayleave serves"), ui.paint("1", domain)));
        for service in [Service::Sip, Service::Turn, Service::Stun, Service::Xmpp] {
            for address in addresses.iter().filter(|address| address.service == service) {
                let (name, transport) = (service_name(service), transport_name(address.transport));
                ui.say(format!("  {name:<5}{transport}  {}", address.local));
            }
        }
        if let Some(flag) = turn_flag(addresses, domain) {
            ui.say(format!("  phones look for TURN on port 3478; this one is found with {flag}"));
        }
        match places {
            [] => ui.say("  clients cannot find out what their NAT does: that takes two addresses"),
            places => places.iter().for_each(|places| {
                ui.say(format!("  clients find out at {} what their NAT does", primary(places)));
            }),
        }
        if let Some(at) = self.http {
            ui.say(format!("  HTTP tcp  {at} (/metrics, /healthz)"));
        }
        if let Some(certificate) = certificate {
            certificate.words(domain).iter().for_each(|line| ui.say(line));
        }
        let path = &accounts.path;
        match accounts.count {
            0 => {
                ui.say(format!(
                    "  no account of {domain} yet in {path}; while this runs, add one:"
                ));
                let folder = std::path::Path::new(path).parent();
                let data = match folder
                    .filter(|folder| store::data_folder().as_deref() != Some(*folder))
                {
                    Some(folder) => format!(" --data {}", folder.display()),
                    None => String::new(),
                };
                ui.say(format!("  wayleave user add alice@{domain}{data}"));
            }
            1 => ui.say(format!("  1 account, in {path}")),
            n => ui.say(format!("  {n} accounts, in {path}")),
        }
        ui.say("Ctrl-C stops it");
    }
}

/// Where a client that wants to know its NAT asks first.
fn primary(places: &Places) -> String {
    places.primary().to_string()
}

/// An address by each of the services on it: STUN is TURN's over UDP (RFC 8656 §5).
fn fields(address: &Address) -> Vec<Value> {
    let entry = |service: &str| {
        json!({
            "service": service,
            "transport": transport_name(address.transport),
            "address": address.local.to_string(),
            "ip": address.local.ip(),
            "port": address.local.port(),
        })
    };
    match (address.service, address.transport) {
        (Service::Sip, _) => vec![entry("sip")],
        (Service::Turn, Transport::Udp) => vec![entry("stun"), entry("turn")],
        (Service::Turn, _) => vec![entry("turn")],
        (Service::Stun, _) => vec![entry("stun")],
        (Service::Xmpp, _) => vec![entry("xmpp")],
    }
}

/// The flag by which phones find a TURN server that is not where they look for one: on port 3478 of
/// the core's host (RFC 8656 §18).
fn turn_flag(addresses: &[Address], domain: &str) -> Option<String> {
    let udp = |address: &&Address| {
        address.service == Service::Turn && address.transport == Transport::Udp
    };
    let mut found = addresses.iter().filter(udp).map(|address| address.local).peekable();
    let first = *found.peek()?;
    if found.any(|local| local.port() == TURN_PORT) {
        return None;
    }
    let (ip, port) = (first.ip(), first.port());
    let host = match ip {
        ip if ip.is_unspecified() => domain.to_owned(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    Some(format!("--turn turn:{host}:{port}"))
}

const fn service_name(service: Service) -> &'static str {
    match service {
        Service::Sip => "SIP",
        Service::Turn => "TURN",
        Service::Stun => "STUN",
        Service::Xmpp => "XMPP",
    }
}

impl Certificate {
    fn fields(&self) -> Value {
        let Self { path, fingerprint, own } = self;
        json!({ "certificate": path, "sha256": fingerprint, "own": own })
    }

    /// For people: what to tell those who have to know it.
    fn words(&self, domain: &str) -> Vec<String> {
        let Self { path, fingerprint, own } = self;
        if !own {
            return vec![format!("  certificate sha256:{fingerprint}, of {path}")];
        }
        vec![
            format!(
                "  certificate of its own, in {path}; nobody vouches for it, so clients pin it:"
            ),
            format!("  {domain} sha256:{fingerprint}"),
        ]
    }
}
