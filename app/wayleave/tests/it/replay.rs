//! What a core did on real sockets, it does again when its inputs are replayed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};

use machine::Entropy;
use machine::journal::replay;
use server::{Config, Server};

use crate::program::{Core, run};
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

    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let core = || Config {
        listeners: Config::listeners_at(ip, true).to_vec(),
        ..Config::new("localhost", [])
    };
    let journal = fs::read(&journal).unwrap();
    let steps = replay(&journal, &mut Server::new(core(), &Entropy::seeded(7))).unwrap();
    assert!(steps > 6, "{steps} steps are too few for what happened");
    assert!(replay(&journal, &mut Server::new(core(), &Entropy::seeded(8))).is_err());
}
