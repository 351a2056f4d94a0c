//! STUN messages and ChannelData out of a byte stream (RFC 8656 §12.5, RFC 8489 §6.2.2).
//!
//! Both say their length in bytes 2 and 3. On a stream ChannelData is padded to a multiple of four.

use crate::channel::{self, ChannelData};

/// Why a stream cannot be read further: what follows has no known beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The next bytes start neither STUN nor ChannelData.
    #[error("neither STUN nor ChannelData")]
    Unknown,
    /// The next frame is longer than the limit.
    #[error("a frame is longer than the limit")]
    TooLong,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The bytes of a STUN message, its structure unchecked.
    Stun(&'a [u8]),
    /// A relayed packet.
    ChannelData(ChannelData<'a>),
}

/// How long the frame at the start of `stream` is, padding included; `None` while that cannot be
/// told.
///
/// # Errors
/// [`Error::Unknown`] when it is no frame at all.
pub fn frame_bytes(stream: &[u8]) -> Result<Option<usize>, Error> {
    let Some(first) = stream.first() else { return Ok(None) };
    match first >> 6 {
        0 if stream.len() < 4 => Ok(None),
        0 => stun::header::stream_bytes(stream).map(Some).ok_or(Error::Unknown),
        1 => Ok(stream.first_chunk::<4>().map(|&[_, _, l0, l1]| {
            channel::HEADER_BYTES + usize::from(u16::from_be_bytes([l0, l1])).next_multiple_of(4)
        })),
        _ => Err(Error::Unknown),
    }
}

/// Cuts a stream into frames: [`push`](Self::push) what arrived, then take frames until there is
/// none.
///
/// It holds at most one incomplete frame of `max_frame_bytes` and what was pushed last.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    start: usize,
    max_frame_bytes: usize,
}

impl Framer {
    /// A framer at the start of a stream whose frames have at most `max_frame_bytes`.
    #[must_use]
    pub const fn new(max_frame_bytes: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, max_frame_bytes }
    }

    /// Takes bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// [`Error`] says why the stream is of no more use; it must be closed.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        let waiting = self.buffer.get(self.start..).unwrap_or_default();
        let Some(length) = frame_bytes(waiting)? else { return Ok(None) };
        if length > self.max_frame_bytes {
            return Err(Error::TooLong);
        }
        if waiting.len() < length {
            return Ok(None);
        }
        let start = self.start;
        self.start += length;
        let bytes = self.buffer.get(start..self.start).unwrap_or_default();
        Ok(Some(match ChannelData::parse(bytes) {
            Some(data) => Frame::ChannelData(data),
            None => Frame::Stun(bytes),
        }))
    }

    /// How many bytes wait for the rest of their frame.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Gives up framing: what arrived and was not taken. After a ConnectionBind the stream is the
    /// peer's own (RFC 6062 §4.4).
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use stun::{Builder, Method, TransactionId};

    use super::{Error, Frame, Framer};
    use crate::{ChannelData, ChannelNumber};

    /// A frame as it is written.
    fn frame() -> impl Strategy<Value = (bool, Vec<u8>)> {
        (any::<bool>(), vec(any::<u8>(), 0..50))
    }

    fn write((channel, data): &(bool, Vec<u8>), stream: &mut Vec<u8>) {
        if *channel {
            ChannelData { number: ChannelNumber::FIRST, data }.write(true, stream);
        } else {
            let mut builder = Builder::indication(Method::SEND, TransactionId([3; 12]));
            builder.attribute(stun::AttributeType::DATA, data);
            stream.extend(builder.finish());
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_however_the_stream_is_cut(
            frames in vec(frame(), 0..12), cuts in vec(1..40_usize, 1..20),
        ) {
            let mut stream = Vec::new();
            frames.iter().for_each(|frame| write(frame, &mut stream));
            let mut framer = Framer::new(200);
            let (mut rest, mut found, mut cuts) = (&stream[..], Vec::new(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                framer.push(chunk);
                rest = tail;
                while let Some(frame) = framer.next_frame().unwrap() {
                    found.push(match frame {
                        Frame::ChannelData(packet) => (true, packet.data.to_vec()),
                        Frame::Stun(bytes) => {
                            let message = stun::Message::parse(bytes).unwrap();
                            let data = message.attribute(stun::AttributeType::DATA);
                            (false, data.unwrap().to_vec())
                        }
                    });
                }
                prop_assert!(framer.waiting() < 200);
            }
            prop_assert_eq!(found, frames);
            prop_assert_eq!(framer.waiting(), 0);
        }

        #[test]
        fn arbitrary_bytes_never_panic(chunks in vec(vec(any::<u8>(), 0..40), 0..10)) {
            let mut framer = Framer::new(100);
            'stream: for chunk in chunks {
                framer.push(&chunk);
                loop {
                    match framer.next_frame() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'stream,
                    }
                }
                prop_assert!(framer.waiting() < 100);
            }
        }
    }

    #[test]
    fn what_ends_a_stream() {
        for (bytes, error) in [
            (&b"GET / HTTP/1.1"[..1], None),
            (b"GET / HTTP/1.1", Some(Error::TooLong)),
            (b"\x80\0", Some(Error::Unknown)),
            (b"\x16\x03\x01\x02\x00", Some(Error::Unknown)),
            (b"\0\x01\0\x03", Some(Error::Unknown)),
            (b"\x40\0\0\x61", Some(Error::TooLong)),
            (b"\x40\0\0\x60", None),
        ] {
            let mut framer = Framer::new(100);
            framer.push(bytes);
            assert_eq!(framer.next_frame().err(), error, "{bytes:?}");
        }
    }

    #[test]
    fn what_follows_the_last_frame_is_kept() {
        let mut framer = Framer::new(100);
        framer.push(b"\x40\0\0\x01a\0\0\0hello");
        assert!(matches!(framer.next_frame(), Ok(Some(Frame::ChannelData(_)))));
        assert_eq!(framer.into_rest(), b"hello");
    }
}
