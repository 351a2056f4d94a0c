//! How a leg goes, as numbers.

use std::time::Duration;

use rtp::quality::Impairment;
use rtp::{JitterBuffer, Quality, Session};

/// Statistics of a leg so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets received of the other side's present source.
    pub received: u64,
    /// Packets of it that the network lost.
    pub lost: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets in a codec that we cannot play, telephone events among them.
    pub unplayable: u64,
    /// Sound that was made up where nothing came.
    pub concealed: Duration,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// The jitter buffer's delay.
    pub delay: Duration,
    /// The round trip, once a report told it.
    pub round_trip: Option<Duration>,
    /// How it sounds here; `None` before the first packet.
    pub quality: Option<Quality>,
    /// Packets of ours that the other side says it lost; `None` before its first report.
    pub remote_lost: Option<i32>,
    /// The jitter that the other side says it sees.
    pub remote_jitter: Option<Duration>,
}

impl Stats {
    /// The mean opinion score, 1 to 4.5; `None` before the first packet.
    #[must_use]
    pub fn mos(&self) -> Option<f64> {
        self.quality.map(|quality| quality.mos)
    }

    pub(super) fn of(session: &Session, jitter: &JitterBuffer, unplayable: u64) -> Self {
        let buffer = jitter.stats();
        let seconds = |samples: u64| Duration::from_secs(samples) / rtp::defaults::CLOCK_RATE;
        let remote = session.remote();
        let mut stats = Self {
            sent: session.sent(),
            late: buffer.late,
            unplayable,
            concealed: seconds(buffer.concealed_samples),
            delay: jitter.delay(),
            round_trip: session.round_trip(),
            remote_lost: remote.map(|block| block.cumulative_lost),
            remote_jitter: remote.map(|block| seconds(block.jitter.into())),
            ..Self::default()
        };
        if let Some(reception) = session.reception() {
            stats.received = reception.received();
            stats.lost = u64::try_from(reception.lost()).unwrap_or(0);
            stats.jitter = reception.jitter();
            // A packet that comes too late is as good as lost.
            let missed = stats.lost + stats.late;
            let loss = missed as f64 / reception.expected() as f64;
            let network = stats.round_trip.unwrap_or_default() / 2;
            let delay = network + stats.delay + rtp::defaults::FRAME;
            let impairment = Impairment::G711_CONCEALED;
            stats.quality = Some(Quality::new(loss, stats.jitter, delay, impairment));
        }
        stats
    }
}
