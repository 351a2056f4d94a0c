//! Why somebody cannot be reached, as far as the core tells it apart: no such user, nobody there,
//! another domain.

use phone::{Condition, EndReason, JingleEnd, Reason};

/// Why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    pub message: String,
    pub remedy: &'static str,
}

/// What an error to a message or to a call by XMPP says of `whom` (RFC 6120 §8.3.3).
pub fn why(condition: Condition, whom: &str) -> Option<Absence> {
    let domain = whom.rsplit_once('@').map_or(whom, |(_, domain)| domain);
    let domain = domain.split('/').next().unwrap_or(domain);
    let (message, remedy) = match condition {
        Condition::ItemNotFound | Condition::Gone | Condition::JidMalformed => {
            (format!("the core knows no {whom}"), "check the address")
        }
        // A core tells strangers no more than this (RFC 6121 §8.5.1, §13).
        Condition::ServiceUnavailable => (
            format!("{whom} is not there, or there is no such user: the core does not say which"),
            "check the address, or try again later",
        ),
        Condition::RecipientUnavailable => {
            (format!("{whom} is not there at the moment"), "try again later")
        }
        Condition::RemoteServerNotFound => (
            format!("the core of your account does not reach the domain {domain}"),
            "check the domain; only addresses of the core's own domain can be reached where it reaches \
             no others",
        ),
        Condition::RemoteServerTimeout => {
            (format!("the domain {domain} did not answer the core in time"), "try again later")
        }
        _ => return None,
    };
    Some(Absence { message, remedy })
}

/// The same for the end of a call, in either protocol.
pub fn of_call(reason: &EndReason, whom: &str) -> Option<Absence> {
    match reason {
        EndReason::Jingle(JingleEnd::Refused { condition, .. }) => why(*condition, whom),
        EndReason::Signalling(Reason::Refused { status, .. }) => match status.code() {
            404 | 604 => why(Condition::ItemNotFound, whom),
            480 => why(Condition::RecipientUnavailable, whom),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use phone::Condition;

    use super::why;

    #[test]
    fn the_three_are_told_apart() {
        let whom = "xmpp:bob@example.net/desk";
        let told = |condition| why(condition, whom).unwrap().message;
        assert_eq!(told(Condition::ItemNotFound), format!("the core knows no {whom}"));
        assert!(told(Condition::ServiceUnavailable).contains("does not say which"));
        assert!(told(Condition::RemoteServerNotFound).ends_with("the domain example.net"));
        assert_eq!(why(Condition::NotAcceptable, whom), None);
    }
}
