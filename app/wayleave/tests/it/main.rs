//! The program as its users meet it: processes, files, exit codes, JSON.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod command_line;
mod program;
mod replay;
mod serve;
