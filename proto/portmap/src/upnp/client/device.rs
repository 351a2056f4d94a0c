//! One device and the tasks that wait for it: one exchange at a time, since the servers of routers are
//! small.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;

use machine::{Id, Ids, Input, Instant, Now, Outputs};

use super::event::{Call, Error, Event, Gateway};
use super::exchange::Exchange;
use super::search::Candidate;
use super::work::{Ask, Known, Next, Outcome, Survey, Work};
use crate::upnp::defaults::{CALLS, EXCHANGE_TIME};
use crate::upnp::http::{Response, Url};

/// A device that answered a search.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) location: Url,
    pub(super) local: IpAddr,
    pub(super) udn: String,
    pub(super) boot_id: Option<u32>,
    /// Since its description was read.
    pub(super) known: Option<Known>,
    /// The search that is under way has heard of it.
    pub(super) seen: bool,
    /// The search that is under way waits for it.
    pub(super) pending: bool,
    /// It has said that it restarted.
    pub(super) restarted: bool,
    /// How many tasks in a row have met silence.
    pub(super) silences: u32,
    queue: VecDeque<Job>,
    exchange: Option<Exchange>,
}

#[derive(Debug)]
struct Job {
    /// Who asked for it; a search if nobody did.
    call: Option<Call>,
    /// The address that it connects from.
    local: IpAddr,
    work: Box<dyn Work>,
    /// When it is given up, once its turn has come.
    ends: Option<Instant>,
    asked: Option<Ask>,
    next: Option<Next>,
}

/// A task that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) call: Option<Call>,
    pub(super) is_survey: bool,
    pub(super) outcome: Outcome,
    /// What was known before, if it is a survey.
    pub(super) before: Option<Gateway>,
}

impl Device {
    pub(super) fn new(candidate: Candidate) -> Self {
        let Candidate { location, local, udn, boot_id } = candidate;
        Self {
            location,
            local,
            udn,
            boot_id,
            known: None,
            seen: true,
            pending: false,
            restarted: false,
            silences: 0,
            queue: VecDeque::new(),
            exchange: None,
        }
    }

    pub(super) const fn address(&self) -> IpAddr {
        self.location.endpoint.ip()
    }

    pub(super) fn conn(&self) -> Option<Id> {
        self.exchange.as_ref().map(Exchange::conn)
    }

    /// When the exchange under way is given up.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.exchange.as_ref().map(Exchange::ends)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Queues a survey for the search under way.
    pub(super) fn survey(&mut self, again: bool) {
        if !self.pending {
            self.pending = true;
            let work = Survey::new(self.location.clone(), self.local, again);
            self.queue.push_back(Job::new(None, self.local, Box::new(work)));
        }
    }

    /// Queues what somebody asked for; whether there was room.
    pub(super) fn ask(&mut self, call: Call, local: IpAddr, work: Box<dyn Work>) -> bool {
        let room = self.queue.len() < CALLS;
        if room {
            self.queue.push_back(Job::new(Some(call), local, work));
        }
        room
    }

    /// Begins what can begin; what is over at once. It stops at a task that met silence, so that the
    /// rest need not.
    pub(super) fn advance(
        &mut self,
        now: Now,
        ids: &mut Ids,
        out: &mut Outputs<Event, Infallible>,
    ) -> Vec<Over> {
        let mut over = Vec::new();
        while self.exchange.is_none() {
            let Some(job) = self.queue.front_mut() else { break };
            let next = match job.next.take() {
                Some(next) => next,
                None => job.work.begin(self.known.as_ref()),
            };
            let ends = *job.ends.get_or_insert_with(|| now.mono + job.work.time());
            match next {
                Next::Ask(ask) if now.mono < ends => {
                    let (path, request) = ((job.local, ask.url().endpoint), ask.request());
                    let ends = ends.min(now.mono + EXCHANGE_TIME);
                    self.exchange = Some(Exchange::begin(ids, out, path, &request, ends));
                    job.asked = Some(ask);
                }
                Next::Ask(_) => job.next = Some(Next::failed(Error::TimedOut)),
                Next::Done(outcome) => {
                    let (call, is_survey) = (job.call, job.work.is_survey());
                    self.queue.pop_front();
                    let before = self.known.as_ref().map(|known| known.gateway.clone());
                    if let Outcome::Surveyed(known) = &outcome {
                        self.known = Some((**known).clone());
                    }
                    let silence = matches!(&outcome, Outcome::Failed(error) if error.is_silence());
                    over.push(Over { call, is_survey, outcome, before });
                    if silence {
                        break;
                    }
                }
            }
        }
        over
    }

    /// Takes an input of the connection.
    pub(super) fn handle_input(
        &mut self,
        input: &Input<'_, Infallible>,
        out: &mut Outputs<Event, Infallible>,
    ) {
        let response = self.exchange.as_mut().and_then(|e| e.handle_input(input, out));
        if let Some(response) = response {
            self.exchange = None;
            self.take(response);
        }
    }

    /// Gives the exchange up if its time is over; what may be asked twice is asked again while the
    /// task has time, since packets are lost.
    pub(super) fn handle_timeout(&mut self, now: Now, out: &mut Outputs<Event, Infallible>) {
        if let Some(exchange) = self.exchange.take_if(|exchange| exchange.ends() <= now.mono) {
            exchange.close(out);
            if let Some(job) = self.queue.front_mut()
                && job.ends.is_some_and(|ends| now.mono < ends)
                && let Some(ask) = job.asked.take_if(|ask| ask.is_repeatable())
            {
                job.next = Some(Next::Ask(ask));
                return;
            }
            self.take(Err(Error::TimedOut));
        }
    }

    fn take(&mut self, response: Result<Response, Error>) {
        let Some(job) = self.queue.front_mut() else { return };
        let Some(ask) = job.asked.take() else { return };
        job.next = Some(job.work.take(response.and_then(|response| ask.read(response))));
    }

    /// Gives a call up; whether it was one of this device.
    pub(super) fn cancel(&mut self, call: Call, out: &mut Outputs<Event, Infallible>) -> bool {
        let Some(at) = self.queue.iter().position(|job| job.call == Some(call)) else {
            return false;
        };
        if at == 0 {
            self.close(out);
        }
        self.queue.remove(at);
        true
    }

    /// Gives the exchange under way up.
    pub(super) fn close(&mut self, out: &mut Outputs<Event, Infallible>) {
        if let Some(exchange) = self.exchange.take() {
            exchange.close(out);
        }
    }

    /// The calls that wait.
    pub(super) fn calls(&self) -> impl Iterator<Item = Call> {
        self.queue.iter().filter_map(|job| job.call)
    }

    /// Which of two devices at one address is the better gateway: the greater.
    pub(super) fn rank(&self) -> (bool, bool, u8) {
        use crate::upnp::igd::ConnectionStatus::Connected;
        self.known.as_ref().map_or((false, false, 0), |known| {
            let Gateway { connection, status, version, .. } = &known.gateway;
            (connection.is_some(), *status == Some(Connected), *version)
        })
    }
}

impl Job {
    fn new(call: Option<Call>, local: IpAddr, work: Box<dyn Work>) -> Self {
        Self { call, local, work, ends: None, asked: None, next: None }
    }
}
