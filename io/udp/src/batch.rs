//! A reusable buffer for many datagrams.

use std::io::IoSliceMut;

use machine::{Ecn, Endpoint};
use quinn_udp::{EcnCodepoint, RecvMeta};

use crate::defaults::{BATCH_LEN, MESSAGE_LEN};

/// Room for one batch of datagrams, used again for each.
pub struct Batch {
    bytes: Vec<u8>,
    metas: [RecvMeta; BATCH_LEN],
    filled: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            bytes: vec![0; BATCH_LEN * MESSAGE_LEN],
            metas: [RecvMeta::default(); BATCH_LEN],
            filled: 0,
        }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("filled", &self.filled).finish_non_exhaustive()
    }
}

/// One datagram, or a train of equal ones, as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The address that it was sent to: one of ours.
    pub local: Endpoint,
    /// The address that it came from.
    pub remote: Endpoint,
    /// The interface that it came in on.
    pub interface: Option<u32>,
    /// Its ECN codepoint.
    pub ecn: Option<Ecn>,
    /// `Some(n)`: a train of datagrams of `n` bytes each, the last may be shorter.
    pub segment_size: Option<usize>,
    /// The payload.
    pub bytes: &'a [u8],
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages the last receive filled.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.filled
    }

    /// Whether the last receive filled none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Lets `receive` fill the batch; it says how many messages it filled.
    pub(crate) fn fill(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> std::io::Result<usize>,
    ) -> std::io::Result<usize> {
        self.filled = 0;
        let mut chunks = self.bytes.chunks_exact_mut(MESSAGE_LEN);
        let mut slices: [IoSliceMut<'_>; BATCH_LEN] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        self.filled = receive(&mut slices, &mut self.metas)?.min(BATCH_LEN);
        Ok(self.filled)
    }

    /// The messages of the last receive, on a socket bound to `bound`.
    pub fn messages(&self, bound: Endpoint) -> impl Iterator<Item = Received<'_>> {
        self.bytes.chunks_exact(MESSAGE_LEN).zip(&self.metas).take(self.filled).map(
            move |(chunk, meta)| {
                let ip = meta.dst_ip.unwrap_or(bound.ip());
                Received {
                    local: Endpoint::new(ip, bound.port()),
                    remote: Endpoint::from(meta.addr),
                    interface: meta.interface_index,
                    ecn: meta.ecn.map(ecn),
                    segment_size: (meta.stride < meta.len).then_some(meta.stride),
                    bytes: chunk.get(..meta.len).unwrap_or(chunk),
                }
            },
        )
    }
}

const fn ecn(codepoint: EcnCodepoint) -> Ecn {
    match codepoint {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    }
}
