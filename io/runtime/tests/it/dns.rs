//! Look-ups, against a name server of our own.

use machine::{Endpoint, Record, RecordData, RecordKind, ResolveError};
use runtime::{Config, Dns};
use tokio::net::UdpSocket;

use crate::probe::Run;

/// The wire form of a name.
fn labels(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// Answers every question from a short table (RFC 1035 §4).
async fn serve(socket: UdpSocket) {
    let srv = [&[0, 10, 0, 20, 0x13, 0xc4][..], &labels("sip.example.org")].concat();
    let naptr =
        [&[0, 50, 0, 60][..], b"\x01s\x07SIP+D2U\x00", &labels("_sip._udp.example.org")].concat();
    let table: [(&str, u16, Vec<u8>); 5] = [
        ("sip.example.org", 1, vec![198, 51, 100, 10]),
        ("sip.example.org", 28, vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]),
        ("_sip._udp.example.org", 33, srv),
        ("example.org", 35, naptr),
        ("example.org", 16, b"\x03one\x03two".to_vec()),
    ];
    let mut buf = [0; 512];
    loop {
        let (len, from) = socket.recv_from(&mut buf).await.unwrap();
        let query = &buf[..len];
        let end = 12 + query[12..].iter().position(|&b| b == 0).unwrap() + 5;
        let question = &query[12..end];
        let name = question[..question.len() - 4].to_ascii_lowercase();
        let kind = u16::from_be_bytes([question[question.len() - 4], question[question.len() - 3]]);
        let known = table.iter().any(|(owner, ..)| labels(owner) == name);
        let answers: Vec<_> =
            table.iter().filter(|(owner, k, _)| labels(owner) == name && *k == kind).collect();
        let mut reply = query[..2].to_vec();
        reply.extend([0x85, if known { 0x80 } else { 0x83 }]);
        reply.extend([0, 1, 0, u8::try_from(answers.len()).unwrap(), 0, 0, 0, 0]);
        reply.extend(question);
        for (_, kind, data) in answers {
            reply.extend([0xc0, 12]);
            reply.extend(kind.to_be_bytes());
            reply.extend([0, 1, 0, 0, 0, 60]);
            reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            reply.extend(data);
        }
        socket.send_to(&reply, from).await.unwrap();
    }
}

async fn asking() -> Run {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = Endpoint::from(socket.local_addr().unwrap());
    tokio::spawn(serve(socket));
    Run::with(Config { dns: Dns::Servers(vec![server]), ..Config::default() }).await
}

fn record(name: &str, data: RecordData) -> Record {
    Record { name: name.to_owned(), ttl_secs: 60, data }
}

#[tokio::test]
async fn every_kind_of_record() {
    let mut run = asking().await;
    let both = [RecordKind::A, RecordKind::Aaaa];
    let v4 = RecordData::Address("198.51.100.10".parse().unwrap());
    let v6 = RecordData::Address("2001:db8::9".parse().unwrap());
    assert_eq!(
        run.resolve("sip.example.org", &both).await,
        Ok(vec![record("sip.example.org", v4), record("sip.example.org", v6)])
    );
    let srv = RecordData::Srv {
        priority: 10,
        weight: 20,
        port: 5060,
        target: "sip.example.org".to_owned(),
    };
    assert_eq!(
        run.resolve("_sip._udp.example.org", &[RecordKind::Srv]).await,
        Ok(vec![record("_sip._udp.example.org", srv)])
    );
    let naptr = RecordData::Naptr {
        order: 50,
        preference: 60,
        flags: "s".to_owned(),
        service: "SIP+D2U".to_owned(),
        replacement: "_sip._udp.example.org".to_owned(),
    };
    assert_eq!(
        run.resolve("example.org", &[RecordKind::Naptr]).await,
        Ok(vec![record("example.org", naptr)])
    );
    assert_eq!(
        run.resolve("example.org", &[RecordKind::Txt]).await,
        Ok(vec![record("example.org", RecordData::Txt(b"onetwo".to_vec()))])
    );
}

#[tokio::test]
async fn what_is_not_there_says_why() {
    let mut run = asking().await;
    let both = [RecordKind::A, RecordKind::Aaaa];
    assert_eq!(run.resolve("nobody.example.org", &both).await, Err(ResolveError::NoSuchName));
    assert_eq!(run.resolve("example.org", &both).await, Err(ResolveError::NoRecords));
    assert_eq!(run.resolve("not..a.name", &both).await, Err(ResolveError::NoSuchName));
}

#[tokio::test]
async fn numbers_and_the_host_itself_need_no_server() {
    let mut run = Run::with(Config { dns: Dns::Servers(Vec::new()), ..Config::default() }).await;
    for (name, kind) in [
        ("192.0.2.1", RecordKind::A),
        ("2001:db8::1", RecordKind::Aaaa),
        ("[2001:db8::1]", RecordKind::Aaaa),
    ] {
        let records = run.resolve(name, &[kind]).await.unwrap();
        let ip = name.trim_matches(['[', ']']).parse().unwrap();
        assert_eq!(records[0].data, RecordData::Address(ip));
        assert_eq!(run.resolve(name, &[RecordKind::Srv]).await, Err(ResolveError::NoRecords));
    }
    let records = run.resolve("localhost", &[RecordKind::A]).await.unwrap();
    assert_eq!(records[0].data, RecordData::Address("127.0.0.1".parse().unwrap()));
}
