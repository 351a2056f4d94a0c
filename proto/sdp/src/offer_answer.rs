//! Offer and answer (RFC 3264): what an answer and a later offer must keep to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::{Direction, MediaLine, Section, SessionDescription, codec};

/// How an answer or a later description breaks RFC 3264.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The numbers of `m=` lines differ (§6), or a later offer has fewer (§8).
    #[error("{found} media where {expected} are due")]
    MediaCount {
        /// How many are due.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// An `m=` line cannot be read.
    #[error("media {0}: malformed m= line")]
    Malformed(usize),
    /// The media type or the transport of an answer differs from the offer's (§6).
    #[error("media {0}: another media type or transport than offered")]
    OtherMedia(usize),
    /// The offer refused the stream, and the answer takes it (§6).
    #[error("media {0}: accepted although the offer disabled it")]
    Revived(usize),
    /// The answer's direction does not fit the offer's (§6.1).
    #[error("media {0}: {1} does not answer {2}")]
    Direction(usize, Direction, Direction),
    /// No format of an accepted stream was offered (§6.1).
    #[error("media {0}: no format in common")]
    NoCommonFormat(usize),
    /// The version fell, or changed by more than one, or the origin changed (§8).
    #[error("the origin does not continue the previous one")]
    Origin,
}

/// Checks `answer` against the `offer` it answers.
///
/// # Errors
/// The first rule that is broken.
pub fn check_answer(offer: &SessionDescription, answer: &SessionDescription) -> Result<(), Error> {
    let (expected, found) = (offer.media.len(), answer.media.len());
    //= RFC 3264 §6: for each m= line in the offer there is one in the answer, in the same order.
    if expected != found {
        return Err(Error::MediaCount { expected, found });
    }
    offer.media.iter().zip(&answer.media).enumerate().try_for_each(|(n, (offered, answered))| {
        let offered_line = offered.media_line().map_err(|_| Error::Malformed(n))?;
        let answered_line = answered.media_line().map_err(|_| Error::Malformed(n))?;
        check_lines(n, &offered_line, &answered_line)?;
        //= RFC 3264 §6: a port of zero refuses the stream, whatever else stands there.
        if answered_line.port == 0 {
            return Ok(());
        }
        let (theirs, ours) = (offer.direction(offered), answer.direction(answered));
        if !Direction::allows_answer(theirs, ours) {
            return Err(Error::Direction(n, ours, theirs));
        }
        let common = if offered_line.is_rtp() {
            !codec::common(&codec::codecs(offered), &codec::codecs(answered)).is_empty()
        } else {
            let answered: BTreeSet<&String> = answered_line.formats.iter().collect();
            offered_line.formats.iter().any(|format| answered.contains(format))
        };
        if common { Ok(()) } else { Err(Error::NoCommonFormat(n)) }
    })
}

fn check_lines(n: usize, offered: &MediaLine, answered: &MediaLine) -> Result<(), Error> {
    if offered.media != answered.media || offered.protocol != answered.protocol {
        return Err(Error::OtherMedia(n));
    }
    if offered.port == 0 && answered.port != 0 {
        return Err(Error::Revived(n));
    }
    Ok(())
}

/// Checks that `next` may follow `previous`, both from the same side of the same session.
///
/// # Errors
/// The first rule that is broken.
pub fn check_next(previous: &SessionDescription, next: &SessionDescription) -> Result<(), Error> {
    let (expected, found) = (previous.media.len(), next.media.len());
    //= RFC 3264 §8: a media stream is never taken away, only disabled with port zero.
    if found < expected {
        return Err(Error::MediaCount { expected, found });
    }
    let (Ok(old), Ok(new)) = (previous.session.origin(), next.session.origin()) else {
        return Err(Error::Origin);
    };
    //= RFC 3264 §8: the version grows by one if the description changed, and stays otherwise.
    let step = new.version.checked_sub(old.version);
    let changed = step == Some(1) || (step == Some(0) && previous == next);
    if changed && old.username == new.username && old.session_id == new.session_id {
        Ok(())
    } else {
        Err(Error::Origin)
    }
}

/// An answer to `offer` that refuses every stream: the media lines in order, each with port 0.
/// Streams that are taken are then replaced in place.
#[must_use]
pub fn refusal(
    offer: &SessionDescription,
    session_id: u64,
    version: u64,
    address: IpAddr,
) -> SessionDescription {
    let mut answer = SessionDescription::new(session_id, version, address);
    //= RFC 3264 §6: the t= line of the answer is the offer's.
    if let Some(timing) = offer.session.value(b't') {
        answer.session.set(b't', timing);
    }
    answer.media = offer.media.iter().map(refused).collect();
    answer
}

/// The media part that refuses `offered`.
#[must_use]
pub fn refused(offered: &Section) -> Section {
    let fallback = || MediaLine {
        media: "audio".to_owned(),
        port: 0,
        port_count: None,
        protocol: "RTP/AVP".to_owned(),
        formats: vec!["0".to_owned()],
    };
    let line = offered.media_line().unwrap_or_else(|_| fallback());
    //= RFC 3264 §6: at least one format must be present, as the SDP grammar wants.
    Section::media(&MediaLine { port: 0, port_count: None, ..line })
}
