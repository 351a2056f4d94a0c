//! What a leg plays.

use std::sync::Arc;

/// Samples at 8 kHz, played once or over and over, then silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    samples: Arc<[i16]>,
    position: usize,
    looped: bool,
    ended: bool,
}

impl Source {
    /// Silence without end.
    #[must_use]
    pub fn silence() -> Self {
        Self { ended: true, ..Self::default() }
    }

    /// These samples once, then silence.
    #[must_use]
    pub fn once(samples: impl Into<Arc<[i16]>>) -> Self {
        Self { samples: samples.into(), ..Self::default() }
    }

    /// These samples over and over.
    #[must_use]
    pub fn looped(samples: impl Into<Arc<[i16]>>) -> Self {
        Self { samples: samples.into(), looped: true, ..Self::default() }
    }

    /// Fills `frame`; true if this reached the end, which is told once.
    pub(super) fn read(&mut self, frame: &mut [i16]) -> bool {
        let mut rest = frame;
        while !rest.is_empty() {
            if self.looped && self.position == self.samples.len() {
                self.position = 0;
            }
            let left = self.samples.get(self.position..).unwrap_or_default();
            if left.is_empty() {
                break;
            }
            let run = left.len().min(rest.len());
            let (part, behind) = rest.split_at_mut(run);
            part.copy_from_slice(&left[..run]);
            self.position += run;
            rest = behind;
        }
        rest.fill(0);
        let at_end = !self.looped && self.position == self.samples.len();
        at_end && !std::mem::replace(&mut self.ended, true)
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn once_then_silence() {
        let mut source = Source::once(vec![1, 2, 3, 4]);
        let mut frame = [9; 3];
        assert!(!source.read(&mut frame));
        assert_eq!(frame, [1, 2, 3]);
        assert!(source.read(&mut frame), "the end is told");
        assert_eq!(frame, [4, 0, 0]);
        assert!(!source.read(&mut frame), "once");
        assert_eq!(frame, [0, 0, 0]);
    }

    #[test]
    fn over_and_over() {
        let mut source = Source::looped(vec![1, 2]);
        let mut frame = [0; 5];
        assert!(!source.read(&mut frame));
        assert_eq!(frame, [1, 2, 1, 2, 1]);
        let mut nothing = Source::looped(vec![]);
        assert!(!nothing.read(&mut frame));
        assert!(!Source::silence().read(&mut frame));
        assert_eq!(frame, [0; 5]);
    }
}
