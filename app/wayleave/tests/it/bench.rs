//! The load generators against a core of our own.

use crate::program::{Stage, events, run, stderr};

#[test]
fn stun_and_registrations() {
    let stage = Stage::set();
    let (server, pid) = (stage.core.address("sip", "udp"), stage.core.process.pid().to_string());
    let password = stage.file("password");
    let users = ["--password-file", password.to_str().unwrap()];
    for (what, more) in [("stun", &[] as &[&str]), ("register", &users)] {
        let load = ["--json", "bench", what, &server, "-n", "300", "-w", "8", "--pid", &pid];
        let output = run(&[&load, more].concat(), &stage.file("."), "");
        assert!(output.status.success(), "{what}: {}", stderr(&output));
        let told = events(&output).remove(0);
        assert_eq!((&told["event"], &told["what"]), (&"bench".into(), &what.into()));
        let number = |name: &str| told[name].as_f64().unwrap();
        assert_eq!((number("done"), number("refused"), number("lost")), (300.0, 0.0, 0.0));
        assert!(number("rate_per_sec") > 0.0);
        if cfg!(target_os = "linux") {
            assert!(number("cpu_us_per_operation") > 0.0);
        }
    }
}

#[test]
fn several_users_in_turn() {
    let stage = Stage::set();
    stage.add("user0");
    stage.add("user1");
    let (server, password) = (stage.core.address("sip", "udp"), stage.file("password"));
    let load = ["--json", "bench", "register", &server, "-n", "20", "--user", "user"];
    let users = ["--users", "2", "--password-file", password.to_str().unwrap()];
    let output = run(&[&load as &[&str], &users].concat(), &stage.file("."), "");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(events(&output)[0]["done"], 20);
}

#[test]
fn a_wrong_password_and_a_server_that_is_not_there() {
    let stage = Stage::set();
    let server = stage.core.address("sip", "udp");
    let password = stage.file("wrong");
    std::fs::write(&password, "wrong").unwrap();
    let load = ["--json", "bench", "register", &server, "-n", "5"];
    let wrong = ["--password-file", password.to_str().unwrap()];
    let refused = run(&[&load as &[&str], &wrong].concat(), &stage.file("."), "");
    assert_eq!(refused.status.code(), Some(10), "{}", stderr(&refused));

    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let lost = run(&["--json", "bench", "stun", &address, "-n", "3"], &stage.file("."), "");
    assert_eq!(lost.status.code(), Some(14), "{}", stderr(&lost));
    let told = events(&lost);
    assert_eq!((&told[0]["lost"], &told[1]["kind"]), (&3.into(), &"unreachable".into()));
}
