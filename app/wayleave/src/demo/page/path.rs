//! Which path won and why, or why there is none.

use maud::{Markup, html};
use phone::Path;
use scenarios::Who;

use super::{Fate, each, kind_words, part};
use crate::demo::outcome::{Call, Outcome};
use crate::events::transport_name;

pub fn section(outcome: &Outcome) -> Markup {
    let title = if outcome.failed().is_some() {
        "Why there is no path"
    } else {
        "The path that won, and why"
    };
    part("path", title, "", each(outcome, story))
}

fn story(call: &Call) -> Markup {
    let fate = Fate::of(call);
    html! {
        div class={ "card story " (fate.class()) } {
            @if let (Some(alice), Some(bob)) = (&call.report.alice.path, &call.report.bob.path) {
                (route(call, alice, bob))
            }
            @match call.verdict(Who::Alice) {
                Some(verdict) => {
                    p.verdict { (of_alice(&verdict.verdict)) }
                    @if !verdict.causes.is_empty() {
                        ul.causes { @for cause in &verdict.causes { li { (of_alice(cause)) } } }
                    }
                    @if !verdict.remedies.is_empty() {
                        h3 { "What would have helped" }
                        ul.remedies { @for remedy in &verdict.remedies { li { (super::capital(remedy)) "." } } }
                    }
                }
                None => p.verdict { "The call did not come to that: signalling did not get through." }
            }
        }
    }
}

/// An explanation is told by one side, Alice's here; the page tells of both.
fn of_alice(text: &str) -> String {
    let names = [
        ("the other side's", "Bob's"),
        ("The other side", "Bob"),
        ("the other side", "Bob"),
        ("this side's", "Alice's"),
        ("This side", "Alice"),
        ("Our own", "Alice's own"),
        ("Our ", "Alice's "),
        (" our ", " Alice's "),
        ("ours is", "Alice's is"),
        ("Their ", "Bob's "),
    ];
    names.iter().fold(text.to_owned(), |text, (told, name)| text.replace(told, name))
}

/// An address on the way, whose it is, and what.
struct Station {
    address: String,
    who: Who,
    what: String,
}

/// The stations of the media, from Alice to Bob.
fn route(call: &Call, alice: &Path, bob: &Path) -> Markup {
    let topology = &call.report.topology;
    let mut stations = stations(Who::Alice, topology.alice.address, alice);
    stations.extend(self::stations(Who::Bob, topology.bob.address, bob).into_iter().rev());
    html! {
        ol.route aria-label="The stations of the media, from Alice to Bob" {
            @for Station { address, who, what } in &stations {
                li {
                    span class={ "station " (who.name()) } { (address) }
                    small { (what) }
                }
            }
        }
    }
}

/// One side's own stations, from its host outwards.
fn stations(who: Who, host: &str, path: &Path) -> Vec<Station> {
    let whose = format!("{}'s", super::capital(who.name()));
    let kind = format!("{whose} {}", path.local_type.map_or("address", kind_words));
    if let Some(relay) = path.relay {
        let over = transport_name(path.transport).to_uppercase();
        let what = format!("{kind}, reached over {over}");
        let address = format!("{}", path.local);
        return vec![
            Station { address: host.to_owned(), who, what: format!("{whose} own address") },
            Station { address, who: Who::Core, what: format!("{what} at {relay}") },
        ];
    }
    let own = Station { address: path.base.to_string(), who, what: format!("{whose} own address") };
    let outside = Station { address: path.local.to_string(), who, what: kind };
    if path.base == path.local { vec![own] } else { vec![own, outside] }
}

#[cfg(test)]
mod tests {
    use super::of_alice;

    #[test]
    fn sides_have_names_on_the_page() {
        assert_eq!(of_alice("Our NAT kept"), "Alice's NAT kept");
        assert_eq!(
            of_alice("Connected through the other side's relay."),
            "Connected through Bob's relay."
        );
    }
}
