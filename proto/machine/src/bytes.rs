//! Reading and writing network byte order without panics.

/// Input ended too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ended too early")]
pub struct Truncated;

/// Reads big-endian fields off a slice; every read says when the slice ends too early.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    whole: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, whole: bytes.len() }
    }

    /// What has not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes have not been read.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.whole - self.rest.len()
    }

    /// Whether all has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`Truncated`] if fewer remain; nothing is read then.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Truncated> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`Truncated`] if fewer remain.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (head, tail) = self.rest.split_first_chunk().ok_or(Truncated)?;
        self.rest = tail;
        Ok(*head)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|[b]| b)
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// [`Truncated`] if fewer remain.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// [`Truncated`] if fewer remain.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`Truncated`] if fewer remain.
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_be_bytes)
    }
}

/// Appends big-endian fields to a buffer and patches lengths afterwards.
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// Appends to `buf`; positions count from its present end.
    #[must_use]
    pub fn new(buf: &'a mut Vec<u8>) -> Self {
        let start = buf.len();
        Self { buf, start }
    }

    /// How many bytes have been written.
    #[must_use]
    pub fn position(&self) -> usize {
        self.buf.len() - self.start
    }

    /// What has been written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.buf[self.start..]
    }

    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.buf.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.bytes(&[v])
    }

    /// Appends two bytes, big-endian.
    pub fn u16(&mut self, v: u16) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }

    /// Appends four bytes, big-endian.
    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }

    /// Appends eight bytes, big-endian.
    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }

    /// Appends zeros until the position is a multiple of `align`.
    pub fn pad(&mut self, align: usize) -> &mut Self {
        let target = self.position().next_multiple_of(align);
        self.buf.resize(self.start + target, 0);
        self
    }

    /// Overwrites two bytes written before.
    ///
    /// # Panics
    /// If `position + 2` lies past what was written.
    pub fn patch_u16(&mut self, position: usize, v: u16) -> &mut Self {
        let at = self.start + position;
        self.buf[at..at + 2].copy_from_slice(&v.to_be_bytes());
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Reader, Truncated, Writer};

    /// A field as written and read back.
    #[derive(Clone, Debug, PartialEq)]
    enum Field {
        U8(u8),
        U16(u16),
        U32(u32),
        U64(u64),
        Bytes(Vec<u8>),
    }

    fn field() -> impl Strategy<Value = Field> {
        prop_oneof![
            any::<u8>().prop_map(Field::U8),
            any::<u16>().prop_map(Field::U16),
            any::<u32>().prop_map(Field::U32),
            any::<u64>().prop_map(Field::U64),
            vec(any::<u8>(), 0..20).prop_map(Field::Bytes),
        ]
    }

    fn write(field: &Field, w: &mut Writer<'_>) {
        match field {
            Field::U8(v) => w.u8(*v),
            Field::U16(v) => w.u16(*v),
            Field::U32(v) => w.u32(*v),
            Field::U64(v) => w.u64(*v),
            Field::Bytes(v) => w.bytes(v),
        };
    }

    /// Reads a field of the kind and length of `like`.
    fn read(like: &Field, r: &mut Reader<'_>) -> Result<Field, Truncated> {
        Ok(match like {
            Field::U8(_) => Field::U8(r.u8()?),
            Field::U16(_) => Field::U16(r.u16()?),
            Field::U32(_) => Field::U32(r.u32()?),
            Field::U64(_) => Field::U64(r.u64()?),
            Field::Bytes(v) => Field::Bytes(r.take(v.len())?.to_vec()),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            before in vec(any::<u8>(), 0..9), fields in vec(field(), 0..20), cut in 1..9_usize,
        ) {
            let mut buf = before.clone();
            let mut writer = Writer::new(&mut buf);
            fields.iter().for_each(|field| write(field, &mut writer));
            let (written, length) = (writer.written().to_vec(), writer.position());
            prop_assert_eq!(buf, [before, written.clone()].concat());
            let mut reader = Reader::new(&written);
            for field in &fields {
                prop_assert_eq!(read(field, &mut reader), Ok(field.clone()));
            }
            prop_assert!(reader.is_empty());
            prop_assert_eq!((reader.position(), reader.remaining()), (length, 0));
            // What is cut off is missed, and at no other place than the end.
            let mut reader = Reader::new(&written[..length.saturating_sub(cut)]);
            let whole = fields.iter().all(|field| read(field, &mut reader).is_ok());
            prop_assert_eq!(whole, length == 0);
        }

        #[test]
        fn padding_aligns_to_where_writing_began(
            before in vec(any::<u8>(), 0..9), bytes in vec(1..=u8::MAX, 0..20), align in 1..9_usize,
        ) {
            let mut buf = before.clone();
            let mut writer = Writer::new(&mut buf);
            writer.bytes(&bytes).pad(align);
            let written = writer.written();
            prop_assert_eq!(written.len(), bytes.len().next_multiple_of(align));
            let (head, zeros) = written.split_at(bytes.len());
            prop_assert!(head == bytes && zeros.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn fields_are_big_endian() {
        let mut buf = Vec::new();
        Writer::new(&mut buf).u8(1).u16(0x0203).u32(0x0405_0607).u64(0x0809_0a0b_0c0d_0e0f);
        assert_eq!(buf, (1..16).collect::<Vec<u8>>());
    }

    #[test]
    fn a_read_that_fails_reads_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(
            (reader.u32(), reader.u64(), reader.take(4)),
            (Err(Truncated), Err(Truncated), Err(Truncated))
        );
        assert_eq!((reader.position(), reader.rest()), (0, &[1, 2, 3][..]));
        assert_eq!(reader.array(), Ok([1, 2]));
        assert_eq!((reader.position(), reader.rest()), (2, &[3][..]));
        assert_eq!(reader.take(usize::MAX), Err(Truncated));
    }

    #[test]
    fn lengths_are_patched_in_what_was_written() {
        let mut buf = vec![9];
        let mut writer = Writer::new(&mut buf);
        writer.u16(0).bytes(b"abc");
        let length = writer.position() as u16;
        writer.patch_u16(0, length);
        assert_eq!(buf, [9, 0, 5, b'a', b'b', b'c']);
    }
}
