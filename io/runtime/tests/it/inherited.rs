//! Sockets that somebody else bound before.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use machine::{BindKind, Endpoint, FailKind, Input};
use runtime::{Config, Inherited};

use crate::probe::Run;

#[tokio::test]
async fn a_bind_takes_what_was_inherited() {
    let (udp, tcp) = (UdpSocket::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let (udp, tcp) = (udp.unwrap(), tcp.unwrap());
    let at = [udp.local_addr().unwrap(), tcp.local_addr().unwrap()];
    let inherited = Inherited::none();
    inherited.add_socket(udp);
    inherited.add_listener(tcp);
    let config = Config { inherited: inherited.clone(), ..Config::default() };
    let mut run = Run::with(config).await;
    // The same port of another kind, and any port, are no business of theirs.
    run.bind(BindKind::Udp, "127.0.0.1:0").await;
    run.bind(BindKind::TcpListener, "127.0.0.1:0").await;
    assert_eq!(inherited.waiting(), (vec![at[0].into()], vec![at[1].into()]));

    let (socket, local) = run.bind(BindKind::SharedUdp, &at[0].to_string()).await;
    assert_eq!(local, at[0].into());
    run.send(socket, local, b"to myself").await;
    assert!(matches!(run.input().await, Input::Datagram { bytes: b"to myself", .. }));
    let (listener, _) = run.bind(BindKind::TcpListener, &at[1].to_string()).await;
    let _stream = std::net::TcpStream::connect(at[1]).unwrap();
    let Input::Accepted { listener: accepted, .. } = run.input().await else { panic!("accepted") };
    assert_eq!(accepted, listener);
    assert_eq!(inherited.waiting(), (Vec::new(), Vec::new()));
    // Taken once, the address is taken.
    let again = run.try_bind(BindKind::Udp, &at[0].to_string()).await;
    assert_eq!(again, Err(FailKind::AddressInUse));
}

/// Tells the test below, in a process of its own, which descriptors it ought to find.
const EXPECTED: &str = "WAYLEAVE_TEST_INHERITED";

#[test]
fn descriptors_come_through_the_environment() {
    if let Ok(expected) = std::env::var(EXPECTED) {
        let (udp, tcp) = Inherited::from_environment().waiting();
        assert_eq!(format!("{udp:?} {tcp:?}"), expected);
        // Children are not to take ours for theirs, nor we twice.
        let left = std::env::var_os("LISTEN_FDS").is_some();
        assert_eq!(left, std::env::var_os("LISTEN_PID").is_some_and(|pid| pid == "1"));
        assert_eq!(Inherited::from_environment().waiting(), (Vec::new(), Vec::new()));
        return;
    }
    let udp = UdpSocket::bind("[::1]:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let at: [Endpoint; 2] = [udp.local_addr().unwrap().into(), tcp.local_addr().unwrap().into()];
    let found = format!("[{}] [{}]", at[0], at[1]);
    let (udp, tcp) = (OwnedFd::from(udp), OwnedFd::from(tcp));
    // 3 and 4 are the sockets; 5 is none, and left alone. For another process there are none.
    for (pid, expected) in [("$$", found), ("1", "[] []".to_owned())] {
        let command = format!(
            "exec 3<&0 4<&1 5</dev/null 0</dev/null 1>&2; \
             LISTEN_FDS=3 LISTEN_PID={pid} exec \"$0\" --exact \"$1\""
        );
        let (udp, tcp) = (udp.try_clone().unwrap(), tcp.try_clone().unwrap());
        let output = Command::new("sh")
            .args(["-c", &command])
            .arg(std::env::current_exe().unwrap())
            .arg("inherited::descriptors_come_through_the_environment")
            .env(EXPECTED, expected)
            .stdin(Stdio::from(udp))
            .stdout(Stdio::from(tcp))
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "LISTEN_PID={pid}: {said}");
    }
}
