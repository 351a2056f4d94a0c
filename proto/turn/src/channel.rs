//! Channels: a number of 16 bits and ChannelData, the short form of a relayed packet
//! (RFC 8656 §12.4, §12.5).

/// The length of ChannelData's header.
pub const HEADER_BYTES: usize = 4;

/// The number of a channel: 0x4000 to 0x7fff.
///
/// RFC 8656 §12 leaves 0x4000 to 0x4fff, RFC 5766 had all of them; a client takes its own from the
/// shorter range, and a server may serve both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The first of both ranges.
    pub const FIRST: Self = Self(0x4000);
    /// The last of RFC 8656.
    pub const LAST: Self = Self(0x4fff);
    /// The last of RFC 5766.
    pub const LAST_OF_RFC_5766: Self = Self(0x7fff);

    /// The channel of number `value`, if channels have such numbers.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        if value >= Self::FIRST.0 && value <= Self::LAST_OF_RFC_5766.0 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// Its number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl std::fmt::Debug for ChannelNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// A relayed packet on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel.
    pub number: ChannelNumber,
    /// The packet, which may be empty.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Reads the ChannelData at the start of `bytes`; what follows the length that it announces is
    /// padding. Nothing when it is none, or cut off.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[n0, n1, l0, l1], rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let number = ChannelNumber::new(u16::from_be_bytes([n0, n1]))?;
        let data = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
        Some(Self { number, data })
    }

    /// The header of `data_bytes` of data on the channel `number`; nothing if the length field
    /// cannot say so many.
    #[must_use]
    pub fn header(number: ChannelNumber, data_bytes: usize) -> Option<[u8; HEADER_BYTES]> {
        let [l0, l1] = u16::try_from(data_bytes).ok()?.to_be_bytes();
        let [n0, n1] = number.0.to_be_bytes();
        Some([n0, n1, l0, l1])
    }

    /// Appends it to `buf`, padded to a multiple of four as streams need it when `padded`; says
    /// whether the length field can say its length. If not, nothing is written.
    //= RFC 8656 §12.5: over TCP and TLS it is padded; over UDP it need not be.
    pub fn write(&self, padded: bool, buf: &mut Vec<u8>) -> bool {
        let Some(header) = Self::header(self.number, self.data.len()) else { return false };
        buf.extend_from_slice(&header);
        buf.extend_from_slice(self.data);
        if padded {
            buf.extend_from_slice(padding(self.data.len()));
        }
        true
    }
}

/// The zeros that make `data_bytes` a multiple of four.
#[must_use]
pub fn padding(data_bytes: usize) -> &'static [u8] {
    match data_bytes % 4 {
        1 => &[0; 3],
        2 => &[0; 2],
        3 => &[0; 1],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{ChannelData, ChannelNumber};

    proptest! {
        #[test]
        fn round_trip(number in 0x4000..0x8000_u16, data in vec(any::<u8>(), 0..70), padded: bool) {
            let packet = ChannelData { number: ChannelNumber::new(number).unwrap(), data: &data };
            let mut bytes = Vec::new();
            prop_assert!(packet.write(padded, &mut bytes));
            prop_assert!(!padded || bytes.len() % 4 == 0);
            prop_assert_eq!(ChannelData::parse(&bytes), Some(packet));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Some(packet) = ChannelData::parse(&bytes) {
                prop_assert_eq!(packet.data, &bytes[4..4 + packet.data.len()]);
            }
        }
    }

    #[test]
    fn what_is_no_channel_data() {
        assert_eq!(ChannelData::parse(&[0x40, 0, 0]), None);
        assert_eq!(ChannelData::parse(&[0x40, 0, 0, 1]), None);
        assert_eq!(ChannelData::parse(&[0x3f, 0xff, 0, 0]), None);
        assert_eq!(ChannelData::parse(&[0x80, 0, 0, 0]), None);
        let empty = ChannelData { number: ChannelNumber::LAST_OF_RFC_5766, data: &[] };
        assert_eq!(ChannelData::parse(&[0x7f, 0xff, 0, 0]), Some(empty));
        let long = vec![0; 65_536];
        let long = ChannelData { number: ChannelNumber::FIRST, data: &long };
        assert!(!long.write(true, &mut Vec::new()));
    }
}
