//! A core that runs: what it tells, what signals tell it, how it ends.

use runtime::{Certificates, Handle, Inherited};
use server::Event;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::level_filters::LevelFilter;

use super::accounts::Accounts;
use super::core::Core;
use super::defaults::{ACCOUNTS_INTERVAL, SHORTAGE_INTERVAL, SUMMARY_INTERVAL};
use super::metrics::Snapshot;
use super::pages::Watch;
use super::report::Report;
use super::shortage::Shortage;
use super::{Args, identity, messaging, notify, relaying, sound};
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::signal::{Signal, Signals};
use turn::server::Refusal;

/// Whatever can be changed while the core runs, and what it was last.
pub struct Control<C> {
    pub args: Args,
    pub config: Config,
    pub core: Handle<C>,
    pub accounts: Accounts,
    pub watch: Watch<C>,
    pub certificates: Certificates,
    pub inherited: Inherited,
    pub report: Report,
}

/// How a round of control ends.
enum Next {
    Go,
    /// No new work; what is under way may end until then.
    Drain(Instant),
    End(Result<(), Failure>),
}

impl<C: Core> Control<C> {
    /// Serves until the core cannot, or is told to stop and has nothing left to do.
    pub async fn serve(
        &mut self,
        events: &mut mpsc::Receiver<Event>,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let mut end: Option<Instant> = None;
        let mut before = None;
        let mut summary = Instant::now() + SUMMARY_INTERVAL;
        let mut check = Instant::now() + ACCOUNTS_INTERVAL;
        let (mut look, mut shortage) = (Instant::now() + SHORTAGE_INTERVAL, Shortage::default());
        loop {
            let limit = async {
                match end {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                event = events.recv() => self.event(event),
                signal = signals.next() => self.signal(signal, end.is_some()).await,
                () = limit => {
                    tracing::warn!("what was left after the time to drain is cut off");
                    Next::End(Ok(()))
                }
                () = sleep_until(summary) => {
                    summary = Instant::now() + SUMMARY_INTERVAL;
                    self.summarise(&mut before).await;
                    Next::Go
                }
                () = sleep_until(check) => {
                    self.end_what_accounts_lost().await;
                    check = Instant::now() + ACCOUNTS_INTERVAL;
                    Next::Go
                }
                () = sleep_until(look) => {
                    look = Instant::now() + SHORTAGE_INTERVAL;
                    self.warn_of_shortage(&mut shortage).await;
                    Next::Go
                }
            };
            match next {
                Next::Go => {}
                Next::Drain(limit) => end = Some(limit),
                Next::End(outcome) => return outcome,
            }
        }
    }

    fn event(&mut self, event: Option<Event>) -> Next {
        match event {
            Some(Event::Drained) => Next::End(Ok(())),
            Some(event) => {
                let ready = matches!(event, Event::Ready { .. });
                if ready {
                    self.warn_of_unused();
                }
                match self.report.event(event) {
                    Ok(()) => {
                        if ready {
                            notify::ready();
                        }
                        Next::Go
                    }
                    Err(failure) => Next::End(Err(failure)),
                }
            }
            None => Next::End(Err(Failure::new(Exit::Failed, "failed", "the core has died"))),
        }
    }

    /// Sockets that were passed in vain are most likely a mistake in two files that do not agree.
    fn warn_of_unused(&mut self) {
        let (udp, tcp) = self.inherited.waiting();
        for (name, at) in udp.iter().map(|at| ("udp", at)).chain(tcp.iter().map(|at| ("tcp", at))) {
            self.report.warn(format!(
                "the inherited socket {name} {at} is none of the addresses to listen on"
            ));
        }
    }

    async fn signal(&mut self, signal: Signal, draining: bool) -> Next {
        match signal {
            Signal::HangUp => {
                notify::reloading();
                match self.reload().await {
                    Ok(restart) => self.report.reloaded(&restart),
                    Err(failure) => self.report.not_reloaded(&failure),
                }
                notify::ready();
                Next::Go
            }
            Signal::Interrupt => Next::End(Err(Failure::interrupted())),
            Signal::Terminate if draining => Next::End(Ok(())),
            Signal::Terminate => self.drain().await,
        }
    }

    /// Takes no new work; ends at once if there is none.
    async fn drain(&mut self) -> Next {
        notify::stopping();
        self.watch.drain();
        let verb = self.core.verb(|core, now| {
            // As it is before: connections that are told to end are no longer counted.
            let stats = core.get().stats();
            core.get_mut().drain(now);
            (stats.turn.allocations, stats.xmpp.connections)
        });
        match verb.await {
            Ok((allocations, connections)) if allocations + connections > 0 => {
                let limit = self.config.drain.0;
                self.report.draining(allocations, connections, limit);
                Next::Drain(Instant::now() + limit)
            }
            Ok(_) | Err(runtime::Stopped) => Next::End(Ok(())),
        }
    }

    /// Reads the configuration again and does what it says, or nothing of it. Names the keys that
    /// only a restart would bring.
    async fn reload(&mut self) -> Result<Vec<&'static str>, Failure> {
        let config = self.args.config()?;
        let (turn, xmpp) = (relaying::turn_config(&config)?, messaging::limits(&config));
        // What needs a restart stays as it is, and so does the certificate of its domain.
        let identity = Config { tls: config.tls.clone(), ..self.config.clone() };
        let identity = identity::find(&identity)?;
        set_log(&config)?;
        if let Some(shown) = identity {
            self.certificates.replace(&shown.identity).map_err(|e| identity::refused(&e))?;
        }
        self.core
            .verb(move |core, _| core.get_mut().reload(turn, xmpp))
            .await
            .map_err(|stopped| Failure::new(Exit::Failed, "failed", stopped.to_string()))?;
        sound::doubts(&config).into_iter().for_each(|doubt| self.report.warn(doubt));
        let restart = fixed(&self.config, &config);
        self.config = config;
        Ok(restart)
    }

    /// Ends the sessions and registrations of accounts that are gone or have another password.
    async fn end_what_accounts_lost(&mut self) {
        let changed = self.accounts.changed().await;
        if changed.is_empty() {
            return;
        }
        tracing::info!(accounts = changed.len(), "sessions of accounts that have changed end");
        let ended = self.core.verb(move |core, now| {
            for address in changed {
                core.get_mut().disconnect(now, &address.to_string());
            }
        });
        // A core that has stopped has no sessions.
        let _ = ended.await;
    }

    /// Warns that there are too few ports or descriptors for those who ask.
    async fn warn_of_shortage(&self, shortage: &mut Shortage) {
        let Some(snapshot) = self.watch.snapshot().await else { return };
        let turn = &snapshot.stats.turn;
        if let Some(refused) = shortage.news(Instant::now(), turn.refused(Refusal::Capacity)) {
            let allocations = turn.allocations;
            tracing::warn!(
                refused,
                allocations,
                "clients were refused with 508: no port of relay.ports is free, no descriptor is \
                 left, or turn.quotas.total is reached"
            );
        }
    }

    /// Logs what was refused since the last time, a line for all of it.
    async fn summarise(&self, before: &mut Option<Snapshot>) {
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        let Some(now) = self.watch.snapshot().await else { return };
        let refused = |snapshot: &Snapshot, cause| snapshot.stats.turn.refused(cause);
        let news = Refusal::ALL.iter().filter_map(|&cause| {
            let since = before.as_ref().map_or(0, |before| refused(before, cause));
            let count = refused(&now, cause) - since;
            (count > 0).then(|| format!("{} {count}", cause.name()))
        });
        let news: Vec<String> = news.collect();
        let dropped = now.relayed().dropped();
        let dropped = dropped - before.as_ref().map_or(0, |before| before.relayed().dropped());
        if !news.is_empty() || dropped > 0 {
            let allocations = now.stats.turn.allocations;
            let refused = news.join(", ");
            tracing::info!(allocations, refused, dropped, "relaying, since the last summary");
        }
        *before = Some(now);
    }
}

/// Logs what the configuration says.
pub fn set_log(config: &Config) -> Result<(), Failure> {
    let filter = config.log.as_deref();
    let level = unknown_level(filter.unwrap_or_default());
    let known = level.map_or(Ok(()), |level| Err(format!("{level:?} is no level")));
    known.and_then(|()| logging::set(filter)).map_err(|why| {
        Failure::configuration(format!("log: {why}"))
            .with_remedy("write log = \"info\", or a filter like \"info,wayleave_turn=debug\"")
    })
}

/// A word of the filter that stands where a level must. Tracing would take it for a part of the
/// program, and log that part alone.
fn unknown_level(filter: &str) -> Option<&str> {
    let words = filter.split(',').map(str::trim);
    let mut bare = words.filter(|word| !word.is_empty() && !word.contains(['=', '[', ']']));
    bare.find(|word| word.parse::<LevelFilter>().is_err())
}

/// The keys that differ and are not read again.
fn fixed(old: &Config, new: &Config) -> Vec<&'static str> {
    let differs = [
        ("domain", old.domain != new.domain),
        ("listen", old.listen != new.listen),
        ("data", old.data != new.data),
        ("external_address", old.external_address != new.external_address),
        ("sip", old.sip != new.sip),
        ("xmpp.ports", old.xmpp.ports != new.xmpp.ports),
        ("xmpp.tls_ports", old.xmpp.tls_ports != new.xmpp.tls_ports),
        ("stun", old.stun != new.stun),
        ("turn.ports", old.turn.ports != new.turn.ports),
        ("turn.tls_ports", old.turn.tls_ports != new.turn.tls_ports),
        ("relay", old.relay != new.relay),
        // The listeners for TLS are there or not since the start.
        ("tls", old.tls.certificate.is_some() != new.tls.certificate.is_some()),
        ("http", old.http != new.http),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::{fixed, unknown_level};
    use crate::config::Config;

    #[test]
    fn levels_are_known() {
        for filter in ["", "info", "off", "WARN", "info,wayleave_turn=debug", "info, udp=trace"] {
            assert_eq!(unknown_level(filter), None, "{filter}");
        }
        assert_eq!(unknown_level("info,wran"), Some("wran"));
        assert_eq!(unknown_level("loud"), Some("loud"));
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let old = Config::default();
        let mut new = old.clone();
        new.turn.lifetime = Some("30s".parse().unwrap());
        new.turn.quotas.user = 1;
        new.turn.allow_peers = vec!["10.0.0.0/8".parse().unwrap()];
        new.log = Some("info".to_owned());
        new.xmpp.limits.sessions = 1;
        assert_eq!(fixed(&old, &new), [""; 0]);
        new.domain = "example.net".to_owned();
        new.relay.ports = "50000-50100".parse().unwrap();
        new.tls.certificate = Some("fullchain.pem".into());
        assert_eq!(fixed(&old, &new), ["domain", "relay", "tls"]);
    }
}
