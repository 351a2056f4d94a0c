//! What a call scenario is made of.

use std::sync::Arc;
use std::time::Duration;

use gateway::Behaviour;
use netsim::{Access, Preset};
use phone::IceMode;
pub use phone::Protocol as Via;

use crate::node::Who;

/// Alice calls Bob: who is behind what, how far away, with how much loss.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Over what they signal.
    pub via: Via,
    /// What is between Alice and the internet.
    pub alice: Access,
    /// What is between Bob and the internet.
    pub bob: Access,
    /// What maps ports at Alice's NAT, the one next to her; without a NAT there is none.
    pub alice_gateway: Option<Behaviour>,
    /// What maps ports at Bob's NAT, the one next to him.
    pub bob_gateway: Option<Behaviour>,
    /// The round-trip time between any two of Alice, Bob and the core.
    pub rtt: Duration,
    /// The share of packets lost on the way from Alice into the internet, 0 to 1.
    pub alice_loss: f64,
    /// The share of packets lost on the way from Bob into the internet, 0 to 1.
    pub bob_loss: f64,
    /// How media find their way.
    pub ice: IceMode,
    /// Whether there is a relay for what finds no direct way.
    pub turn: bool,
    /// What Alice says: mono, 8 kHz.
    pub alice_says: Arc<[i16]>,
    /// What Bob says: mono, 8 kHz.
    pub bob_says: Arc<[i16]>,
    /// How long Bob lets it ring.
    pub ring: Duration,
    /// Who hangs up, and when.
    pub hang_up: HangUp,
    /// Whether packets are captured.
    pub capture: bool,
    /// Whether phones and core run with a twin that must behave the same.
    pub twins: bool,
    /// All chance comes from this.
    pub seed: u64,
}

/// Who hangs up, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// Alice, when both have said what they had to say and it has been heard.
    WhenSaid,
    /// One of them, so long after the answer.
    After(Who, Duration),
}

impl Default for Spec {
    /// Over SIP, both behind port-restricted NATs, 40 ms apart, no loss, silence, seed 1.
    fn default() -> Self {
        Self {
            via: Via::Sip,
            alice: Preset::PortRestricted.into(),
            bob: Preset::PortRestricted.into(),
            alice_gateway: None,
            bob_gateway: None,
            rtt: Duration::from_millis(40),
            alice_loss: 0.0,
            bob_loss: 0.0,
            ice: IceMode::On,
            turn: true,
            alice_says: Arc::default(),
            bob_says: Arc::default(),
            ring: Duration::from_secs(1),
            hang_up: HangUp::WhenSaid,
            capture: false,
            twins: false,
            seed: 1,
        }
    }
}
