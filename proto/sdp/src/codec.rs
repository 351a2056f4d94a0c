//! Codecs of a media part: static payload types (RFC 3551 §6), comparing and choosing.

use crate::{RtpMap, Section};

/// The codec of a static payload type, where RFC 3551 assigns one for audio.
#[must_use]
pub fn static_payload_type(payload_type: u8) -> Option<RtpMap> {
    let (encoding, clock_rate, channels) = match payload_type {
        0 => ("PCMU", 8000, 1),
        3 => ("GSM", 8000, 1),
        4 => ("G723", 8000, 1),
        5 => ("DVI4", 8000, 1),
        6 => ("DVI4", 16_000, 1),
        7 => ("LPC", 8000, 1),
        8 => ("PCMA", 8000, 1),
        9 => ("G722", 8000, 1),
        10 => ("L16", 44_100, 2),
        11 => ("L16", 44_100, 1),
        12 => ("QCELP", 8000, 1),
        13 => ("CN", 8000, 1),
        14 => ("MPA", 90_000, 1),
        15 => ("G728", 8000, 1),
        16 => ("DVI4", 11_025, 1),
        17 => ("DVI4", 22_050, 1),
        18 => ("G729", 8000, 1),
        _ => return None,
    };
    let channels = (channels > 1).then_some(channels);
    Some(RtpMap { payload_type, encoding: encoding.to_owned(), clock_rate, channels })
}

/// The codecs of `media` in order of preference: each payload type of the `m=` line with its
/// `a=rtpmap`, or with what RFC 3551 assigns. A payload type that nothing explains is left out.
#[must_use]
pub fn codecs(media: &Section) -> Vec<RtpMap> {
    let Ok(line) = media.media_line() else { return Vec::new() };
    let maps: Vec<RtpMap> = media.all().collect();
    let explain = |pt| {
        let named = maps.iter().find(|map| map.payload_type == pt).cloned();
        named.or_else(|| static_payload_type(pt))
    };
    line.payload_types().filter_map(explain).collect()
}

/// The offered codecs that we have too, in the offer's order and under its numbers.
//= RFC 3264 §6.1: the answer's formats should stand in the order of the offer, and a codec that
//= the offer numbered must keep its number in the answer.
#[must_use]
pub fn common(offered: &[RtpMap], ours: &[RtpMap]) -> Vec<RtpMap> {
    offered.iter().filter(|codec| ours.iter().any(|own| own.same_codec(codec))).cloned().collect()
}
