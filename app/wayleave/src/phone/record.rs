//! What is heard, into WAV files.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use audio::wav::Recorder;

use super::account::unusable;
use crate::failure::Failure;

/// Writes each call's sound into a file: the first into the one that was named, later ones beside
/// it with a number.
#[derive(Debug, Default)]
pub struct Tape {
    path: Option<PathBuf>,
    calls: u32,
    recorder: Option<Recorder>,
}

impl Tape {
    /// Writes to `path`, or nowhere. The first file is made at once: whoever named a place that
    /// cannot be written to hears so before anybody speaks.
    pub fn new(path: Option<PathBuf>) -> Result<Self, Failure> {
        let mut tape = Self { path, calls: 0, recorder: None };
        tape.begin()?;
        Ok(tape)
    }

    /// Begins the file of a call, unless that was done.
    pub fn begin(&mut self) -> Result<(), Failure> {
        let Some(path) = self.path.as_ref().filter(|_| self.recorder.is_none()) else {
            return Ok(());
        };
        self.calls += 1;
        let path = numbered(path, self.calls);
        let recorder = Recorder::create(&path);
        self.recorder = Some(recorder.map_err(|error| unusable("record into", &path, &error))?);
        Ok(())
    }

    /// Appends what was heard.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), Failure> {
        if let Some(recorder) = &mut self.recorder {
            recorder.write(samples).context("cannot go on recording")?;
        }
        Ok(())
    }

    /// Ends the file.
    pub fn end(&mut self) -> Result<(), Failure> {
        if let Some(recorder) = self.recorder.take() {
            recorder.finish().context("cannot end the recording")?;
        }
        Ok(())
    }
}

/// `heard.wav`, `heard-2.wav`, `heard-3.wav`, …
fn numbered(path: &Path, n: u32) -> PathBuf {
    if n < 2 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{n}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{n}"),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::numbered;

    #[test]
    fn later_calls_get_numbers() {
        assert_eq!(numbered(Path::new("a/heard.wav"), 1), Path::new("a/heard.wav"));
        assert_eq!(numbered(Path::new("a/heard.wav"), 2), Path::new("a/heard-2.wav"));
        assert_eq!(numbered(Path::new("heard"), 3), Path::new("heard-3"));
    }
}
