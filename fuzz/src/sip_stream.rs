//! A byte stream that should be SIP: framing.

use sip::Message;
use sip::defaults::MAX_MESSAGE_BYTES;
use sip::framing::{Frame, Framer, FramingError};

type Frames = Vec<Result<Frame, FramingError>>;

/// Cuts `bytes` into frames, as they arrive at once, and in pieces of a size that the first byte tells.
/// Both must give the same messages.
pub fn run(bytes: &[u8]) {
    let Some((&size, stream)) = bytes.split_first() else { return };
    for start in [Framer::accepted, Framer::opened] {
        let whole = frames(start(), [stream]);
        let pieces = frames(start(), stream.chunks(usize::from(size).max(1)));
        assert_eq!(messages(&whole), messages(&pieces), "the pieces make no difference");
        for message in messages(&whole) {
            let _ = Message::parse(message);
        }
        let errors = whole.iter().filter(|frame| frame.is_err()).count();
        assert!(errors == 0 || (errors == 1 && whole.last().is_some_and(Result::is_err)));
    }
}

fn frames<'a>(mut framer: Framer, pieces: impl IntoIterator<Item = &'a [u8]>) -> Frames {
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(frame) = framer.next_frame() {
            frames.push(frame);
        }
        assert!(framer.buffered() <= MAX_MESSAGE_BYTES, "less than a message is kept");
    }
    frames
}

fn messages(frames: &Frames) -> Vec<&[u8]> {
    let whole = |frame| match frame {
        &Ok(Frame::Message(ref message)) => Some(message.as_slice()),
        _ => None,
    };
    frames.iter().filter_map(whole).collect()
}
