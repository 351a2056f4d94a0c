//! TURN's attributes in STUN messages: one getter and one builder each (RFC 8656 §18,
//! RFC 6062 §6.2, RFC 8016 §3.5).

use std::time::Duration;

use machine::Endpoint;
use stun::{AttributeType, Builder, Message};

use crate::attribute::{AddressError, Family, IcmpError, RelayTransport};
use crate::channel::ChannelNumber;
use crate::defaults::MAX_TICKET_BYTES;

/// The comprehension-required attributes that a TURN server or client understands.
pub const UNDERSTOOD: &[AttributeType] = &[
    AttributeType::MAPPED_ADDRESS,
    AttributeType::USERNAME,
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::CHANNEL_NUMBER,
    AttributeType::LIFETIME,
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::DATA,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::EVEN_PORT,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::DONT_FRAGMENT,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::CONNECTION_ID,
];

/// The getters: nothing when the attribute is missing or its value malformed.
/// [`Message::attribute`] tells one from the other.
pub trait TurnMessage<'a> {
    /// CHANNEL-NUMBER, if it is a number that channels have.
    fn channel_number(&self) -> Option<ChannelNumber>;
    /// LIFETIME, whole seconds.
    fn lifetime(&self) -> Option<Duration>;
    /// The first XOR-PEER-ADDRESS.
    fn peer_address(&self) -> Option<Endpoint>;
    /// Every XOR-PEER-ADDRESS, in order; `None` stands for one that is malformed.
    fn peer_addresses(&self) -> impl Iterator<Item = Option<Endpoint>> + use<'a, Self>;
    /// DATA.
    fn data(&self) -> Option<&'a [u8]>;
    /// Every well-formed XOR-RELAYED-ADDRESS: one, or one a family.
    fn relayed_addresses(&self) -> impl Iterator<Item = Endpoint> + use<'a, Self>;
    /// REQUESTED-ADDRESS-FAMILY; `Err` is the number of an unknown family.
    fn requested_address_family(&self) -> Option<Result<Family, u8>>;
    /// ADDITIONAL-ADDRESS-FAMILY; `Err` is the number of an unknown family.
    fn additional_address_family(&self) -> Option<Result<Family, u8>>;
    /// ADDRESS-ERROR-CODE.
    fn address_error(&self) -> Option<AddressError<'a>>;
    /// EVEN-PORT: whether the next higher port is to be reserved.
    fn even_port(&self) -> Option<bool>;
    /// REQUESTED-TRANSPORT.
    fn requested_transport(&self) -> Option<RelayTransport>;
    /// Whether there is a DONT-FRAGMENT.
    fn dont_fragment(&self) -> bool;
    /// RESERVATION-TOKEN.
    fn reservation_token(&self) -> Option<[u8; 8]>;
    /// ICMP.
    fn icmp(&self) -> Option<IcmpError>;
    /// CONNECTION-ID.
    fn connection_id(&self) -> Option<u32>;
    /// MOBILITY-TICKET: empty in an Allocate request that asks for one.
    fn mobility_ticket(&self) -> Option<&'a [u8]>;
}

impl<'a> TurnMessage<'a> for Message<'a> {
    fn channel_number(&self) -> Option<ChannelNumber> {
        let &[high, low, _, _] = self.attribute(AttributeType::CHANNEL_NUMBER)? else {
            return None;
        };
        ChannelNumber::new(u16::from_be_bytes([high, low]))
    }

    fn lifetime(&self) -> Option<Duration> {
        let secs = self.attribute(AttributeType::LIFETIME)?.try_into().ok()?;
        Some(Duration::from_secs(u32::from_be_bytes(secs).into()))
    }

    fn peer_address(&self) -> Option<Endpoint> {
        self.xor_address(AttributeType::XOR_PEER_ADDRESS)
    }

    fn peer_addresses(&self) -> impl Iterator<Item = Option<Endpoint>> + use<'a> {
        self.xor_addresses(AttributeType::XOR_PEER_ADDRESS)
    }

    fn data(&self) -> Option<&'a [u8]> {
        self.attribute(AttributeType::DATA)
    }

    fn relayed_addresses(&self) -> impl Iterator<Item = Endpoint> + use<'a> {
        self.xor_addresses(AttributeType::XOR_RELAYED_ADDRESS).flatten()
    }

    fn requested_address_family(&self) -> Option<Result<Family, u8>> {
        Family::read(self.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY)?)
    }

    fn additional_address_family(&self) -> Option<Result<Family, u8>> {
        // Coturn 4.6 and its client have the number of a draft.
        let drafted = || self.attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY_DRAFT);
        let value = self.attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY).or_else(drafted);
        Family::read(value?)
    }

    fn address_error(&self) -> Option<AddressError<'a>> {
        AddressError::read(self.attribute(AttributeType::ADDRESS_ERROR_CODE)?)
    }

    fn even_port(&self) -> Option<bool> {
        let &[reserve] = self.attribute(AttributeType::EVEN_PORT)? else { return None };
        Some(reserve & 0x80 != 0)
    }

    fn requested_transport(&self) -> Option<RelayTransport> {
        let &[protocol, _, _, _] = self.attribute(AttributeType::REQUESTED_TRANSPORT)? else {
            return None;
        };
        Some(RelayTransport::from_value(protocol))
    }

    fn dont_fragment(&self) -> bool {
        self.attribute(AttributeType::DONT_FRAGMENT).is_some()
    }

    fn reservation_token(&self) -> Option<[u8; 8]> {
        self.attribute(AttributeType::RESERVATION_TOKEN)?.try_into().ok()
    }

    fn icmp(&self) -> Option<IcmpError> {
        IcmpError::read(self.attribute(AttributeType::ICMP)?)
    }

    fn connection_id(&self) -> Option<u32> {
        let id = self.attribute(AttributeType::CONNECTION_ID)?.try_into().ok()?;
        Some(u32::from_be_bytes(id))
    }

    fn mobility_ticket(&self) -> Option<&'a [u8]> {
        self.attribute(AttributeType::MOBILITY_TICKET)
            .filter(|ticket| ticket.len() <= MAX_TICKET_BYTES)
    }
}

/// The builders: each adds its attribute.
pub trait TurnBuilder {
    /// Adds CHANNEL-NUMBER.
    fn channel_number(&mut self, number: ChannelNumber) -> &mut Self;
    /// Adds LIFETIME in whole seconds; what the field cannot say becomes its largest value.
    fn lifetime(&mut self, lifetime: Duration) -> &mut Self;
    /// Adds XOR-PEER-ADDRESS.
    fn peer_address(&mut self, peer: Endpoint) -> &mut Self;
    /// Adds DATA.
    fn data(&mut self, data: &[u8]) -> &mut Self;
    /// Adds XOR-RELAYED-ADDRESS.
    fn relayed_address(&mut self, relayed: Endpoint) -> &mut Self;
    /// Adds REQUESTED-ADDRESS-FAMILY.
    fn requested_address_family(&mut self, family: Family) -> &mut Self;
    /// Adds ADDITIONAL-ADDRESS-FAMILY.
    fn additional_address_family(&mut self, family: Family) -> &mut Self;
    /// Adds ADDRESS-ERROR-CODE.
    fn address_error(&mut self, error: AddressError<'_>) -> &mut Self;
    /// Adds EVEN-PORT.
    fn even_port(&mut self, reserve_next: bool) -> &mut Self;
    /// Adds REQUESTED-TRANSPORT.
    fn requested_transport(&mut self, transport: RelayTransport) -> &mut Self;
    /// Adds DONT-FRAGMENT.
    fn dont_fragment(&mut self) -> &mut Self;
    /// Adds RESERVATION-TOKEN.
    fn reservation_token(&mut self, token: [u8; 8]) -> &mut Self;
    /// Adds ICMP.
    fn icmp(&mut self, icmp: IcmpError) -> &mut Self;
    /// Adds CONNECTION-ID.
    fn connection_id(&mut self, id: u32) -> &mut Self;
    /// Adds MOBILITY-TICKET; an empty one asks for mobility.
    fn mobility_ticket(&mut self, ticket: &[u8]) -> &mut Self;
}

impl TurnBuilder for Builder {
    fn channel_number(&mut self, number: ChannelNumber) -> &mut Self {
        let [high, low] = number.value().to_be_bytes();
        self.attribute(AttributeType::CHANNEL_NUMBER, &[high, low, 0, 0])
    }

    fn lifetime(&mut self, lifetime: Duration) -> &mut Self {
        let secs = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        self.attribute(AttributeType::LIFETIME, &secs.to_be_bytes())
    }

    fn peer_address(&mut self, peer: Endpoint) -> &mut Self {
        self.xor_address(AttributeType::XOR_PEER_ADDRESS, peer)
    }

    fn data(&mut self, data: &[u8]) -> &mut Self {
        self.attribute(AttributeType::DATA, data)
    }

    fn relayed_address(&mut self, relayed: Endpoint) -> &mut Self {
        self.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relayed)
    }

    fn requested_address_family(&mut self, family: Family) -> &mut Self {
        self.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[family.value(), 0, 0, 0])
    }

    fn additional_address_family(&mut self, family: Family) -> &mut Self {
        self.attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[family.value(), 0, 0, 0])
    }

    fn address_error(&mut self, error: AddressError<'_>) -> &mut Self {
        let value = [&error.head(), error.error.reason.as_bytes()].concat();
        self.attribute(AttributeType::ADDRESS_ERROR_CODE, &value)
    }

    fn even_port(&mut self, reserve_next: bool) -> &mut Self {
        self.attribute(AttributeType::EVEN_PORT, &[u8::from(reserve_next) << 7])
    }

    fn requested_transport(&mut self, transport: RelayTransport) -> &mut Self {
        self.attribute(AttributeType::REQUESTED_TRANSPORT, &[transport.value(), 0, 0, 0])
    }

    fn dont_fragment(&mut self) -> &mut Self {
        self.attribute(AttributeType::DONT_FRAGMENT, &[])
    }

    fn reservation_token(&mut self, token: [u8; 8]) -> &mut Self {
        self.attribute(AttributeType::RESERVATION_TOKEN, &token)
    }

    fn icmp(&mut self, icmp: IcmpError) -> &mut Self {
        self.attribute(AttributeType::ICMP, &icmp.value())
    }

    fn connection_id(&mut self, id: u32) -> &mut Self {
        self.attribute(AttributeType::CONNECTION_ID, &id.to_be_bytes())
    }

    fn mobility_ticket(&mut self, ticket: &[u8]) -> &mut Self {
        self.attribute(AttributeType::MOBILITY_TICKET, ticket)
    }
}

#[cfg(test)]
mod tests;
