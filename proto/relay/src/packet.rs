//! A datagram, or a train of equal ones, in a buffer with room for headers in front.

use std::ops::Range;

use crate::defaults::MAX_PAYLOAD_LEN;

/// A datagram in a buffer, or several of one size that arrived as one; headers come and go in place.
#[derive(Debug)]
pub struct Packet<'a> {
    buf: &'a mut [u8],
    start: usize,
    end: usize,
    /// The size of each datagram but the last; `end - start` of one alone.
    segment: usize,
}

impl<'a> Packet<'a> {
    /// The datagram at `start..end` of `buf`. Before it there is to be room for headers
    /// ([`HEADROOM_LEN`](crate::HEADROOM_LEN)), behind it for padding
    /// ([`TAILROOM_LEN`](crate::defaults::TAILROOM_LEN)).
    #[must_use]
    pub fn new(buf: &'a mut [u8], start: usize, end: usize) -> Self {
        Self::train(buf, start, end, None)
    }

    /// Datagrams of `segment_size` bytes each, the last may be shorter, at `start..end` of `buf`. A
    /// train that is to get headers wants room behind it for all but the first.
    #[must_use]
    pub fn train(buf: &'a mut [u8], start: usize, end: usize, segment_size: Option<usize>) -> Self {
        let end = end.min(buf.len());
        let start = start.min(end);
        let segment = segment_size.filter(|&size| size > 0).unwrap_or(usize::MAX).min(end - start);
        Self { buf, start, end, segment }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Where in the buffer it stands.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The size of each datagram of a train, the last may be shorter; nothing for one alone.
    #[must_use]
    pub const fn segment_size(&self) -> Option<usize> {
        if self.is_train() { Some(self.segment) } else { None }
    }

    /// How many datagrams it is.
    #[must_use]
    pub const fn count(&self) -> usize {
        if self.is_train() { (self.end - self.start).div_ceil(self.segment) } else { 1 }
    }

    pub(crate) const fn is_train(&self) -> bool {
        self.segment < self.end - self.start
    }

    /// The first datagram.
    pub(crate) fn head(&self) -> &[u8] {
        self.bytes().get(..self.segment).unwrap_or_default()
    }

    /// The size of the last datagram.
    pub(crate) const fn last_len(&self) -> usize {
        self.end - self.start - (self.count() - 1) * self.segment
    }

    /// The datagrams.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        // An empty datagram is one datagram.
        let (first, rest) = self.bytes().split_at(self.segment);
        std::iter::once(first).chain(rest.chunks(self.segment.max(1)))
    }

    /// Whether the buffer and a datagram's length have room for the new form.
    pub(crate) fn fits(&self, form: &Reframe) -> bool {
        self.layout(form).is_some()
    }

    /// Puts every datagram into its new form, if the buffer and a datagram's length have room for
    /// that; says whether they have, and touches nothing if not.
    pub(crate) fn reframe(&mut self, form: &Reframe, header: impl FnMut(&mut [u8], usize)) -> bool {
        let Some(layout) = self.layout(form) else { return false };
        let (from, data) = (self.segment, self.start + form.strip);
        let (count, to) = (self.count(), layout.segment);
        let mut shift = |n: usize| {
            let len = if n + 1 == count { form.last_len } else { form.len };
            self.buf.copy_within(data + n * from..data + n * from + len, data + n * to);
        };
        // What grows is moved from behind, so that nothing is overwritten.
        if to > from {
            (1..count).rev().for_each(&mut shift);
        } else if to < from {
            (1..count).for_each(&mut shift);
        }
        self.start = layout.start;
        self.end = layout.end;
        self.segment = to;
        self.write_headers(form, header);
        true
    }

    fn write_headers(&mut self, form: &Reframe, mut header: impl FnMut(&mut [u8], usize)) {
        if form.header_len == 0 {
            return;
        }
        let (step, count) = (self.segment, self.count());
        for n in 0..count {
            let len = if n + 1 == count { form.last_len } else { form.len };
            let at = self.start + n * step;
            if let Some(framed) = self.buf.get_mut(at..at + form.header_len + form.padded(len)) {
                let (head, body) = framed.split_at_mut(form.header_len);
                header(head, len);
                body.iter_mut().skip(len).for_each(|byte| *byte = 0);
            }
        }
    }

    /// Where the packet stands afterwards.
    fn layout(&self, form: &Reframe) -> Option<Layout> {
        let segment = form.header_len + form.padded(form.len);
        let last = form.header_len + form.padded(form.last_len);
        let start = (self.start + form.strip).checked_sub(form.header_len)?;
        let len = (self.count() - 1) * segment + last;
        let train = self.is_train();
        // Kernels take no train of empty datagrams, and none whose last is the longest.
        let possible = !train || (segment > 0 && last > 0 && last <= segment);
        let fits = start + len <= self.buf.len() && len <= MAX_PAYLOAD_LEN;
        (possible && fits).then_some(Layout { start, end: start + len, segment })
    }
}

/// A new form for each datagram of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reframe {
    /// Bytes that stand before the data and go.
    pub(crate) strip: usize,
    /// The length of the data, and that of the last datagram's.
    pub(crate) len: usize,
    pub(crate) last_len: usize,
    /// The length of the header that the data gets.
    pub(crate) header_len: usize,
    /// Whether the data is padded to a multiple of 4.
    pub(crate) pad: bool,
}

impl Reframe {
    const fn padded(&self, len: usize) -> usize {
        if self.pad { len.next_multiple_of(4) } else { len }
    }
}

struct Layout {
    start: usize,
    end: usize,
    segment: usize,
}
