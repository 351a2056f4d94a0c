//! Arbitrary descriptions, for the tests of every rendering.

use std::net::IpAddr;
use std::time::Duration;

use ice::{Candidate, CandidateKind, Credentials};
use machine::Endpoint;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::Loss;
use crate::description::{
    Codec, Content, Creator, Description, Direction, Ice, Keying, MediaKind, Transport,
};

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let ip = any::<IpAddr>().prop_filter("an address", |ip| !ip.to_canonical().is_unspecified());
    (ip, 1..u16::MAX).prop_map(|(ip, port)| Endpoint::new(ip, port))
}

prop_compose! {
    fn codec()(
        name in "[a-zA-Z0-9-]{1,12}",
        clock_rate in 1..200_000_u32,
        channels in 1..=8_u8,
        parameters in vec(("[a-z0-9/-]{1,8}", "[A-Za-z0-9=,/-]{0,8}"), 0..4),
    ) -> Codec {
        Codec { payload_type: 0, name, clock_rate, channels, parameters }
    }
}

fn codecs() -> impl Strategy<Value = Vec<Codec>> {
    vec(codec(), 1..8).prop_map(|mut codecs| {
        codecs.iter_mut().zip(96..).for_each(|(codec, n)| codec.payload_type = n);
        codecs
    })
}

prop_compose! {
    fn candidate()(
        kind in prop_oneof![
            Just(CandidateKind::Host), Just(CandidateKind::ServerReflexive),
            Just(CandidateKind::PeerReflexive), Just(CandidateKind::Relayed),
        ],
        component in 1..=2_u16,
        foundation in "[a-zA-Z0-9+/]{1,32}",
        priority: u32,
        endpoint in endpoint(),
        related in option::of(endpoint()),
    ) -> Candidate {
        let signalled = Candidate::signalled(kind, component, &foundation, priority, endpoint);
        Candidate { related, ..signalled }
    }
}

prop_compose! {
    /// ICE but for what holds for the whole session.
    fn ice()(
        ufrag in "[a-zA-Z0-9+/]{4,256}",
        pwd in "[a-zA-Z0-9+/]{22,256}",
        candidates in vec(candidate(), 0..6),
    ) -> Ice {
        Ice { credentials: Credentials { ufrag, pwd }, lite: false, complete: true, candidates }
    }
}

fn defaults(rtcp_mux: bool) -> BoxedStrategy<Vec<Option<Endpoint>>> {
    let both = (endpoint(), endpoint()).prop_filter("two places", |(rtp, rtcp)| rtp != rtcp);
    let apart = prop_oneof![
        both.prop_map(|(rtp, rtcp)| vec![Some(rtp), Some(rtcp)]),
        endpoint().prop_map(|rtp| vec![Some(rtp), Some(rtp.with_port(rtp.port() + 1))]),
        Just(vec![None, None]),
    ];
    let shared = prop_oneof![endpoint().prop_map(|rtp| vec![Some(rtp)]), Just(vec![None])];
    if rtcp_mux { prop_oneof![shared, both_again()].boxed() } else { apart.boxed() }
}

fn both_again() -> impl Strategy<Value = Vec<Option<Endpoint>>> {
    (endpoint(), endpoint())
        .prop_filter("two places", |(rtp, rtcp)| rtp != rtcp)
        .prop_map(|(rtp, rtcp)| vec![Some(rtp), Some(rtcp)])
}

fn transport(rtcp_mux: bool) -> impl Strategy<Value = Transport> {
    (option::of(ice()), defaults(rtcp_mux)).prop_map(|(ice, defaults)| Transport { ice, defaults })
}

prop_compose! {
    /// A content without its transport.
    fn bare_content()(
        refused in prop::bool::weighted(0.2),
        name in option::of("[a-z][a-z0-9_-]{0,10}"),
        media in prop_oneof![
            Just(MediaKind::Audio), Just(MediaKind::Video), Just(MediaKind::Other("text".to_owned())),
        ],
        sends in any::<bool>(),
        receives in any::<bool>(),
        codecs in codecs(),
        packet_time in option::of((1..1000_u64).prop_map(Duration::from_millis)),
        rtcp_mux in any::<bool>(),
        keying in prop_oneof![
            Just(Keying::None), Just(Keying::Unknown("RTP/SAVPF".to_owned())),
        ],
    ) -> Content {
        Content {
            name: name.unwrap_or_default(),
            creator: Creator::Initiator,
            media, refused,
            direction: Direction { sends, receives },
            codecs, packet_time, rtcp_mux, keying,
            transport: Transport::default(),
        }
    }
}

fn content() -> impl Strategy<Value = Content> {
    bare_content().prop_flat_map(|content| {
        transport(content.rtcp_mux).prop_map(move |transport| match content.refused {
            true => content.clone(),
            false => Content { transport, ..content.clone() },
        })
    })
}

prop_compose! {
    /// A description that both renderings can say, but for what they name.
    pub(super) fn description()(contents in vec(content(), 0..4), lite: bool, complete: bool) -> Description {
        let mut contents = contents;
        for (index, content) in contents.iter_mut().enumerate() {
            if content.name.is_empty() {
                content.name = index.to_string();
            }
            // SDP says these for the whole session.
            if let Some(ice) = &mut content.transport.ice {
                (ice.lite, ice.complete) = (lite, complete);
            }
        }
        Description { contents }
    }
}

/// `original` without what a rendering named as lost, and `read`, which came of it, without the same.
pub(super) fn forgiven(
    original: &Description,
    read: &Description,
    losses: &[Loss],
) -> (Description, Description) {
    let left_out = |index: &usize| {
        losses.iter().any(|loss| match loss {
            Loss::Keying(at) | Loss::Refused(at) | Loss::Content(at) => at == index,
            _ => false,
        })
    };
    let kept = (0..original.contents.len()).filter(|index| !left_out(index));
    let (mut before, mut after) = (Description::default(), read.clone());
    for (index, read) in kept.zip(&mut after.contents) {
        let mut content = original.contents[index].clone();
        for loss in losses {
            forgive(&mut content, index, loss);
            forgive(read, index, loss);
        }
        before.contents.push(content);
    }
    (before, after)
}

fn forgive(content: &mut Content, index: usize, loss: &Loss) {
    let ice = content.transport.ice.as_mut();
    match loss {
        Loss::Creator(at) if *at == index => content.creator = Creator::Initiator,
        Loss::Name(at) if *at == index => content.name.clear(),
        Loss::Codec(at, _) if *at == index => content.codecs.clear(),
        Loss::Candidate(at, _) if *at == index => {
            ice.into_iter().for_each(|ice| ice.candidates.clear());
        }
        Loss::Credentials(at) if *at == index => content.transport.ice = None,
        Loss::Defaults(at) if *at == index => content.transport.defaults.clear(),
        Loss::Lite(at) if *at == index => ice.into_iter().for_each(|ice| ice.lite = false),
        Loss::PacketTime(at) if *at == index => content.packet_time = None,
        _ => {}
    }
}
