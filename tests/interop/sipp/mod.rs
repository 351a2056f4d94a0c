//! SIPp registers with digest and calls through the core, over UDP and TCP, IPv4 and IPv6.

use std::fs;
use std::path::Path;

use crate::harness::need::available;
use crate::harness::net::{Host, Lan};
use crate::harness::process::Process;
use crate::harness::program::{Core, DOMAIN, PASSWORD, address};

/// Where the answering sipp listens. It registers from another port, as sipp does.
const ANSWERS_ON: u16 = 5090;

/// One sipp to be started.
struct Sipp<'a> {
    host: &'a Host,
    /// Its own address.
    ip: &'a str,
    port: u16,
    /// sipp's name of the transport: `u1` or `t1`.
    transport: &'a str,
}

impl Sipp<'_> {
    /// Starts `scenario`, against `remote` when it is the one that begins.
    fn start(
        &self,
        scenario: &str,
        remote: Option<&str>,
        keys: &[(&str, &str)],
        more: &[&str],
    ) -> Process {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/sipp");
        let mut command = self.host.command("sipp");
        command.args(remote);
        command.arg("-sf").arg(folder.join(scenario));
        command.args(["-i", self.ip, "-p", &self.port.to_string(), "-t", self.transport]);
        // One call; no terminal; give up after ten seconds.
        command.args(["-m", "1", "-nostdin", "-timeout", "10", "-timeout_error"]);
        for (key, value) in keys {
            command.args(["-key", key, value]);
        }
        command.args(more);
        // It writes its error log where it stands.
        let errors = std::env::temp_dir();
        fs::create_dir_all(&errors).expect("a folder for temporary files");
        command.current_dir(errors);
        Process::start(&format!("sipp {scenario}"), command)
    }
}

/// Bob registers, Alice calls him, talks for a second and hangs up.
fn call_through_the_core(transport: &str, [core_ip, alice_ip, bob_ip]: [&str; 3]) {
    let lan = Lan::new();
    let core = Core::start(&lan.core, core_ip);
    core.add_users(&["alice", "bob"]);
    let remote = at(core_ip, 5060);
    let bob = |port| Sipp { host: &lan.bob, ip: bob_ip, port, transport };
    let alice = Sipp { host: &lan.alice, ip: alice_ip, port: 5094, transport };

    let contact = at(bob_ip, ANSWERS_ON);
    let keys = [("user", "bob"), ("domain", DOMAIN), ("contact", &contact)];
    // Left alone, sipp signs the address that it sends to, which no request is about.
    let credentials = |name, uri| ["-au", name, "-ap", PASSWORD, "-auth_uri", uri];
    bob(5092).start("register.xml", Some(&remote), &keys, &credentials("bob", DOMAIN)).succeed();

    let answering = bob(ANSWERS_ON).start("answer.xml", None, &[], &["-rtp_echo"]);
    let keys = [("user", "alice"), ("domain", DOMAIN)];
    let called = address("bob");
    let more = [&["-s", "bob", "-d", "1000"][..], &credentials("alice", &called)].concat();
    alice.start("call.xml", Some(&remote), &keys, &more).succeed();
    answering.succeed();
    core.stop();
}

fn at(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

const V4: [&str; 3] = [Lan::CORE, Lan::ALICE, Lan::BOB];
const V6: [&str; 3] = [Lan::CORE_V6, "fd77::11", "fd77::12"];

#[test]
fn calls_over_udp() {
    if available(&["sipp", "ip"]) {
        call_through_the_core("u1", V4);
    }
}

#[test]
fn calls_over_tcp() {
    if available(&["sipp", "ip"]) {
        call_through_the_core("t1", V4);
    }
}

#[test]
fn calls_over_udp_and_ipv6() {
    if available(&["sipp", "ip"]) {
        call_through_the_core("u1", V6);
    }
}

#[test]
fn calls_over_tcp_and_ipv6() {
    if available(&["sipp", "ip"]) {
        call_through_the_core("t1", V6);
    }
}
