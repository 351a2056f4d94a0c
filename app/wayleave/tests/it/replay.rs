//! What a core did on real sockets, it does again when its inputs are replayed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::path::Path;

use machine::Entropy;
use machine::journal::{ReplayError, replay};
use server::{Config, Server};

use crate::program::{Core, Stage, run};
use crate::serve::{BINDING, ask, register};

#[test]
fn a_journal_replays_byte_for_byte() {
    let data = tempfile::tempdir().unwrap();
    let journal = data.path().join("journal");
    let recorded = ["--journal", journal.to_str().unwrap(), "--seed", "7"];
    let core = Core::start(&recorded, data.path());
    run(&["user", "add", "alice", "--password-stdin"], data.path(), "secret\n");
    let udp = core.address("sip", "udp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = socket.local_addr().unwrap().to_string();
    ask(&socket, &udp, &BINDING);
    ask(&socket, &udp, register("UDP", &local, "").as_bytes());
    socket.send_to(b"this is no SIP at all\r\n\r\n", &udp).unwrap();
    let mut stream = TcpStream::connect(core.address("sip", "tcp")).unwrap();
    let local = stream.local_addr().unwrap().to_string();
    stream.write_all(register("TCP", &local, "").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    assert_eq!(core.stop("TERM").code, Some(0));

    let journal = fs::read(&journal).unwrap();
    let secret = kept_secret(data.path());
    assert!(replayed(&journal, 7, secret).unwrap() > 6, "too few steps for what happened");
    assert!(replayed(&journal, 8, secret).is_err());
}

#[test]
fn whole_calls_replay() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let recorded = ["--journal", journal.to_str().unwrap(), "--seed", "7"];
    let mut stage = Stage::at("127.0.0.1", &recorded);
    let bob = stage.answer("bob", &[]);
    for transport in ["udp", "tcp"] {
        let flags = ["--transport", transport, "--duration", "300ms"];
        let alice = stage.call("bob@localhost", "alice", &flags).end();
        assert_eq!(alice.code, Some(0), "{alice:#?}");
    }
    let nobody = stage.call("nobody@localhost", "alice", &["--transport", "tcp"]).end();
    assert_eq!(nobody.code, Some(14), "{nobody:#?}");
    assert_eq!(bob.stop("INT").code, Some(130));
    assert!(stage.core.process.interrupt("TERM").success());

    let journal = fs::read(&journal).unwrap();
    let secret = kept_secret(&stage.file(""));
    assert!(replayed(&journal, 7, secret).unwrap() > 50, "too few steps for what happened");
}

/// The secret that a core keeps in its data folder: its flow tokens are made with it, whatever the seed.
fn kept_secret(data: &Path) -> [u8; 32] {
    let secret = store::Store::open(&data.join("wayleave")).unwrap().secret("xmpp.salts").unwrap();
    secret.reveal().try_into().unwrap()
}

/// The number of steps, if a core like the recorded one does the same at each.
fn replayed(journal: &[u8], seed: u64, secret: [u8; 32]) -> Result<usize, ReplayError> {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let config = Config {
        listeners: Config::listeners_at(ip, true).to_vec(),
        salt_secret: Some(secret),
        ..Config::new("localhost", [ip])
    };
    replay(journal, &mut Server::new(config, &Entropy::seeded(seed)))
}
