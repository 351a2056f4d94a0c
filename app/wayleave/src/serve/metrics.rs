//! What the core counts, as Prometheus reads it (OpenMetrics 1.0).

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use relay::{Cause, Counters, Tally};
use server::Stats;
use turn::server::Refusal;
use udp::PlaneCounters;
use xmpp::server::Refusal as XmppRefusal;

use super::world::Queue;

/// What the page is, for HTTP.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Numbers of one name.
#[derive(Clone, Debug)]
pub struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    /// The name of the label that tells them apart; a family without one has one number.
    label: &'static str,
    samples: Vec<(String, u64)>,
}

/// What there is to tell.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What the core counted.
    pub stats: Stats,
    /// What the data plane counted, if there is one.
    pub plane: PlaneCounters,
    /// The queues between the core and its surroundings.
    pub queues: [Queue; 2],
    /// Whether no new work is taken.
    pub draining: bool,
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Family {
    counters(name, help, "", [("", value)])
}

fn counters<'a>(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    samples: impl IntoIterator<Item = (&'a str, u64)>,
) -> Family {
    let samples = samples.into_iter().map(|(at, value)| (at.to_owned(), value)).collect();
    Family { name, help, kind: MetricType::Counter, label, samples }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Family {
    Family { kind: MetricType::Gauge, ..counter(name, help, value) }
}

impl Snapshot {
    /// What was relayed, on the data plane and off it.
    pub fn relayed(&self) -> Counters {
        self.stats.turn.relay.plus(&self.plane.relay)
    }

    /// Everything, by family.
    pub fn families(&self) -> Vec<Family> {
        let version = env!("CARGO_PKG_VERSION");
        let build = counters("build_info", "The version that runs", "version", [(version, 1)]);
        let mut families = vec![
            Family { kind: MetricType::Gauge, ..build },
            gauge("draining", "Whether no new work is taken", u64::from(self.draining)),
        ];
        families.extend(self.turn());
        families.extend(self.relay());
        families.extend(self.sip());
        families.extend(self.xmpp());
        families.extend(self.inside());
        families
    }

    fn turn(&self) -> Vec<Family> {
        let turn = &self.stats.turn;
        let refusals = Refusal::ALL.iter().map(|&cause| (cause.name(), turn.refused(cause)));
        vec![
            gauge("turn_allocations", "Allocations now", turn.allocations),
            counter("turn_allocated", "Allocations made", turn.allocated),
            counter(
                "turn_allocated_over_streams",
                "Allocations made over TCP and TLS",
                turn.allocated_over_streams,
            ),
            counter("turn_allocated_tcp", "Allocations of TCP made", turn.allocated_tcp),
            counter("turn_moved", "Allocations that moved with their client", turn.moved),
            gauge("turn_connections", "Connections of clients now", turn.connections),
            gauge("turn_peer_connections", "Connections of peers now", turn.peer_connections),
            counters("turn_refusals", "Requests refused, by cause", "cause", refusals),
        ]
    }

    fn relay(&self) -> Vec<Family> {
        let (turn, relayed) = (&self.stats.turn, self.relayed());
        let ways = |number: fn(&Tally) -> u64| {
            [
                ("client_to_peer", number(&relayed.client_to_peer)),
                ("peer_to_client", number(&relayed.peer_to_client)),
                ("client_to_client", number(&relayed.client_to_client)),
            ]
        };
        let causes = Cause::ALL.iter().map(|&cause| (cause.name(), relayed.drops(cause)));
        let drops = causes
            .chain([("slow_client", turn.stream_drops), ("send_failed", self.plane.send_failed)]);
        vec![
            counters(
                "turn_relayed_packets",
                "Datagrams relayed",
                "direction",
                ways(|tally| tally.packets),
            ),
            counters(
                "turn_relayed_bytes",
                "Bytes of data in the datagrams relayed",
                "direction",
                ways(|tally| tally.bytes),
            ),
            counter("turn_spliced_bytes", "Bytes relayed between connections", turn.spliced_bytes),
            counters("turn_drops", "Datagrams dropped, by cause", "cause", drops),
        ]
    }

    fn sip(&self) -> Vec<Family> {
        let Stats { sip, proxy, .. } = &self.stats;
        let (received, sent) = (sip.received, sip.sent);
        let codes: Vec<(String, u64)> =
            self.stats.refusals.iter().map(|(code, n)| (code.to_string(), *n)).collect();
        let codes = codes.iter().map(|(code, n)| (code.as_str(), *n));
        let faults = [
            ("malformed", sip.malformed),
            ("invalid", sip.invalid),
            ("stray", sip.stray),
            ("overload", sip.overload + proxy.overload),
            ("slow_peer", sip.dropped),
            ("connection_limit", sip.refused_conns),
        ];
        vec![
            gauge("sip_addresses", "Addresses of record with bindings now", self.stats.addresses),
            counter(
                "sip_registrations",
                "REGISTERs that changed bindings",
                self.stats.registrations,
            ),
            counters(
                "sip_messages",
                "Messages, keepalives left out",
                "direction",
                [("in", received), ("out", sent)],
            ),
            counter("sip_retransmissions", "Messages sent again", sip.retransmitted),
            counter("sip_forwarded", "Requests forwarded", proxy.forwarded),
            counter("sip_challenges", "Challenges sent", self.stats.challenges),
            counters("sip_refusals", "Responses of the core's own from 400 on", "code", codes),
            counters("sip_faults", "Messages and connections not taken", "cause", faults),
            gauge("sip_connections", "Connections now", sip.conns),
            gauge("sip_transactions", "Transactions now", sip.clients + sip.servers),
        ]
    }

    fn xmpp(&self) -> Vec<Family> {
        let xmpp = &self.stats.xmpp;
        let refusals = XmppRefusal::ALL.iter().map(|&cause| (cause.name(), xmpp.refused(cause)));
        let stanzas = [("in", xmpp.stanzas_in), ("out", xmpp.stanzas_out)];
        vec![
            gauge("xmpp_connections", "Connections of clients now", xmpp.connections),
            gauge("xmpp_sessions", "Sessions now", xmpp.sessions),
            counter("xmpp_sessions_started", "Sessions started", xmpp.sessions_started),
            counters("xmpp_stanzas", "Stanzas", "direction", stanzas),
            counters(
                "xmpp_refusals",
                "Connections, streams and stanzas refused",
                "cause",
                refusals,
            ),
            counter(
                "xmpp_derivations",
                "Keys derived from passwords that clients sent, those of unknown users among them",
                xmpp.derivations,
            ),
            counter(
                "xmpp_pauses",
                "Clients not read for a while, for they were too fast",
                xmpp.pauses,
            ),
        ]
    }

    fn inside(&self) -> Vec<Family> {
        let Self { stats, plane, queues, .. } = self;
        let failures = [
            ("sip", stats.wrong_proofs),
            ("turn", stats.turn.refused(Refusal::Credentials)),
            ("xmpp", stats.xmpp.refused(XmppRefusal::Credentials)),
        ];
        let bindings =
            [("sip", stats.stun_answered), ("turn", stats.turn.bindings + plane.bindings)];
        let waiting = queues.iter().map(|&(name, waiting, _)| (name, waiting));
        let waiting = waiting.chain([
            ("sip_answers", stats.questions),
            ("turn_answers", stats.turn.waiting),
            ("xmpp_answers", stats.xmpp.waiting),
        ]);
        let full = queues.iter().map(|&(name, _, full)| (name, full));
        let full = full.chain([("control", plane.control_dropped)]);
        vec![
            counters(
                "auth_failures",
                "Wrong passwords, unknown users, credentials whose time is over",
                "service",
                failures,
            ),
            counters("stun_bindings", "Binding requests answered", "service", bindings),
            counter(
                "plane_to_control",
                "Datagrams that the data plane left to the core",
                plane.control,
            ),
            Family {
                kind: MetricType::Gauge,
                ..counters("queue_length", "What waits in a queue now", "queue", waiting)
            },
            counters("queue_dropped", "What found a queue full", "queue", full),
        ]
    }
}

/// The page.
pub fn text(families: Vec<Family>) -> String {
    let mut registry = Registry::with_prefix("wayleave");
    registry.register_collector(Box::new(Page(families)));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("a String takes what is written");
    page
}

#[derive(Debug)]
struct Page(Vec<Family>);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for Family { name, help, kind, label, samples } in &self.0 {
            let mut metric = encoder.encode_descriptor(name, help, None, *kind)?;
            if let ("", [(_, value)]) = (*label, samples.as_slice()) {
                number(*kind, *value, metric)?;
                continue;
            }
            for (at, value) in samples {
                number(*kind, *value, metric.encode_family(&[(*label, at.as_str())])?)?;
            }
        }
        Ok(())
    }
}

fn number(kind: MetricType, value: u64, to: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(to),
        _ => ConstGauge::new(value).encode(to),
    }
}

#[cfg(test)]
mod tests {
    use server::Stats;
    use udp::PlaneCounters;

    use super::{Snapshot, text};

    fn snapshot() -> Snapshot {
        Snapshot {
            stats: Stats::default(),
            plane: PlaneCounters::default(),
            queues: [("events", 3, 1), ("questions", 0, 0)],
            draining: false,
        }
    }

    #[test]
    fn every_line_is_one_that_prometheus_reads() {
        let page = text(snapshot().families());
        assert!(page.ends_with("# EOF\n"), "{page}");
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("wayleave_"), "{line}");
            assert!(value.parse::<u64>().is_ok(), "{line}");
        }
        let version = env!("CARGO_PKG_VERSION");
        assert!(page.contains(&format!("wayleave_build_info{{version=\"{version}\"}} 1\n")));
        assert!(page.contains("wayleave_queue_length{queue=\"events\"} 3\n"), "{page}");
        assert!(page.contains("wayleave_turn_refusals_total{cause=\"quota\"} 0\n"), "{page}");
        assert!(page.contains("wayleave_turn_allocations 0\n"), "{page}");
        assert!(page.contains("wayleave_xmpp_refusals_total{cause=\"flood\"} 0\n"), "{page}");
    }

    #[test]
    fn what_the_plane_and_the_core_relayed_is_one_number() {
        let mut snapshot = snapshot();
        snapshot.stats.turn.relay.client_to_peer = relay::Tally { packets: 2, bytes: 20 };
        snapshot.plane.relay.client_to_peer = relay::Tally { packets: 5, bytes: 50 };
        let page = text(snapshot.families());
        let line = "wayleave_turn_relayed_packets_total{direction=\"client_to_peer\"} 7\n";
        assert!(page.contains(line), "{page}");
    }
}
