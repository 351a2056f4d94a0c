//! The program as its users meet it: processes, files, exit codes, JSON.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bench;
mod calls;
mod chat;
mod command_line;
mod demo;
mod demo_via;
mod endings;
mod page;
mod pcap;
mod pins;
mod program;
mod relay;
mod relayed;
mod replay;
mod serve;
mod sound;
mod stub;
mod xmpp;
