//! Which mechanism a client takes of those that a server offers (RFC 6120 §6.3.3, XEP-0440).

use machine::ConnectionBinding;

use super::{Binding, BindingType, Mechanism};

/// What a client puts up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The mechanisms that it may use.
    pub allow: Vec<Mechanism>,
    /// The weakest one that will do: what it has logged in with before. A server that suddenly
    /// offers nothing as good is taken for somebody else.
    pub at_least: Option<Mechanism>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { allow: Mechanism::ALL.to_vec(), at_least: None }
    }
}

/// What a client logs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// What it says of channel binding, where the mechanism is one of SCRAM.
    pub binding: Binding,
}

/// Why a client rather does not log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing that both know and that may be used.
    #[error("the server offers no way to log in that may be used")]
    NothingUsable,
    /// Only the bare password, and the connection is not encrypted.
    #[error("the server wants the bare password over a connection that is not encrypted")]
    PlainInClear,
    /// Weaker than before.
    #[error("the server offers {offered} at best, where it was {before} before: a downgrade")]
    Downgrade {
        /// The best of what is offered now.
        offered: Mechanism,
        /// What it was.
        before: Mechanism,
    },
}

/// Takes the strongest mechanism of those `offered`. `types` are the types of channel binding that
/// the server names (XEP-0440), `None` where it names none; `connection` is what TLS gives to bind to,
/// nothing where there is no TLS.
///
/// # Errors
/// [`Error`].
pub fn choose(
    offered: &[Mechanism],
    types: Option<&[BindingType]>,
    connection: Option<&ConnectionBinding>,
    policy: &Policy,
) -> Result<Choice, Error> {
    let may_bind = policy.allow.iter().any(|mechanism| mechanism.is_bound());
    let ours = connection.filter(|_| may_bind);
    let common = ours.and_then(|connection| common(types, connection));
    let usable = |mechanism: &&Mechanism| {
        policy.allow.contains(mechanism) && (!mechanism.is_bound() || common.is_some())
    };
    let best = offered.iter().filter(usable).max().copied().ok_or(Error::NothingUsable)?;
    //= RFC 6120 §13.8.3: PLAIN only where TLS protects it.
    if best == Mechanism::Plain && connection.is_none() {
        return Err(Error::PlainInClear);
    }
    if let Some(before) = policy.at_least.filter(|before| best < *before) {
        return Err(Error::Downgrade { offered: best, before });
    }
    let server_binds = offered.iter().any(|mechanism| mechanism.is_bound());
    let we_bind =
        ours.is_some_and(|connection| BindingType::available(connection).next().is_some());
    let binding = match common {
        Some(binding) if best.is_bound() => binding,
        //= RFC 5802 §6: a client that could bind says so when the server seems not to be able to.
        //= Where the server can, but by no type that both have, it says that it cannot.
        _ if we_bind && !server_binds => Binding::NotOffered,
        _ => Binding::Unsupported,
    };
    Ok(Choice { mechanism: best, binding })
}

/// The strongest type that both have. A server that names no types is taken to know whatever the
/// connection has, as RFC 9266 makes the exporter the default of TLS 1.3.
fn common(types: Option<&[BindingType]>, connection: &ConnectionBinding) -> Option<Binding> {
    let kind = BindingType::available(connection)
        .find(|kind| types.is_none_or(|types| types.contains(kind)))?;
    Some(Binding::Bound { kind, data: kind.of(connection)?.to_vec() })
}

#[cfg(test)]
mod tests {
    use machine::ConnectionBinding;

    use super::super::{Binding, BindingType, Mechanism};
    use super::{Choice, Error, Policy, choose};

    fn tls() -> ConnectionBinding {
        ConnectionBinding { exporter: Some(vec![1]), server_end_point: Some(vec![2]) }
    }

    fn bound(kind: BindingType, data: u8) -> Binding {
        Binding::Bound { kind, data: vec![data] }
    }

    #[test]
    fn the_strongest_and_bound() {
        let (policy, tls) = (Policy::default(), tls());
        let (exporter, end_point) = (BindingType::TlsExporter, BindingType::TlsServerEndPoint);
        let taken = |mechanism, binding| Ok(Choice { mechanism, binding });
        let all = &Mechanism::ALL;
        let chosen = |types: Option<&[_]>, tls: Option<&_>| choose(all, types, tls, &policy);
        let plus = Mechanism::SCRAM_SHA_256_PLUS;
        assert_eq!(chosen(None, Some(&tls)), taken(plus, bound(exporter, 1)));
        assert_eq!(
            chosen(Some(&[end_point, exporter]), Some(&tls)),
            taken(plus, bound(exporter, 1))
        );
        assert_eq!(chosen(Some(&[end_point]), Some(&tls)), taken(plus, bound(end_point, 2)));
        // Nothing to bind to; and by no type that both have.
        let sha256 = Mechanism::SCRAM_SHA_256;
        assert_eq!(chosen(None, None), taken(sha256, Binding::Unsupported));
        assert_eq!(chosen(Some(&[]), Some(&tls)), taken(sha256, Binding::Unsupported));
        let only = ConnectionBinding { server_end_point: None, ..tls.clone() };
        assert_eq!(chosen(Some(&[end_point]), Some(&only)), taken(sha256, Binding::Unsupported));
        // Bound with SHA-1 is better than SHA-256 alone.
        let offered = [Mechanism::SCRAM_SHA_256, Mechanism::SCRAM_SHA_1_PLUS];
        let sha1_plus = taken(Mechanism::SCRAM_SHA_1_PLUS, bound(exporter, 1));
        assert_eq!(choose(&offered, None, Some(&tls), &policy), sha1_plus);
    }

    #[test]
    fn who_could_bind_says_so() {
        let offered = [Mechanism::Plain, Mechanism::SCRAM_SHA_1];
        let chosen = |policy: &Policy| choose(&offered, None, Some(&tls()), policy).unwrap();
        assert_eq!(chosen(&Policy::default()).binding, Binding::NotOffered);
        let unbound = Policy { allow: vec![Mechanism::SCRAM_SHA_1], at_least: None };
        assert_eq!(chosen(&unbound).binding, Binding::Unsupported);
    }

    #[test]
    fn what_a_client_refuses() {
        let policy = Policy::default();
        let chosen =
            |offered: &[_], tls: Option<&_>, policy: &Policy| choose(offered, None, tls, policy);
        assert_eq!(chosen(&[], Some(&tls()), &policy), Err(Error::NothingUsable));
        assert_eq!(chosen(&[Mechanism::Plain], None, &policy), Err(Error::PlainInClear));
        let scram = Policy { allow: vec![Mechanism::SCRAM_SHA_1], at_least: None };
        assert_eq!(chosen(&[Mechanism::Plain], Some(&tls()), &scram), Err(Error::NothingUsable));
        let (before, offered) = (Mechanism::SCRAM_SHA_256_PLUS, Mechanism::SCRAM_SHA_256);
        let policy = Policy { at_least: Some(before), ..policy };
        assert_eq!(
            chosen(&[Mechanism::Plain, offered], Some(&tls()), &policy),
            Err(Error::Downgrade { offered, before })
        );
    }
}
