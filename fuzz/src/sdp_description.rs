//! A session description from a stranger: reading, rewriting, answering.

use sdp::offer_answer::{check_answer, check_next, refusal};
use sdp::{
    Attribute, Candidate, Connection, Fmtp, IceOptions, IcePacing, IcePwd, IceUfrag, Ptime, Rtcp,
    RtpMap, Section, SessionDescription, codec,
};

/// Reads `bytes` as a description, which must be written the same to the byte; reads every
/// attribute that has a type; and refuses all of it as an offer.
pub fn run(bytes: &[u8]) {
    let Ok(description) = SessionDescription::parse(bytes) else { return };
    assert_eq!(description.to_bytes(), bytes, "a rewrite changes nothing");
    let _ = (description.violations(), description.session.origin());
    for section in description.sections() {
        look_at(section);
        let _ = (description.connection(section), description.direction(section));
    }
    let answer = refusal(&description, 1, 1, std::net::Ipv4Addr::LOCALHOST.into());
    assert_eq!(answer.media.len(), description.media.len());
    let _ = (check_answer(&description, &answer), check_answer(&answer, &description));
    let _ = (check_next(&description, &answer), check_next(&description, &description));
}

fn look_at(section: &Section) {
    let _ = (section.connection(), section.direction());
    if let Ok(line) = section.media_line() {
        let again: sdp::MediaLine = line.to_string().parse().expect("what was written is read");
        assert_eq!(again, line);
    }
    if let Some(Ok(connection)) = section.connection() {
        let again: Connection = connection.to_string().parse().expect("what was written is read");
        assert_eq!(again, connection);
    }
    if section.attributes().any(|(_, value)| value.contains(['\0', '\r'])) {
        // What is no text is kept where it stands, and never written into an attribute.
        return;
    }
    let codecs = codec::codecs(section);
    let _ = codec::common(&codecs, &codecs);
    survives::<Candidate>(section);
    survives::<Fmtp>(section);
    survives::<IceOptions>(section);
    survives::<IcePacing>(section);
    survives::<IcePwd>(section);
    survives::<IceUfrag>(section);
    survives::<Ptime>(section);
    survives::<Rtcp>(section);
    survives::<RtpMap>(section);
}

/// What was read as a `T` and is written is read as what writes the same.
fn survives<T: Attribute + PartialEq + std::fmt::Debug>(section: &Section) {
    let first = write(section.all::<T>());
    let second = write(first.all::<T>());
    assert_eq!(second, first);
}

fn write<T: Attribute>(attributes: impl Iterator<Item = T>) -> Section {
    let mut section = Section::new();
    attributes.for_each(|attribute| section.add(&attribute));
    section
}
