//! Sound in files: WAV of any usual form in, 8 kHz out; and measures to compare what was heard.
//!
//! Calls speak 8 kHz, mono, 16 bits.
//!
//! | module | what |
//! |---|---|
//! | [`wav`] | [`wav::read`] brings a file there, whatever its rate and form; [`wav::write`] and [`wav::Recorder`] write it |
//! | [`resample`](mod@resample) | another rate, with what it cannot carry taken out first |
//! | [`compare`] | how alike two recordings are, and how much of a tone is in one |
//! | [`defaults`] | limits and constants |
//!
//! Devices and other codecs are to come.
//!
//! ```no_run
//! let spoken = audio::wav::read("spoken.wav")?;
//! let heard = audio::wav::read("heard.wav")?;
//! let similarity = audio::compare::similarity(&spoken, &heard);
//! assert!(similarity.coverage >= 0.95 && similarity.correlation >= 0.99);
//! # Ok::<(), audio::Error>(())
//! ```

pub mod compare;
pub mod defaults;
pub mod resample;
pub mod wav;

pub use compare::{Similarity, similarity, tone};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is no WAV file, or a broken one.
    #[error("not a WAV file: {0}")]
    NotWav(&'static str),
    /// It is a WAV file of a form that is not read.
    #[error("{0}: give a PCM WAV file (8 to 48 kHz, mono or stereo, 8 to 32 bits or float)")]
    Unsupported(String),
    /// It is longer than [`defaults::MAX_DURATION`].
    #[error("longer than {} minutes", defaults::MAX_DURATION.as_secs() / 60)]
    TooLong,
}

impl From<hound::Error> for Error {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => Self::Io(error),
            hound::Error::FormatError(what) => Self::NotWav(what),
            hound::Error::Unsupported => {
                Self::Unsupported("compressed, or of a rare form".to_owned())
            }
            hound::Error::InvalidSampleFormat | hound::Error::TooWide => {
                Self::Unsupported("samples of a rare form".to_owned())
            }
            hound::Error::UnfinishedSample => Self::NotWav("ends within a sample"),
        }
    }
}
