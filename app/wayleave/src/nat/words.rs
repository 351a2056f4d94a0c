//! The same for people.

use std::io::{IsTerminal as _, Write as _};

use portmap::Gateway;
use stun::behaviour::{Filtering, Finding, Mapping, Pattern, Property};
use survey::alg::Alg;
use survey::{Event, Ipv6, Layers, Report, Verdict, Way};

use crate::ui::Ui;

/// The report, line by line.
pub fn of(report: &Report, verdict: &Verdict) -> Vec<String> {
    let mut lines = vec![verdict.summary.clone(), String::new()];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<14} {value}"));
    if let Some(address) = report.address {
        row("this host", address.to_string());
    }
    if let Some(seen) = &report.ipv4 {
        let mapped =
            seen.mapped.map_or("nothing came back".to_owned(), |mapped| mapped.to_string());
        row("seen from out", mapped);
        row("mapping", finding(&seen.mapping, mapping));
        row("filtering", finding(&seen.filtering, filtering));
        row("ports", finding(&seen.ports, |ports| pattern(ports.pattern)));
        row("hairpin", finding(&seen.hairpin, yes_no));
        row("fragments", finding(&seen.fragments, |pass| either(*pass, "pass", "are lost")));
        if let Ok(lifetime) = &seen.lifetime {
            let least = lifetime.at_least.as_secs();
            row(
                "lifetime",
                match lifetime.below {
                    Some(below) => format!("{least} to {} s without traffic", below.as_secs()),
                    None => format!("more than {least} s without traffic"),
                },
            );
        }
    }
    row("UDP", report.udp().map_or_else(unknown, |udp| either(udp, "gets through", "is blocked")));
    row(
        "TCP 443",
        report.tcp443.map_or_else(unknown, |tcp| either(tcp, "gets through", "is blocked")),
    );
    row("IPv6", report.ipv6().map_or_else(unknown, ipv6));
    row(
        "NAT64",
        match report.nat64 {
            None => unknown(),
            Some(None) => "none".to_owned(),
            Some(Some(prefix)) => format!("at {prefix}"),
        },
    );
    row("SIP ALG", alg(report));
    row("NATs in a row", layers(report.layers()));
    if report.gateways.is_empty() {
        row("port mapping", "no router answers (PCP, NAT-PMP, UPnP)".to_owned());
    }
    for found in &report.gateways {
        row("port mapping", gateway(found));
    }
    if report.server.is_some() {
        lines.push(String::new());
        lines.push("  Calls with somebody behind".to_owned());
        for (kind, way) in &verdict.peers {
            let way = match way {
                Way::Direct => "go directly",
                Way::Relay => "need a relay",
                Way::Unknown => "unknown",
            };
            lines.push(format!("    {:<20} {way}", kind.to_string()));
        }
    }
    if !verdict.advice.is_empty() {
        lines.push(String::new());
        lines.push("  What would help".to_owned());
        lines.extend(verdict.advice.iter().map(|advice| format!("    - {advice}")));
    }
    if report.server.is_none() {
        lines.push(String::new());
        lines.push("  Name a server (--server HOST) to learn what the NAT does.".to_owned());
    }
    lines
}

/// A gateway in one line.
pub fn gateway(gateway: &Gateway) -> String {
    let outside = match (&gateway.trouble, gateway.external) {
        (Some(trouble), _) => format!("; {trouble}"),
        (None, Some(external)) => format!(", outside {external}"),
        (None, None) => String::new(),
    };
    let name = gateway.details.as_ref().map_or_else(String::new, |details| {
        let name: String =
            details.friendly_name.chars().filter(|c| !c.is_control()).take(60).collect();
        format!(" \"{name}\", IGD {}", details.version)
    });
    format!("{} at {}{name}{outside}", gateway.protocol, gateway.address)
}

fn finding<T>(finding: &Finding<T>, words: impl FnOnce(&T) -> String) -> String {
    finding.as_ref().map_or_else(|why| format!("unknown: {why}"), words)
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn either(is: bool, yes: &str, no: &str) -> String {
    if is { yes } else { no }.to_owned()
}

fn yes_no(is: &bool) -> String {
    either(*is, "yes", "no")
}

fn mapping(mapping: &Mapping) -> String {
    match mapping {
        Mapping::None => "none: no NAT",
        Mapping::EndpointIndependent => "one address for all destinations (endpoint-independent)",
        Mapping::AddressDependent => "another one for every address (address-dependent)",
        Mapping::AddressAndPortDependent => {
            "another one for every address and port (address- and port-dependent)"
        }
    }
    .to_owned()
}

fn filtering(filtering: &Filtering) -> String {
    match filtering {
        Filtering::EndpointIndependent => "everybody comes in (endpoint-independent)",
        Filtering::AddressDependent => "addresses that were sent to (address-dependent)",
        Filtering::AddressAndPortDependent => {
            "addresses and ports that were sent to (address- and port-dependent)"
        }
    }
    .to_owned()
}

fn pattern(pattern: Pattern) -> String {
    match pattern {
        Pattern::Preserved => "kept".to_owned(),
        Pattern::Sequential { step } => format!("one after the other, {step} apart"),
        Pattern::Random => "at random".to_owned(),
    }
}

fn ipv6(ipv6: Ipv6) -> String {
    match ipv6 {
        Ipv6::None => "no address",
        Ipv6::Unreachable => "an address, and nothing comes back",
        Ipv6::Works => "works",
        Ipv6::Open => "works, and everybody comes in",
    }
    .to_owned()
}

fn alg(report: &Report) -> String {
    match &report.alg {
        None => "unknown: no SIP server answered".to_owned(),
        Some(Err(why)) => format!("unknown: {why}"),
        Some(Ok(Alg::None)) => "none: messages come as they were sent".to_owned(),
        Some(Ok(Alg::Altered(changes))) => {
            let first = changes.first();
            let line = first.and_then(|change| change.came.clone().or_else(|| change.sent.clone()));
            let line: String =
                line.unwrap_or_default().chars().filter(|c| !c.is_control()).take(70).collect();
            format!("yes: messages are rewritten on the way (`{line}`)")
        }
    }
}

fn layers(layers: Layers) -> String {
    match layers {
        Layers::Single => "one",
        Layers::Double => "two or more: the router's address outside is not what the world sees",
        Layers::Carrier => "two or more, one of them the provider's (CGN)",
        Layers::Unknown => "unknown",
    }
    .to_owned()
}

/// What is under way, on a terminal.
pub struct Progress {
    visible: bool,
}

impl Progress {
    pub fn new(ui: &Ui) -> Self {
        let progress = Self { visible: std::io::stderr().is_terminal() && !ui.is_json() };
        progress.show("asking …");
        progress
    }

    /// One more thing is known.
    pub fn tell(&self, event: &Event) {
        let text = match event {
            Event::Learned(Property::Reached { mapped, .. }) => format!("seen as {mapped} …"),
            Event::Learned(Property::Mapping(found)) => {
                format!("mapping: {} …", finding(found, mapping))
            }
            Event::Learned(Property::Filtering(found)) => {
                format!("filtering: {} …", finding(found, filtering))
            }
            Event::Learned(Property::Lives(time)) => {
                format!("a mapping lives for {} s …", time.as_secs())
            }
            Event::Gateway(found) => format!("{} …", gateway(found)),
            _ => return,
        };
        self.show(&text);
    }

    fn show(&self, text: &str) {
        if self.visible {
            let text: String = text.chars().take(76).collect();
            let _ = write!(std::io::stderr(), "\r\x1b[2K{text}");
        }
    }

    /// Clears the line.
    pub fn end(&self) {
        if self.visible {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}
