//! Names of sockets, connections, look-ups and questions.
//!
//! One number space for all of them, cut into namespaces: a machine made of parts gives each part a
//! namespace and routes what comes back by [`Id::namespace`] alone. Connections that a listener
//! accepted are named by the driver, inside the listener's namespace.

use std::fmt;

use serde::{Deserialize, Serialize};

const NAMESPACE_SHIFT: u32 = 48;
const ACCEPTED: u64 = 1 << 47;

/// The name of one socket, connection, look-up or question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(u64);

impl Id {
    /// The part of a machine that this name belongs to.
    #[must_use]
    pub const fn namespace(self) -> u16 {
        (self.0 >> NAMESPACE_SHIFT) as u16
    }

    /// The `n`th connection that `listener` accepted. Only drivers call this.
    #[must_use]
    pub const fn accepted(listener: Self, n: u64) -> Self {
        let namespace = (listener.0 >> NAMESPACE_SHIFT) << NAMESPACE_SHIFT;
        Self(namespace | ACCEPTED | (n & (ACCEPTED - 1)))
    }

    /// The bare number, for logs and records.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0 & ACCEPTED == 0 { '#' } else { '@' };
        write!(f, "{}{kind}{}", self.namespace(), self.0 & (ACCEPTED - 1))
    }
}

/// Hands out names of one namespace, never the same twice.
#[derive(Debug)]
pub struct Ids {
    namespace: u16,
    next: u64,
    end: u64,
    start: u64,
}

impl Ids {
    /// Names of the namespace `namespace`.
    #[must_use]
    pub const fn new(namespace: u16) -> Self {
        Self { namespace, next: 0, end: ACCEPTED, start: 0 }
    }

    /// A fresh name.
    pub fn next_id(&mut self) -> Id {
        let n = self.next;
        self.next += 1;
        assert!(n < self.end, "all names used up");
        Id(((self.namespace as u64) << NAMESPACE_SHIFT) | n)
    }

    /// Sets the next `count` names aside, for a part that hands them out itself without a namespace
    /// of its own.
    pub fn block(&mut self, count: u64) -> Self {
        let start = self.next;
        self.next = start.saturating_add(count);
        assert!(self.next <= self.end, "all names used up");
        Self { namespace: self.namespace, next: start, end: self.next, start }
    }

    /// Whether `id` is one of these names, handed out or not.
    #[must_use]
    pub const fn contains(&self, id: Id) -> bool {
        let n = id.0 & ((1 << NAMESPACE_SHIFT) - 1);
        id.namespace() == self.namespace && self.start <= n && n < self.end
    }

    /// The namespace that these names belong to.
    #[must_use]
    pub const fn namespace(&self) -> u16 {
        self.namespace
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, Ids};

    #[test]
    fn names_of_a_namespace_are_its_own_and_differ() {
        let mut ids = Ids::new(u16::MAX);
        let (first, second) = (ids.next_id(), ids.next_id());
        assert_ne!(first, second);
        assert_ne!(first, Ids::new(0).next_id());
        assert_eq!((first.namespace(), ids.namespace()), (u16::MAX, u16::MAX));
        // A connection has its listener's namespace, and none of the names given out there.
        for n in [0, 1, u64::MAX] {
            let conn = Id::accepted(first, n);
            assert_eq!(conn.namespace(), u16::MAX);
            assert!(conn != first && conn != second);
        }
        let mut ids = Ids::new(7);
        let mut block = ids.block(2);
        let (inside, outside) = (block.next_id(), ids.next_id());
        assert!(block.contains(inside) && !block.contains(outside) && ids.contains(outside));
        assert!(!block.contains(first) && ids.contains(inside));
        assert_eq!(format!("{second:?} {:?}", Id::accepted(second, 5)), "65535#1 65535@5");
    }
}
