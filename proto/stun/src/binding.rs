//! The stateless Binding server (RFC 8489 §12), with answers for clients of RFC 3489; and where a
//! server has two addresses, the server's side of behaviour discovery (RFC 5780 §6).
//!
//! It answers one datagram with at most one, to the address where it came from, from what stands in
//! it alone. An answer is at most [`MAX_GROWTH_BYTES`] longer than its request, at one of four
//! [`Places`] at most [`MAX_PLACED_GROWTH_BYTES`], and goes only to an address that a request can
//! have come from.
//!
//! [`MAX_GROWTH_BYTES`]: crate::defaults::MAX_GROWTH_BYTES
//! [`MAX_PLACED_GROWTH_BYTES`]: crate::defaults::MAX_PLACED_GROWTH_BYTES
//!
//! It never obeys RESPONSE-ADDRESS of RFC 3489, and answers it with 420: it would aim answers at third
//! parties. Without a second address it does not obey what RFC 5780 adds either.

mod places;

use machine::{AddressClass, Endpoint};

use crate::attribute::{UNDERSTOOD, error_code};
use crate::defaults::MAX_PADDING_BYTES;
use crate::message::Error;
use crate::{AttributeType, Builder, Class, ErrorCode, Message, Method};
use places::Place;

pub use places::{Address, Places};

/// The ways of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// From which of the server's own places: where the request arrived, unless it asked for another.
    pub from: Endpoint,
    /// To where: where the request came from, but for the port that it may have asked for.
    pub to: Endpoint,
}

/// What a request for behaviour discovery wants.
#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    change_address: bool,
    change_port: bool,
    response_port: Option<u16>,
    padding_bytes: Option<usize>,
}

/// What a server with two addresses understands beside [`UNDERSTOOD`] (RFC 5780 §7).
const DISCOVERY: [AttributeType; 3] =
    [AttributeType::CHANGE_REQUEST, AttributeType::RESPONSE_PORT, AttributeType::PADDING];

/// Answers the Binding request `bytes` that came from `remote`, into `answer`, whose contents are
/// dropped. Says whether there is an answer: to anything else there is none.
///
/// Allocates nothing when `answer` has room and the request has no unknown attributes.
pub fn answer(bytes: &[u8], remote: Endpoint, answer: &mut Vec<u8>) -> bool {
    respond_to(bytes, None, remote, answer).is_some()
}

/// As [`answer`], for a request that arrived at `local`, which may be one of `places`. Says which way
/// the answer goes.
pub fn answer_at(
    places: &[Places],
    bytes: &[u8],
    local: Endpoint,
    remote: Endpoint,
    answer: &mut Vec<u8>,
) -> Option<Route> {
    let place = places.iter().find_map(|places| places.at(local));
    let (from, to) = respond_to(bytes, place, remote, answer)?;
    Some(Route { from: from.unwrap_or(local), to })
}

/// Where the answer goes from, unless it is where the request arrived, and where to.
fn respond_to(
    bytes: &[u8],
    place: Option<Place<'_>>,
    remote: Endpoint,
    answer: &mut Vec<u8>,
) -> Option<(Option<Endpoint>, Endpoint)> {
    answer.clear();
    let (request, classic) = match Message::parse(bytes) {
        Ok(request) => (request, false),
        Err(Error::NotStun) => (Message::parse_classic(bytes).ok()?, true),
        Err(_) => return None,
    };
    if (request.class(), request.method()) != (Class::Request, Method::BINDING)
        || !can_be_a_client(remote)
    {
        return None;
    }
    let place = place.filter(|place| !classic || place.classic());
    let wishes =
        if place.is_some() { Wishes::of(&request, classic) } else { Ok(Wishes::default()) };
    let buf = std::mem::take(answer);
    let response = Response { request: &request, classic, remote, place, wishes }.write(buf);
    let is_success = response.first() == Some(&1) && response.get(1) == Some(&1);
    *answer = response;
    let wishes = wishes.unwrap_or_default();
    match place {
        //= RFC 5780 §6.1: the answer comes from the place that CHANGE-REQUEST names, and goes to the
        //= port of RESPONSE-PORT at the address that the request came from.
        Some(place) if is_success => {
            let from = place.changed(wishes.change_address, wishes.change_port).local();
            Some((Some(from), wishes.response_port.map_or(remote, |port| remote.with_port(port))))
        }
        _ => Some((None, remote)),
    }
}

/// A request, and all that its answer depends on.
struct Response<'a> {
    request: &'a Message<'a>,
    classic: bool,
    remote: Endpoint,
    place: Option<Place<'a>>,
    wishes: Result<Wishes, Malformed>,
}

/// An attribute whose value makes no sense, or attributes that do not go together.
#[derive(Clone, Copy, Debug)]
struct Malformed;

impl Wishes {
    fn of(request: &Message<'_>, classic: bool) -> Result<Self, Malformed> {
        let mut wishes = Self::default();
        if let Some(value) = request.attribute(AttributeType::CHANGE_REQUEST) {
            let flags = u32::from_be_bytes(value.try_into().map_err(|_| Malformed)?);
            (wishes.change_address, wishes.change_port) = (flags & 4 != 0, flags & 2 != 0);
        }
        if classic {
            return Ok(wishes);
        }
        if let Some(value) = request.attribute(AttributeType::RESPONSE_PORT) {
            let port = value.first_chunk().map_or(0, |port| u16::from_be_bytes(*port));
            wishes.response_port = Some(port).filter(|&port| port != 0);
            wishes.response_port.ok_or(Malformed)?;
        }
        wishes.padding_bytes = request.attribute(AttributeType::PADDING).map(<[u8]>::len);
        //= RFC 5780 §6.1: PADDING does not go together with RESPONSE-PORT.
        match wishes {
            Self { response_port: Some(_), padding_bytes: Some(_), .. } => Err(Malformed),
            _ => Ok(wishes),
        }
    }
}

impl Response<'_> {
    fn write(&self, buf: Vec<u8>) -> Vec<u8> {
        let Self { request, classic, .. } = *self;
        let mut unknown = request.unknown_required(UNDERSTOOD);
        unknown.retain(|kind| !self.understands(*kind));
        let fails = !unknown.is_empty() || self.wishes.is_err();
        let class = if fails { Class::Error } else { Class::Success };
        let mut builder = Builder::reusing(buf, class, Method::BINDING, request.id());
        if !unknown.is_empty() {
            builder.error_code(ErrorCode::new(error_code::UNKNOWN_ATTRIBUTE));
            builder.unknown_attributes(&unknown);
        } else if let Ok(wishes) = self.wishes {
            self.success(&mut builder, wishes);
        } else {
            builder.error_code(ErrorCode::new(error_code::BAD_REQUEST));
        }
        if request.has_fingerprint() && !classic {
            builder.fingerprint();
        }
        let mut response = builder.finish();
        if classic
            && let (Some(to), Some(from)) = (response.get_mut(4..8), request.as_bytes().get(4..8))
        {
            // The part of the 128-bit transaction id that stands in the cookie's place.
            to.copy_from_slice(from);
        }
        response
    }

    /// Whether this is understood beside [`UNDERSTOOD`].
    fn understands(&self, kind: AttributeType) -> bool {
        match (self.place, self.classic) {
            (None, _) => false,
            (Some(_), true) => kind == AttributeType::CHANGE_REQUEST,
            (Some(_), false) => DISCOVERY.contains(&kind),
        }
    }

    fn success(&self, builder: &mut Builder, wishes: Wishes) {
        if self.classic {
            //= RFC 5389 §12.2: a client without the cookie is told MAPPED-ADDRESS.
            builder.mapped_address(self.remote);
        } else {
            builder.xor_mapped_address(self.remote);
        }
        let Some(place) = self.place else { return };
        let origin = place.changed(wishes.change_address, wishes.change_port).seen();
        let other = place.changed(true, true).seen();
        if self.classic {
            builder.address(AttributeType::SOURCE_ADDRESS, origin);
            builder.address(AttributeType::CHANGED_ADDRESS, other);
        } else {
            //= RFC 5780 §7.3, §7.4: a server with two addresses says where the answer comes from, and
            //= where the other address is.
            builder.address(AttributeType::RESPONSE_ORIGIN, origin);
            builder.address(AttributeType::OTHER_ADDRESS, other);
        }
        if let Some(padding_bytes) = wishes.padding_bytes {
            //= RFC 5780 §6.1: a request with PADDING is answered with PADDING. No longer than the
            // request's own: answers are no tool to flood others with.
            let padding = [0; MAX_PADDING_BYTES];
            let padding = padding.get(..padding_bytes).unwrap_or(&padding);
            builder.attribute(AttributeType::PADDING, padding);
        }
    }
}

/// Whether a request can honestly come from `remote`; to anything else an answer would only do harm.
fn can_be_a_client(remote: Endpoint) -> bool {
    use AddressClass::{Broadcast, Multicast, Unspecified};
    remote.port() != 0
        && !matches!(AddressClass::of(remote.ip()), Unspecified | Multicast | Broadcast)
}

#[cfg(test)]
mod tests;
