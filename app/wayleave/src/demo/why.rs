//! Why the people of a demo need a relay, and what would have spared them: here what they are behind
//! is known, not guessed.

use netsim::{Dependence, NatSpec};
use scenarios::Access;
use scenarios::topology::{blocks_udp, can_be_direct, filters_by_port, moves, nats_let_through};

/// Why a relay is needed, and what would have helped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// Sentences, what each side is behind first.
    pub causes: Vec<String>,
    /// What would have made a direct way, each by itself.
    pub remedies: Vec<String>,
}

/// One side: its name, and what it is behind.
type Side<'a> = (&'a str, &'a Access);

/// Why Alice and Bob cannot do without a relay; nothing if they can.
pub fn why(alice: &Access, bob: &Access) -> Option<Why> {
    if can_be_direct(alice, bob) {
        return None;
    }
    let sides: [Side<'_>; 2] = [("Alice", alice), ("Bob", bob)];
    let mut why = Why::default();
    why.causes.extend(sides.iter().map(|side| behind(*side)));
    let walls: Vec<&str> =
        sides.iter().filter(|(_, access)| blocks_udp(access)).map(|(name, _)| *name).collect();
    if !walls.is_empty() {
        why.causes.push(format!(
            "No UDP gets out at {}: media can pass there only by a relay that is reached over TCP.",
            walls.join(" and at ")
        ));
    }
    let nats = [alice.nats(), bob.nats()];
    let pairs = [(0, 1), (1, 0)].into_iter().filter(|(from, to)| {
        moves(&nats[*from]) && filters_by_port(&nats[*to]) && walls.is_empty()
    });
    why.causes.extend(pairs.map(|(from, to)| {
        let (from, to) = (sides[from].0, sides[to].0);
        format!(
            "What {from} sends comes from an address that {to} has not been told, and {to}'s NAT \
             lets in only what it has sent to."
        )
    }));
    why.remedies = remedies(&walls, &nats);
    Some(why)
}

/// What somebody is behind.
fn behind((name, access): Side<'_>) -> String {
    let nats = access.nats();
    let mapping = if moves(&nats) {
        "gives each destination another outside address"
    } else {
        "has one outside address for all destinations"
    };
    let filtering = match nats.iter().map(|nat| nat.filtering).max() {
        None | Some(Dependence::Endpoint) => "lets everybody in",
        Some(Dependence::Address) => "lets in whoever was sent to, from any port",
        Some(Dependence::AddressAndPort) => "lets in only what comes from where it has sent to",
    };
    match (nats.is_empty(), blocks_udp(access)) {
        (true, false) => format!("{name} has a public address."),
        (true, true) => format!("{name}'s firewall lets no UDP through."),
        (false, true) => format!("{name} is behind {access}: a firewall lets no UDP through."),
        (false, false) => format!("{name} is behind {access}: the NAT {mapping}, and {filtering}."),
    }
}

/// What would have helped. Each is tried on the rule by which the laboratory knows who reaches whom.
fn remedies(walls: &[&str], nats: &[Vec<NatSpec>; 2]) -> Vec<String> {
    let mut remedies = Vec::new();
    let change = |change: &dyn Fn(&mut NatSpec), who: [bool; 2]| {
        let mut nats = nats.clone();
        for (nats, _) in nats.iter_mut().zip(who).filter(|(_, changed)| *changed) {
            nats.iter_mut().for_each(change);
        }
        nats_let_through(&nats[0], &nats[1])
    };
    if !walls.is_empty() {
        let also = if change(&|_| (), [false; 2]) { "" } else { ", and then kinder NATs" };
        remedies.push(format!("UDP through the firewall of {}{also}", walls.join(" and of ")));
        return remedies;
    }
    let steady = |nat: &mut NatSpec| nat.mapping = Dependence::Endpoint;
    let open = |nat: &mut NatSpec| nat.filtering = nat.filtering.min(Dependence::Address);
    for (what, change_nat) in [
        ("mapping that does not depend on the destination", &steady as &dyn Fn(&mut NatSpec)),
        ("filtering by address alone", &open),
    ] {
        let alone = [("Alice's NAT", [true, false]), ("Bob's NAT", [false, true])];
        let enough: Vec<&str> = alone
            .iter()
            .filter(|(_, who)| change(change_nat, *who))
            .map(|(whose, _)| *whose)
            .collect();
        match enough[..] {
            [] if change(change_nat, [true; 2]) => remedies.push(format!("{what} at both NATs")),
            [] => {}
            _ => remedies.push(format!("{what} at {}", enough.join(" or "))),
        }
    }
    remedies.push("IPv6, or a port opened in either NAT".to_owned());
    remedies
}

#[cfg(test)]
mod tests {
    use scenarios::Preset;

    use super::{Why, why};

    fn of(alice: Preset, bob: Preset) -> Option<Why> {
        why(&alice.into(), &bob.into())
    }

    #[test]
    fn nobody_is_told_why_who_needs_no_relay() {
        assert_eq!(of(Preset::PortRestricted, Preset::PortRestricted), None);
        assert_eq!(of(Preset::Symmetric, Preset::AddressRestricted), None);
    }

    #[test]
    fn two_symmetric_nats_must_both_change() {
        let why = of(Preset::Symmetric, Preset::Symmetric).unwrap();
        assert!(why.causes[0].starts_with("Alice is behind symmetric: the NAT gives each"));
        assert_eq!(why.causes.len(), 4);
        assert_eq!(why.remedies[0], "mapping that does not depend on the destination at both NATs");
        assert_eq!(why.remedies[1], "filtering by address alone at both NATs");
    }

    #[test]
    fn one_symmetric_nat_is_helped_at_either_end() {
        let why = of(Preset::Symmetric, Preset::PortRestricted).unwrap();
        assert_eq!(
            why.remedies[0],
            "mapping that does not depend on the destination at Alice's NAT"
        );
        assert_eq!(why.remedies[1], "filtering by address alone at Bob's NAT");
    }

    #[test]
    fn a_firewall_is_named() {
        let why = of(Preset::UdpBlocked, Preset::Open).unwrap();
        assert!(why.causes[0].contains("udp-blocked: a firewall lets no UDP through"));
        assert_eq!(why.remedies, ["UDP through the firewall of Alice"]);
        let why = of(Preset::UdpBlocked, Preset::Symmetric).unwrap();
        assert_eq!(why.remedies, ["UDP through the firewall of Alice, and then kinder NATs"]);
    }
}
