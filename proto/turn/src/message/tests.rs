use std::time::Duration;

use machine::Endpoint;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use stun::{Builder, ErrorCode, Message, Method, TransactionId};

use crate::attribute::{AddressError, Family, IcmpError, RelayTransport};
use crate::channel::ChannelNumber;
use crate::message::{TurnBuilder, TurnMessage, UNDERSTOOD};

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<std::net::IpAddr>(), any::<u16>()).prop_map(|(ip, port)| Endpoint::new(ip, port))
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

proptest! {
    #[test]
    fn addresses_and_packets(
        peers in vec(endpoint(), 0..5), relayed in vec(endpoint(), 0..3),
        data in option::of(vec(any::<u8>(), 0..50)), number in 0x4000..0x8000_u16, id: [u8; 12],
    ) {
        let number = ChannelNumber::new(number).unwrap();
        let mut builder = Builder::indication(Method::SEND, TransactionId(id));
        peers.iter().for_each(|peer| { builder.peer_address(*peer); });
        relayed.iter().for_each(|relayed| { builder.relayed_address(*relayed); });
        data.iter().for_each(|data| { builder.data(data); });
        builder.channel_number(number);
        let bytes = builder.finish();
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!(message.peer_address(), peers.first().copied());
        let found: Option<Vec<_>> = message.peer_addresses().collect();
        prop_assert_eq!(found, Some(peers));
        prop_assert_eq!(message.relayed_addresses().collect::<Vec<_>>(), relayed);
        prop_assert_eq!(message.data(), data.as_deref());
        prop_assert_eq!(message.channel_number(), Some(number));
        prop_assert_eq!(message.unknown_required(UNDERSTOOD), vec![]);
    }

    #[test]
    fn what_allocate_says(
        secs: u32, requested in family(), additional in family(), reserve: bool,
        transport: u8, token: [u8; 8], ticket in vec(any::<u8>(), 0..100), id: u32,
        (kind, code, mtu) in (0..0x80_u8, 0..0x200_u16, any::<u32>()),
    ) {
        let lifetime = Duration::from_secs(secs.into());
        let transport = RelayTransport::from_value(transport);
        let icmp = IcmpError { kind, code, data: mtu };
        let error = AddressError { family: additional, error: ErrorCode::new(440) };
        let mut builder = Builder::request(Method::ALLOCATE, TransactionId([1; 12]));
        builder.lifetime(lifetime).requested_address_family(requested);
        builder.additional_address_family(additional).address_error(error).even_port(reserve);
        builder.requested_transport(transport).dont_fragment().reservation_token(token);
        builder.icmp(icmp).connection_id(id).mobility_ticket(&ticket);
        let bytes = builder.finish();
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!(message.lifetime(), Some(lifetime));
        prop_assert_eq!(message.requested_address_family(), Some(Ok(requested)));
        prop_assert_eq!(message.additional_address_family(), Some(Ok(additional)));
        prop_assert_eq!(message.address_error(), Some(error));
        prop_assert_eq!(message.even_port(), Some(reserve));
        prop_assert_eq!(message.requested_transport(), Some(transport));
        prop_assert!(message.dont_fragment());
        prop_assert_eq!(message.reservation_token(), Some(token));
        prop_assert_eq!(message.icmp(), Some(icmp));
        prop_assert_eq!(message.connection_id(), Some(id));
        prop_assert_eq!(message.mobility_ticket(), Some(&ticket[..]));
        prop_assert_eq!(message.unknown_required(UNDERSTOOD), vec![]);
    }

    /// Any value under any of the types: a getter gives something or nothing.
    #[test]
    fn values_of_any_kind_never_panic(attributes in vec((0..0x30_u16, vec(any::<u8>(), 0..30)), 0..10)) {
        let mut builder = Builder::request(Method::ALLOCATE, TransactionId([1; 12]));
        for (kind, value) in attributes {
            // Most of TURN's types, and those from 0x8000 on.
            let kind = if kind < 0x28 { kind } else { 0x8000 | kind & 7 };
            if kind != 8 && kind != 0x1c {
                builder.attribute(stun::AttributeType(kind), &value);
            }
        }
        let bytes = builder.finish();
        let message = Message::parse(&bytes).unwrap();
        let _ = (message.channel_number(), message.lifetime(), message.peer_address());
        let _ = (message.peer_addresses().count(), message.relayed_addresses().count());
        let _ = (message.data(), message.requested_address_family(), message.icmp());
        let _ = (message.additional_address_family(), message.address_error());
        let _ = (message.even_port(), message.requested_transport(), message.dont_fragment());
        let _ = (message.reservation_token(), message.connection_id(), message.mobility_ticket());
    }
}

#[test]
fn a_malformed_peer_is_told_from_a_missing_one() {
    let mut builder = Builder::request(Method::CREATE_PERMISSION, TransactionId([1; 12]));
    builder.attribute(stun::AttributeType::XOR_PEER_ADDRESS, &[0; 5]);
    let bytes = builder.finish();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.peer_addresses().collect::<Vec<_>>(), [None]);
    assert_eq!(message.even_port(), None);
}
