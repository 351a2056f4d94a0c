//! A client of the relay on a host of its own.

use std::collections::VecDeque;

use machine::{Entropy, Ids, Input, Instant, Machine, Now, Output};
use turn::client::{Client, Config, Event, Server};
use wayleave_server::{Answer, Question};

use crate::lab::Said;

/// A client that asks for a relayed address and does what it is told.
pub(crate) struct RelayClient {
    pub(crate) client: Client,
    /// What came from peers.
    pub(crate) received: VecDeque<Vec<u8>>,
}

impl RelayClient {
    pub(crate) fn new(now: Now, seed: u64, server: Server, (user, password): (&str, &str)) -> Self {
        let credentials = stun::Credentials::new(user, password.as_bytes()).unwrap();
        let config =
            Config { servers: vec![server], credentials: Some(credentials), ..Config::default() };
        let client = Client::new(now, config, Ids::new(5), Entropy::seeded(seed));
        Self { client, received: VecDeque::new() }
    }

    pub(crate) fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        if let Some(input) = input.map_answer(|_| None) {
            self.client.handle_input(now, input);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.client.handle_timeout(now);
    }

    pub(crate) fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Said, Question>> {
        let output = self.client.poll_output(buf)?;
        if let Output::Event(Event::Received { .. }) = &output {
            self.received.push_back(std::mem::take(buf));
        }
        Some(output.map(|event| Said::Relayed(Box::new(event)), |never| match never {}))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }
}
