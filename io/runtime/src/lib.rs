//! Drives any [`machine::Machine`] on tokio.
//!
//! One task owns one machine with all its sockets, connections, look-ups and questions; nothing is
//! locked and nothing is copied between tasks. Each resource has a waker of its own that puts it
//! on a ready queue, and the task serves the queue a bounded piece at a time, so that a flood on
//! one socket delays timers and the other sockets by no more than a batch.
//!
//! ```no_run
//! # use wayleave_runtime as runtime;
//! # use machine::Machine;
//! # async fn example<M, W>(machine: M, world: W) -> Result<(), runtime::Stopped>
//! # where M: Machine<Answer: Send> + Send + 'static, W: runtime::World<M> {
//! let running = runtime::spawn(machine, world, runtime::Config::default());
//! let handle = running.handle();
//! handle.verb(|machine, now| { /* machine.invite(now, …) */ }).await?;
//! running.stop().await?;
//! # Ok(()) }
//! ```
//!
mod certificates;
mod clock;
mod connection;
pub mod defaults;
mod descriptors;
mod dns;
mod driver;
mod end_point;
mod entropy;
mod fail;
mod handle;
mod inherited;
mod interfaces;
mod plane;
mod ready;
mod resource;
mod service;
mod tcp;
mod tls;
mod trust;
mod udp_port;

pub use certificates::{BadIdentity, Certificates, Identity};
pub use clock::now;
pub use descriptors::{DescriptorLimit, raise_descriptor_limit};
pub use dns::Dns;
pub use entropy::entropy;
pub use handle::{Config, Handle, Running, Stopped, World, spawn};
pub use inherited::Inherited;
pub use interfaces::interfaces;
pub use tls::Tls;
pub use trust::{BadPin, Pin, Roots, Trust};
