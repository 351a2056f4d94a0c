//! The relay on real sockets: reload, drain, metrics, health, credentials, certificates.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use machine::{Endpoint, Entropy};
use stun::long_term::Verdict;
use stun::{Builder, Class, Credentials, LongTerm, Message, Method, TransactionId};
use turn::{RelayTransport, TurnBuilder as _};

use crate::program::{Core, PASSWORD, PATIENCE, Process, events, run, stderr, wayleave};
use crate::serve::ask;

/// A core with an account, started from a file that a test may write anew.
struct Relay {
    core: Core,
    file: PathBuf,
    folder: tempfile::TempDir,
}

impl Relay {
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let added = run(&["user", "add", "alice", "--password-stdin"], folder.path(), PASSWORD);
        assert!(added.status.success(), "{}", stderr(&added));
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let file = folder.path().join("wayleave.toml");
        std::fs::write(&file, config).unwrap();
        let flags = ["--config", file.to_str().unwrap(), "--set", "http.listen=127.0.0.1:0"];
        let core = Core::start(&flags, folder.path());
        Self { core, file, folder }
    }

    fn alice(&self) -> Client {
        Client::new(&self.core.address("turn", "udp"), "alice", PASSWORD)
    }

    /// What a page says: its status and its text.
    fn get(&self, path: &str) -> (u16, String) {
        get(self.core.ready["http"].as_str().unwrap(), path)
    }

    /// Waits until the page of metrics has this line: counters of other threads come a little late.
    fn wait_for_metric(&self, line: &str) {
        let start = Instant::now();
        loop {
            let (status, page) = self.get("/metrics");
            assert_eq!(status, 200);
            if page.lines().any(|found| found == format!("wayleave_{line}")) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no {line} in {page}");
        }
    }

    /// Writes another configuration and has it read.
    fn reload(&mut self, config: &str, told: &str) -> serde_json::Value {
        std::fs::write(&self.file, config).unwrap();
        self.core.process.signal("HUP");
        self.core.process.wait_for(told)
    }

    /// Loads the relay; gives how many packets came through.
    fn load(&self, more: &[&str]) -> u64 {
        let server = self.core.address("turn", "udp");
        let password = self.folder.path().join("password");
        let load = ["bench", "turn", &server, "--password-file", password.to_str().unwrap()];
        let told = Process::start(&[&load, more].concat(), self.folder.path()).end();
        assert_eq!(told.code, Some(0), "{told:#?}");
        let bench = told.event("bench");
        assert_eq!(bench["traffic"]["lost"], 0, "{bench}");
        let count = |what: &str| bench[what]["received"].as_u64().unwrap();
        count("trial") + count("traffic")
    }
}

fn get(server: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: core\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let status = page.split(' ').nth(1).unwrap().parse().unwrap();
    (status, page.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// A client that says what it is told to.
struct Client {
    socket: UdpSocket,
    server: String,
    auth: LongTerm,
    entropy: Entropy,
}

impl Client {
    fn new(server: &str, user: &str, password: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let auth = LongTerm::new(Credentials::new(user, password.as_bytes()).unwrap());
        let entropy = Entropy::seeded(u64::from(port));
        Self { socket, server: server.to_owned(), auth, entropy }
    }

    /// Sends a request, and again with the answer to its challenge; gives the error's code, 0 for a
    /// success.
    fn request(&mut self, method: Method, build: impl Fn(&mut Builder)) -> u16 {
        loop {
            let id = TransactionId::random(&mut self.entropy);
            let mut request = Builder::request(method, id);
            build(&mut request);
            self.auth.authenticate(&mut request);
            let request = request.finish();
            let answer = ask(&self.socket, &self.server, &request);
            let (request, answer) =
                (Message::parse(&request).unwrap(), Message::parse(&answer).unwrap());
            if self.auth.handle_response(&request, &answer) == Verdict::Retry {
                continue;
            }
            return match answer.class() {
                Class::Success => 0,
                _ => answer.error_code().unwrap().code,
            };
        }
    }

    fn allocate(&mut self) -> u16 {
        self.request(Method::ALLOCATE, |request| {
            request.requested_transport(RelayTransport::Udp);
        })
    }

    fn refresh(&mut self, secs: u64) -> u16 {
        self.request(Method::REFRESH, |request| {
            request.lifetime(std::time::Duration::from_secs(secs));
        })
    }

    fn permit(&mut self, peer: &str) -> u16 {
        let peer: Endpoint = format!("{peer}:0").parse().unwrap();
        self.request(Method::CREATE_PERMISSION, |request| {
            request.peer_address(peer);
        })
    }
}

const LOOPBACK: &str = "[turn]\nallow_peers = [\"127.0.0.0/8\"]\n";

#[test]
fn metrics_are_what_the_load_counts() {
    let relay = Relay::start(LOOPBACK);
    assert_eq!(relay.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(relay.get("/elsewhere").0, 404);
    let mut packets = Vec::new();
    for direction in ["client-to-peer", "peer-to-client", "client-to-client"] {
        let flags = ["-a", "4", "-n", "400", "--size", "100", "--direction", direction];
        packets.push((direction.replace('-', "_"), relay.load(&flags)));
    }
    for (direction, count) in packets {
        let label = format!("{{direction=\"{direction}\"}}");
        relay.wait_for_metric(&format!("turn_relayed_packets_total{label} {count}"));
        relay.wait_for_metric(&format!("turn_relayed_bytes_total{label} {}", 100 * count));
    }
    assert_ne!(relay.alice().permit("127.0.0.1"), 0);
    let mut mallory = Client::new(&relay.core.address("turn", "udp"), "mallory", "guess");
    assert_eq!(mallory.allocate(), 401);
    relay.wait_for_metric("auth_failures_total{service=\"turn\"} 1");
}

#[test]
fn a_reload_counts_at_once_and_loses_nobody() {
    let mut relay = Relay::start("");
    let mut alice = relay.alice();
    assert_eq!(alice.allocate(), 0);
    assert_eq!(alice.permit("127.0.0.2"), 403);

    let told = relay.reload(LOOPBACK, "reloaded");
    assert_eq!(told["needs_restart"], serde_json::json!([]));
    assert_eq!(alice.permit("127.0.0.2"), 0);

    // An error keeps everything as it was, and names file, line and remedy.
    let told = relay.reload("[turn]\nallow_peers = [\"nobody\"]\n", "reload_failed");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("wayleave.toml:2: ") && message.contains("nobody"), "{message}");
    assert!(told["remedy"].is_string());
    let told = relay.reload("[turn]\nshared_secret_file = \"none\"\n", "reload_failed");
    assert!(told["message"].as_str().unwrap().contains("turn.shared_secret_file"), "{told}");
    assert_eq!(alice.permit("127.0.0.2"), 0);

    let told = relay.reload("domain = \"example.net\"\n[relay]\nthreads = 1\n", "reloaded");
    assert_eq!(told["needs_restart"], serde_json::json!(["domain", "relay"]));
    assert_eq!(alice.permit("127.0.0.2"), 403);
    assert_eq!(alice.refresh(600), 0, "the allocation is still there");
}

#[test]
fn no_packet_is_lost_by_a_reload() {
    let mut relay = Relay::start(LOOPBACK);
    let server = relay.core.address("turn", "udp");
    let password = relay.folder.path().join("password");
    let load = ["bench", "turn", &server, "--password-file", password.to_str().unwrap()];
    let load = Process::start(
        &[&load[..], &["-a", "4", "-n", "100000", "--rate", "25000"]].concat(),
        relay.folder.path(),
    );
    // Packets pass before the first reload, and are left to pass after the last.
    let passed = |relay: &Relay| {
        let (_, page) = relay.get("/metrics");
        let name = "wayleave_turn_relayed_packets_total{direction=\"client_to_peer\"} ";
        page.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).unwrap()
    };
    let start = Instant::now();
    while passed(&relay) < 1000 {
        assert!(start.elapsed() < PATIENCE, "no load");
    }
    for _ in 0..3 {
        relay.reload(LOOPBACK, "reloaded");
    }
    assert!(passed(&relay) < 100_000, "the load had ended before");
    let told = load.end();
    assert_eq!(told.event("bench")["traffic"]["lost"], 0, "{told:#?}");
}

#[test]
fn a_core_that_drains_waits_for_the_last_allocation() {
    let mut relay = Relay::start("drain = \"10m\"");
    let mut alice = relay.alice();
    assert_eq!(alice.allocate(), 0);
    relay.core.process.signal("TERM");
    assert_eq!(relay.core.process.wait_for("draining")["allocations"], 1);
    assert_eq!(relay.get("/healthz"), (503, "draining\n".to_owned()));
    assert_eq!(relay.alice().allocate(), 508);
    assert_eq!(alice.refresh(600), 0, "who is there goes on");
    assert_eq!(alice.refresh(0), 0);
    let end = relay.core.process.end();
    assert_eq!(end.code, Some(0), "{end:#?}");
}

#[test]
fn who_drains_sends_clients_elsewhere_and_is_cut_short_by_a_second_signal() {
    for (signal, code) in [("TERM", 0), ("INT", 130)] {
        let mut relay =
            Relay::start("drain = \"10m\"\n[turn]\nalternate_server = \"192.0.2.9:3478\"");
        assert_eq!(relay.alice().allocate(), 0);
        relay.core.process.signal("TERM");
        relay.core.process.wait_for("draining");
        assert_eq!(relay.alice().allocate(), 300);
        let end = relay.core.stop(signal);
        assert_eq!(end.code, Some(code), "{end:#?}");
    }
}

#[test]
fn draining_has_a_limit() {
    let mut relay = Relay::start("drain = \"100ms\"");
    assert_eq!(relay.alice().allocate(), 0);
    relay.core.process.signal("TERM");
    relay.core.process.wait_for("draining");
    assert_eq!(relay.core.process.end().code, Some(0));
}

#[test]
fn a_shared_secret_lies_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("turn-secret");
    std::fs::write(&file, "a secret\n").unwrap();
    let file = file.to_str().unwrap();
    let core = Core::start(&["--set", &format!("turn.shared_secret_file={file}")], folder.path());
    // openssl dgst -sha1 -hmac 'a secret' -binary | base64, of 4000000000:alice
    let allocate = |user| {
        let server = core.address("turn", "udp");
        Client::new(&server, user, "mCjxZrMi2EHiHr5XmXgKAuBH9VQ=").allocate()
    };
    assert_eq!(allocate("4000000000:alice"), 0);
    assert_eq!(allocate("4000000001:alice"), 401);
}

#[test]
fn the_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut state = [0; 100];
        let len = manager.recv(&mut state).unwrap();
        String::from_utf8_lossy(&state[..len]).into_owned()
    };
    let serve = ["serve", "--ports", "auto", "--listen", "127.0.0.1"];
    let mut core = wayleave(&serve, folder.path()).env("NOTIFY_SOCKET", &path).spawn().unwrap();
    let signal = |signal: &str| {
        let kill = format!("kill -{signal} {}", core.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    assert_eq!(told(), "READY=1");
    signal("HUP");
    assert_eq!([told(), told()], ["RELOADING=1", "READY=1"]);
    signal("TERM");
    assert_eq!(told(), "STOPPING=1");
    assert!(core.wait().unwrap().success());
}

#[test]
fn a_socket_that_was_passed_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    // Held here as well: whoever binds the address anew fails.
    let passed = listener.try_clone().unwrap();
    let pass = "exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
    let program = env!("CARGO_BIN_EXE_wayleave");
    let mut core = Command::new("sh")
        .args(["-c", pass, program, "--json", "serve", "--ports", "auto", "--listen", &at])
        .env("XDG_DATA_HOME", folder.path())
        .stdin(OwnedFd::from(passed))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(core.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("\"ready\""), "{line}");
    let mut stream = TcpStream::connect(&at).unwrap();
    stream.write_all(b"\r\n\r\n").unwrap();
    // The answer to a keepalive (RFC 5626 §4.4.1).
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    core.kill().unwrap();
    core.wait().unwrap();
}

/// The textual encoding of RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let at = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit > chunk.len() { '=' } else { DIGITS[at as usize].into() });
        }
    }
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A certificate and its key in a folder.
pub(crate) fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = pem("CERTIFICATE", made.cert.der());
    std::fs::write(folder.join("cert.pem"), certificate).unwrap();
    let key = pem("PRIVATE KEY", &made.signing_key.serialize_der());
    std::fs::write(folder.join("key.pem"), key).unwrap();
}

#[test]
fn tls_is_there_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let file = folder.path().join("wayleave.toml");
    std::fs::write(&file, "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let mut core = Core::start(&config, folder.path());
    TcpStream::connect(core.address("turn", "tls")).unwrap();
    // Another pair is taken; a key that does not belong to the certificate is not.
    certificate(folder.path());
    core.process.signal("HUP");
    core.process.wait_for("reloaded");
    let other = tempfile::tempdir().unwrap();
    certificate(other.path());
    std::fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    core.process.signal("HUP");
    let told = core.process.wait_for("reload_failed");
    assert!(told["message"].as_str().unwrap().contains("tls.key"), "{told}");
    assert_eq!(core.stop("TERM").code, Some(0));

    let listen = ["serve", "--json", "--ports", "auto", "--listen", "127.0.0.1"];
    let refused = run(&[&listen[..], &config].concat(), folder.path(), "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(events(&refused)[0]["message"].as_str().unwrap().contains("tls.certificate"));
    let checked = run(&[&["config", "check"], &config[..]].concat(), folder.path(), "");
    assert_eq!(checked.status.code(), Some(2));
    let half = ["--set", "tls.key=key.pem"];
    let refused = run(&[&listen[..], &half].concat(), folder.path(), "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("remedy:"));
}
