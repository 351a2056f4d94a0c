//! What is too much: strangers fill these.

use super::{Content, Jingle, Refusal, Transport};
use crate::defaults::{
    MAX_JINGLE_CANDIDATES, MAX_JINGLE_CONTENTS, MAX_JINGLE_PARAMETERS, MAX_JINGLE_PAYLOAD_TYPES,
    MAX_JINGLE_STRING_BYTES,
};

/// Whether a step keeps within the limits.
///
/// # Errors
/// [`Refusal::TooMuch`].
pub fn check(jingle: &Jingle) -> Result<(), Refusal> {
    let within = jingle.contents.len() <= MAX_JINGLE_CONTENTS
        && jingle.groups.len() <= MAX_JINGLE_CONTENTS
        && is_short(&jingle.sid)
        && jingle.contents.iter().all(check_content);
    if within { Ok(()) } else { Err(Refusal::TooMuch) }
}

fn check_content(content: &Content) -> bool {
    let described = content.description.as_ref().is_none_or(|description| {
        description.payload_types.len() <= MAX_JINGLE_PAYLOAD_TYPES
            && description.payload_types.iter().all(|codec| {
                codec.parameters.len() <= MAX_JINGLE_PARAMETERS
                    && codec.name.as_deref().is_none_or(is_short)
            })
    });
    is_short(&content.name) && described && content.transport.as_ref().is_none_or(check_transport)
}

fn check_transport(transport: &Transport) -> bool {
    let strings = match transport {
        Transport::IceUdp(ice) => [&ice.ufrag, &ice.pwd].into_iter().flatten().all(|s| is_short(s)),
        Transport::RawUdp(_) => true,
    };
    strings && transport.candidate_count() <= MAX_JINGLE_CANDIDATES
}

fn is_short(string: &str) -> bool {
    string.len() <= MAX_JINGLE_STRING_BYTES
}
