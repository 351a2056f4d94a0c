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

/// Runs `bench turn` as Alice; the last event and the exit code.
fn bench_turn(stage: &Stage, transport: &str, more: &[&str]) -> (serde_json::Value, Option<i32>) {
    let over = if transport == "udp" { "udp" } else { "tcp" };
    let (server, password) = (stage.core.address("turn", over), stage.file("password"));
    let load = ["--json", "bench", "turn", &server, "--transport", transport, "-w", "16"];
    let user = ["--password-file", password.to_str().unwrap()];
    let output = run(&[&load as &[&str], &user, more].concat(), &stage.file("."), "");
    (events(&output).remove(0), output.status.code())
}

#[test]
fn turn_in_every_direction() {
    let stage = Stage::at("127.0.0.1", &["--set", r#"turn.allow_peers=["127.0.0.0/8"]"#]);
    let pid = stage.core.process.pid().to_string();
    for (transport, via) in [("udp", "channel"), ("udp", "send"), ("tcp", "channel")] {
        for direction in ["client-to-peer", "peer-to-client", "client-to-client"] {
            let what = ["--direction", direction, "--via", via, "--pid", &pid, "-a", "4"];
            let amount = ["-n", "60", "--train", "3"];
            let (told, code) = bench_turn(&stage, transport, &[&what[..], &amount].concat());
            assert_eq!((code, &told["what"]), (Some(0), &"turn".into()), "{told}");
            for step in ["allocate", "permit"] {
                assert_eq!(told[step]["done"], 4, "{told}");
            }
            let traffic = &told["traffic"];
            assert_eq!((&traffic["sent"], &traffic["lost"]), (&60.into(), &0.into()), "{told}");
        }
    }
}

#[test]
fn what_a_relay_refuses() {
    let stage = Stage::set();
    // At an address of its own, the relay reaches other relayed addresses alone.
    let (told, code) = bench_turn(&stage, "udp", &["-a", "2", "-n", "10"]);
    assert_eq!((&told["permit"]["done"], code), (&2.into(), Some(14)), "{told}");
    if cfg!(target_os = "linux") {
        let loopback = ["--peer", "127.0.0.2:0", "-a", "2", "-n", "10"];
        let (told, code) = bench_turn(&stage, "udp", &loopback);
        assert_eq!((&told["permit"]["refused"], code), (&2.into(), Some(1)), "{told}");
    }
    let (told, code) = bench_turn(&stage, "udp", &["-a", "1", "--user", "nobody"]);
    assert_eq!((&told["allocate"]["refused"], code), (&1.into(), Some(10)), "{told}");
    let (told, code) = bench_turn(&stage, "udp", &["-a", "2", "-n", "0"]);
    assert_eq!((&told["allocate"]["done"], code), (&2.into(), Some(0)), "{told}");
}

#[test]
fn nobody_listens_and_wrong_usage() {
    let stage = Stage::set();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let turn = ["bench", "turn", &free, "-a", "2"];
    for (more, code) in [
        (&[] as &[&str], 14),
        (&["--transport", "tcp"], 14),
        (&["--transport", "tls"], 14),
        (&["-a", "0"], 2),
        (&["--pid", "4294967295"], 2),
    ] {
        let turn = if more.contains(&"-a") { &turn[..3] } else { &turn[..] };
        let output = run(&[turn, more].concat(), &stage.file("."), "");
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", stderr(&output));
    }
    let stun = run(&["--json", "bench", "stun", &free, "-n", "3"], &stage.file("."), "");
    assert_eq!((stun.status.code(), &events(&stun)[0]["lost"]), (Some(14), &3.into()));
}

#[test]
fn refused_loads_leave_nothing_behind() {
    let stage = Stage::at("127.0.0.1", &["--set", "turn.quotas.user=3"]);
    let server = stage.core.address("turn", "udp");
    let password = stage.file("password");
    let user = ["--password-file", password.to_str().unwrap(), "-n", "0"];
    let load = |allocations| {
        let load = ["bench", "turn", &server, "-a", allocations];
        run(&[&load, &user[..]].concat(), &stage.file("."), "")
    };
    let refused = load("4");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("turn.quotas.user"), "{}", stderr(&refused));
    // Were the three that it got still there, this would be refused as well.
    let granted = load("3");
    assert_eq!(granted.status.code(), Some(0), "{}", stderr(&granted));

    let unknown = run(&["bench", "turn", &server, "-a", "1", "-n", "0"], &stage.file("."), "");
    assert_eq!(unknown.status.code(), Some(10));
    assert!(stderr(&unknown).contains("--password-file"), "{}", stderr(&unknown));
}
