//! Trains of datagrams, cut into the datagrams that they carry.
//!
//! A driver may hand over several datagrams of one sender as one input (GRO), with
//! `segment_size` saying where to cut. A machine that cares for throughput takes them as they come;
//! one that does not takes them [one by one](Input::one_by_one).

use crate::{Ecn, Endpoint, Id, Input};

/// The inputs that one input stands for; see [`Input::one_by_one`].
#[derive(Clone, Debug)]
pub struct OneByOne<'a, A>(State<'a, A>);

#[derive(Clone, Debug)]
enum State<'a, A> {
    Whole(Option<Input<'a, A>>),
    Train { socket: Id, local: Endpoint, remote: Endpoint, ecn: Option<Ecn>, cars: Datagrams<'a> },
}

impl<'a, A> Input<'a, A> {
    /// A train of datagrams as the datagrams it carries, in order; any other input as it is.
    #[must_use]
    pub fn one_by_one(self) -> OneByOne<'a, A> {
        OneByOne(match self {
            Self::Datagram { socket, local, remote, ecn, segment_size: Some(size), bytes } => {
                let cars = datagrams(bytes, Some(size));
                State::Train { socket, local, remote, ecn, cars }
            }
            whole => State::Whole(Some(whole)),
        })
    }
}

impl<'a, A> Iterator for OneByOne<'a, A> {
    type Item = Input<'a, A>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            State::Whole(whole) => whole.take(),
            State::Train { socket, local, remote, ecn, cars } => {
                let bytes = cars.next()?;
                let (socket, local, remote, ecn) = (*socket, *local, *remote, *ecn);
                Some(Input::Datagram { socket, local, remote, ecn, segment_size: None, bytes })
            }
        }
    }
}

/// The datagrams of a payload; see [`datagrams`].
#[derive(Clone, Debug)]
pub struct Datagrams<'a> {
    rest: Option<&'a [u8]>,
    size: usize,
}

/// Cuts a payload into datagrams of `segment_size` bytes, the last may be shorter; without a size
/// the payload is one datagram, an empty one too.
#[must_use]
pub fn datagrams(payload: &[u8], segment_size: Option<usize>) -> Datagrams<'_> {
    // A size of nothing would never end.
    let size = segment_size.filter(|&size| size > 0).unwrap_or(usize::MAX);
    Datagrams { rest: Some(payload), size }
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let (first, rest) = rest.split_at(self.size.min(rest.len()));
        self.rest = (!rest.is_empty()).then_some(rest);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::datagrams;
    use crate::{Endpoint, Ids, Input};

    fn datagram(segment_size: Option<usize>, bytes: &[u8]) -> Input<'_, ()> {
        let (socket, local) = (Ids::new(1).next_id(), Endpoint::UNSPECIFIED_V4);
        Input::Datagram { socket, local, remote: local, ecn: None, segment_size, bytes }
    }

    #[test]
    fn a_train_is_cut_and_all_else_stays_whole() {
        let train: Vec<_> = datagram(Some(4), b"onetwothr").one_by_one().collect();
        assert_eq!(train, [datagram(None, b"onet"), datagram(None, b"woth"), datagram(None, b"r")]);
        for whole in [datagram(None, b"alone"), datagram(None, b""), Input::Interfaces(vec![])] {
            assert_eq!(whole.clone().one_by_one().collect::<Vec<_>>(), [whole]);
        }
        // No driver says so, but it must end.
        let odd: Vec<_> = datagram(Some(0), b"odd").one_by_one().collect();
        assert_eq!(odd, [datagram(None, b"odd")]);
    }

    proptest! {
        /// Nothing is lost, and every datagram but the last has the size.
        #[test]
        fn cutting_loses_nothing(bytes in vec(any::<u8>(), 0..100), size in 1..50_usize) {
            let cut: Vec<&[u8]> = datagrams(&bytes, Some(size)).collect();
            prop_assert_eq!(&cut.concat(), &bytes);
            let (last, before) = cut.split_last().expect("at least one");
            prop_assert!(before.iter().all(|part| part.len() == size) && last.len() <= size);
        }
    }
}
