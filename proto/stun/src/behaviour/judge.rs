//! What follows from what was seen.

use machine::Endpoint;

use super::report::{Filtering, Finding, Mapping, Pattern, Ports, Unknown};
use crate::defaults::MAX_PORT_STEP;

/// What became of a request whose answer was to come from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Change {
    /// It was not sent.
    #[default]
    NotAsked,
    /// It is on its way.
    Asked,
    /// The answer came in, from elsewhere.
    Arrived,
    /// The server refused, or answered from where it was asked.
    Refused,
    /// Nothing came.
    Silent,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Which place of the server's saw the socket of the mapping tests where.
    pub(super) seen: Vec<(Endpoint, Endpoint)>,
    pub(super) both: Change,
    pub(super) port: Change,
}

impl Evidence {
    /// Whether the server answered at `place` when it was asked there.
    fn answered(&self, place: Endpoint) -> bool {
        self.seen.iter().any(|(at, _)| *at == place)
    }

    /// What mappings depend on, if it is not known that there is no NAT (RFC 5780 §4.3).
    pub(super) fn mapping(&self, server: Endpoint, other: Option<Endpoint>) -> Finding<Mapping> {
        let other = other.ok_or(Unknown::NoOtherAddress)?;
        let pairs = || {
            let seen = &self.seen;
            seen.iter()
                .enumerate()
                .flat_map(|(n, one)| seen.iter().skip(n + 1).map(move |two| (one, two)))
        };
        // Two that are asked at one address, and two that are asked at one port.
        let same_address = |a: &Endpoint, b: &Endpoint| a.ip() == b.ip();
        let by_port =
            pairs().filter(|((a, _), (b, _))| same_address(a, b)).map(|(one, two)| one.1 != two.1);
        let by_port: Vec<bool> = by_port.collect();
        if by_port.contains(&true) {
            return Ok(Mapping::AddressAndPortDependent);
        }
        let mut across = pairs().filter(|((a, _), (b, _))| !same_address(a, b)).peekable();
        if across.peek().is_none() {
            let one_address = other.ip() == server.ip();
            return Err(if one_address {
                Unknown::OtherPortOnly
            } else {
                Unknown::OtherAddressSilent
            });
        }
        match across.all(|((_, one), (_, two))| one == two) {
            true => Ok(Mapping::EndpointIndependent),
            false if by_port.is_empty() => Err(Unknown::OtherAddressSilent),
            false => Ok(Mapping::AddressDependent),
        }
    }

    /// Whose packets come in (RFC 5780 §4.4). What did not come says something only if it would
    /// have come to somebody who had asked for it at its origin.
    pub(super) fn filtering(
        &self,
        server: Endpoint,
        other: Option<Endpoint>,
    ) -> Finding<Filtering> {
        use Change::{Arrived, NotAsked, Refused};
        let other = other.ok_or(Unknown::NoOtherAddress)?;
        let (across, beside) =
            (self.answered(other), self.answered(server.with_port(other.port())));
        match (self.both, self.port) {
            (NotAsked, NotAsked) => Err(Unknown::TooFewAnswers),
            (Arrived, _) => Ok(Filtering::EndpointIndependent),
            (Refused, _) | (_, Refused) => Err(Unknown::Unsupported),
            (NotAsked, Arrived) => Err(Unknown::OtherPortOnly),
            (_, Arrived) if across => Ok(Filtering::AddressDependent),
            (_, NotAsked) => Err(Unknown::Hidden),
            (NotAsked, _) if beside => Ok(Filtering::AddressAndPortDependent),
            (_, port) if port != Arrived && across && beside => {
                Ok(Filtering::AddressAndPortDependent)
            }
            _ => Err(Unknown::OtherAddressSilent),
        }
    }
}

/// How outside ports are chosen, of the inside and outside ports in the order of asking (RFC 4787
/// §4.2).
pub(super) fn ports(ports: &[(u16, u16)]) -> Finding<Ports> {
    if ports.len() < 3 {
        return Err(Unknown::TooFewAnswers);
    }
    let parity = ports.iter().all(|(inside, outside)| inside % 2 == outside % 2);
    let kept = ports.iter().filter(|(inside, outside)| inside == outside).count();
    // A port that was taken goes to another, and says nothing of the rest.
    let pattern = if 2 * kept > ports.len() { Pattern::Preserved } else { pattern(ports) };
    Ok(Ports { pattern, parity })
}

fn pattern(ports: &[(u16, u16)]) -> Pattern {
    let outside = || ports.iter().map(|(_, outside)| i32::from(*outside));
    let (Some(low), Some(high)) = (outside().min(), outside().max()) else {
        return Pattern::Random;
    };
    // Others behind the NAT take ports in between, and packets overtake each other.
    let most = MAX_PORT_STEP * i32::try_from(ports.len()).unwrap_or(i32::MAX);
    if high - low > most {
        return Pattern::Random;
    }
    let steps: Vec<i32> = outside().zip(outside().skip(1)).map(|(one, two)| two - one).collect();
    let often = |step: &i32| steps.iter().filter(|other| *other == step).count();
    match steps.iter().copied().max_by_key(|step| (often(step), -step.abs())) {
        None | Some(0) => Pattern::Random,
        Some(step) => Pattern::Sequential { step },
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{Filtering, Mapping, Pattern, Unknown};
    use super::{Change, Evidence, ports};
    use machine::Endpoint;

    const SERVER: &str = "192.0.2.1:3478";
    const BESIDE: &str = "192.0.2.1:3479";
    const ABOVE: &str = "192.0.2.2:3478";
    const OTHER: &str = "192.0.2.2:3479";

    fn at(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    fn seen(seen: &[(&str, u16)]) -> Evidence {
        let seen =
            seen.iter().map(|(place, port)| (at(place), at("203.0.113.1:0").with_port(*port)));
        Evidence { seen: seen.collect(), ..Evidence::default() }
    }

    #[test]
    fn mapping_by_what_differs() {
        use Mapping::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
        for (evidence, is) in [
            (&[(SERVER, 1), (ABOVE, 1), (OTHER, 1), (BESIDE, 1)][..], Ok(EndpointIndependent)),
            (&[(SERVER, 1), (ABOVE, 2), (OTHER, 2), (BESIDE, 1)], Ok(AddressDependent)),
            (&[(SERVER, 1), (ABOVE, 2), (OTHER, 3), (BESIDE, 4)], Ok(AddressAndPortDependent)),
            // One answer of two is enough where the other shows the same.
            (&[(SERVER, 1), (OTHER, 1)], Ok(EndpointIndependent)),
            (&[(SERVER, 1), (ABOVE, 2), (OTHER, 2)], Ok(AddressDependent)),
            (&[(SERVER, 1), (OTHER, 2), (BESIDE, 1)], Ok(AddressDependent)),
            (&[(SERVER, 1), (BESIDE, 2)], Ok(AddressAndPortDependent)),
            (&[(SERVER, 1), (OTHER, 2)], Err(Unknown::OtherAddressSilent)),
            (&[(SERVER, 1), (BESIDE, 1)], Err(Unknown::OtherAddressSilent)),
        ] {
            assert_eq!(seen(evidence).mapping(at(SERVER), Some(at(OTHER))), is, "{evidence:?}");
        }
        let evidence = seen(&[(SERVER, 1), (BESIDE, 1)]);
        assert_eq!(evidence.mapping(at(SERVER), None), Err(Unknown::NoOtherAddress));
        assert_eq!(evidence.mapping(at(SERVER), Some(at(BESIDE))), Err(Unknown::OtherPortOnly));
    }

    #[test]
    fn filtering_by_what_came_and_what_could_have_come() {
        use Change::{Arrived, NotAsked, Refused, Silent};
        use Filtering::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
        let all = &[(SERVER, 1), (ABOVE, 1), (OTHER, 1), (BESIDE, 1)][..];
        let near = &all[..1];
        for (places, both, port, is) in [
            (all, Arrived, Arrived, Ok(EndpointIndependent)),
            (all, Arrived, Silent, Ok(EndpointIndependent)),
            (all, Silent, Arrived, Ok(AddressDependent)),
            (all, Silent, Silent, Ok(AddressAndPortDependent)),
            (near, Silent, Silent, Err(Unknown::OtherAddressSilent)),
            (near, Silent, Arrived, Err(Unknown::OtherAddressSilent)),
            (&all[..3], Silent, Silent, Err(Unknown::OtherAddressSilent)),
            (all, Refused, Silent, Err(Unknown::Unsupported)),
            (all, Silent, Refused, Err(Unknown::Unsupported)),
            (all, NotAsked, NotAsked, Err(Unknown::TooFewAnswers)),
            (all, Silent, NotAsked, Err(Unknown::Hidden)),
            (all, NotAsked, Silent, Ok(AddressAndPortDependent)),
            (all, NotAsked, Arrived, Err(Unknown::OtherPortOnly)),
        ] {
            let evidence = Evidence { both, port, ..seen(places) };
            let filtering = evidence.filtering(at(SERVER), Some(at(OTHER)));
            assert_eq!(filtering, is, "{both:?} {port:?} of {places:?}");
        }
    }

    #[test]
    fn patterns_of_ports() {
        let of = |outside: &[u16]| {
            let pairs: Vec<_> = (50_000..).zip(outside.iter().copied()).collect();
            ports(&pairs).map(|ports| (ports.pattern, ports.parity))
        };
        assert_eq!(of(&[50_000, 50_001, 50_002, 61_003]), Ok((Pattern::Preserved, true)));
        let sequential = |step| Pattern::Sequential { step };
        assert_eq!(of(&[1000, 1001, 1002, 1003]), Ok((sequential(1), true)));
        assert_eq!(of(&[1001, 1002, 1003, 1004]), Ok((sequential(1), false)));
        assert_eq!(of(&[1008, 1006, 1004, 1002]), Ok((sequential(-2), false)));
        assert_eq!(of(&[1001, 1002, 1007, 1008]), Ok((sequential(1), false)));
        assert_eq!(of(&[1001, 31_002, 22_003, 7_008]), Ok((Pattern::Random, false)));
        assert_eq!(of(&[1001, 1001, 1001, 1001]), Ok((Pattern::Random, false)));
        assert_eq!(of(&[1001, 1002]), Err(Unknown::TooFewAnswers));
    }
}
