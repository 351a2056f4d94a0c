//! Every action and answer there and back, and what routers answer.

use std::time::Duration;

use machine::Transport;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{
    Action, Answer, ConnectionStatus, Error, FirewallStatus, PortMapping, StatusInfo, kind,
};
use crate::upnp::http::{Reader, Response};
use crate::upnp::soap::{Call, Reply};

fn answer(bytes: &[u8]) -> Call {
    let response: Response = Reader::new().push(bytes).unwrap().unwrap();
    match Reply::read(&response.body) {
        Ok(Reply::Answer(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_of_miniupnpd() {
    let external = answer(include_bytes!("../testdata/miniupnpd-external.http"));
    let external = Answer::read(&Action::ExternalIpAddress, &external);
    assert_eq!(external, Ok(Answer::ExternalIpAddress(Some("192.0.1.1".parse().unwrap()))));
    let none = answer(include_bytes!("../testdata/miniupnpd-not-connected.http"));
    let none = Answer::read(&Action::ExternalIpAddress, &none);
    assert_eq!(none, Ok(Answer::ExternalIpAddress(None)));
    let entry = answer(include_bytes!("../testdata/miniupnpd-entry.http"));
    let mapping = PortMapping {
        remote_host: None,
        external_port: 7000,
        transport: Transport::Udp,
        internal_port: 6001,
        internal_client: "192.168.9.101".into(),
        enabled: true,
        description: "wayleave".into(),
        lease: Duration::from_secs(604_799),
    };
    let index = Action::GenericPortMappingEntry { index: 0 };
    assert_eq!(Answer::read(&index, &entry), Ok(Answer::Entry(mapping)));
}

#[test]
fn an_answer_to_something_else_is_none() {
    let external = answer(include_bytes!("../testdata/miniupnpd-external.http"));
    let refused = Answer::read(&Action::StatusInfo, &external);
    assert_eq!(refused, Err(Error::NoSuchAction("GetExternalIPAddress".into())));
}

#[test]
fn what_routers_leave_out_and_what_they_must_not() {
    let entry = |arguments: &[(&str, &str)]| Call {
        service: kind::WAN_IP_1.into(),
        action: "GetGenericPortMappingEntry".into(),
        arguments: arguments.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
    };
    let action = Action::GenericPortMappingEntry { index: 0 };
    let least = [
        ("NewExternalPort", "1"),
        ("NewProtocol", "udp"),
        ("NewInternalPort", "2"),
        ("NewInternalClient", "host"),
    ];
    let Ok(Answer::Entry(mapping)) = Answer::read(&action, &entry(&least)) else {
        panic!("that is enough")
    };
    assert_eq!((mapping.internal_client.as_str(), mapping.enabled), ("host", true));
    assert_eq!((mapping.lease, mapping.remote_host), (Duration::ZERO, None));
    for without in 0..least.len() {
        let mut arguments = least.to_vec();
        let (name, _) = arguments.remove(without);
        assert_eq!(Answer::read(&action, &entry(&arguments)), Err(Error::Missing(name)));
        arguments.push((name, "\u{1}nonsense"));
        if name != "NewInternalClient" {
            let value = "nonsense".into();
            assert_eq!(
                Answer::read(&action, &entry(&arguments)),
                Err(Error::Invalid { name, value })
            );
        }
    }
    let mut everybody = least.to_vec();
    for host in ["*", "0.0.0.0", "::", ""] {
        everybody.push(("NewRemoteHost", host));
        assert!(Answer::read(&action, &entry(&everybody)).is_ok());
        everybody.pop();
    }
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)]
}

fn lease() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|secs| Duration::from_secs(secs.into()))
}

fn mapping() -> impl Strategy<Value = PortMapping> {
    let host =
        option::of(any::<std::net::IpAddr>().prop_filter("everybody", |ip| !ip.is_unspecified()));
    let text = "([!-~]([ -~]{0,9}[!-~])?)?";
    (host, any::<u16>(), transport(), any::<u16>(), text, any::<bool>(), text, lease()).prop_map(
        |(
            remote_host,
            external_port,
            transport,
            internal_port,
            internal_client,
            enabled,
            description,
            lease,
        )| {
            PortMapping {
                remote_host,
                external_port,
                transport,
                internal_port,
                internal_client,
                enabled,
                description,
                lease,
            }
        },
    )
}

fn exchange() -> impl Strategy<Value = (Action, Answer)> {
    let status = prop_oneof![
        Just(ConnectionStatus::Connected),
        Just(ConnectionStatus::Connecting),
        Just(ConnectionStatus::Disconnected),
        Just(ConnectionStatus::Other("PendingDisconnect".into())),
    ];
    prop_oneof![
        any::<Option<std::net::IpAddr>>()
            .prop_map(|ip| (Action::ExternalIpAddress, Answer::ExternalIpAddress(ip))),
        (status, "[A-Z_]{1,9}", lease()).prop_map(|(status, last_error, uptime)| {
            (Action::StatusInfo, Answer::StatusInfo(StatusInfo { status, last_error, uptime }))
        }),
        mapping().prop_map(|mapping| (Action::AddPortMapping(mapping), Answer::Done)),
        (mapping(), any::<u16>()).prop_map(|(mapping, port)| (
            Action::AddAnyPortMapping(mapping),
            Answer::Reserved(port)
        )),
        mapping().prop_map(|PortMapping { remote_host, external_port, transport, .. }| {
            (Action::DeletePortMapping { remote_host, external_port, transport }, Answer::Done)
        }),
        (any::<u16>(), mapping()).prop_map(|(index, mapping)| (
            Action::GenericPortMappingEntry { index },
            Answer::Entry(mapping)
        )),
        mapping().prop_map(|mapping| {
            let PortMapping { remote_host, external_port, transport, .. } = mapping;
            (
                Action::SpecificPortMappingEntry { remote_host, external_port, transport },
                Answer::Entry(mapping),
            )
        }),
        any::<(bool, bool)>().prop_map(|(enabled, pinholes_allowed)| {
            (
                Action::FirewallStatus,
                Answer::FirewallStatus(FirewallStatus { enabled, pinholes_allowed }),
            )
        }),
        (any::<std::net::Ipv6Addr>(), any::<u16>(), transport(), lease(), any::<u16>()).prop_map(
            |(internal_client, internal_port, transport, lease, id)| {
                (
                    Action::AddPinhole { internal_client, internal_port, transport, lease },
                    Answer::Pinhole(id),
                )
            }
        ),
        (any::<u16>(), lease())
            .prop_map(|(id, lease)| (Action::UpdatePinhole { id, lease }, Answer::Done)),
        any::<u16>().prop_map(|id| (Action::DeletePinhole { id }, Answer::Done)),
    ]
}

proptest! {
    #[test]
    fn read_after_write((action, answer) in exchange()) {
        let call = Call::read(&action.call(kind::WAN_IP_2).to_bytes()).unwrap();
        prop_assert_eq!(Action::read(&call), Ok(action.clone()));
        let reply = Reply::read(&answer.reply(&call).to_bytes()).unwrap();
        let Reply::Answer(given) = reply else { panic!("no fault") };
        prop_assert_eq!(Answer::read(&action, &given), Ok(answer));
    }

    #[test]
    fn no_arguments_panic(
        (action, _) in exchange(), arguments in vec(("New[A-Za-z]{1,9}", "[ -~]{0,9}"), 0..9),
        drop in 0..9_usize, value in "[ -~]{0,9}",
    ) {
        let mut call = action.call(kind::WAN_IP_1);
        if let Some(argument) = call.arguments.get_mut(drop) {
            argument.1 = value;
        }
        let _ = (Action::read(&call), Answer::read(&action, &call));
        call.arguments = arguments;
        let _ = (Action::read(&call), Answer::read(&action, &call));
    }
}
