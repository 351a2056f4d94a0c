//! What went wrong, for people, for `--json` and for scripts.

use std::process::ExitCode;

/// The exit codes that scripts rely upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed in a way that has no code of its own.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The authentication was refused.
    Authentication = 10,
    /// Busy.
    Busy = 11,
    /// Declined.
    Declined = 12,
    /// No answer.
    NoAnswer = 13,
    /// No such user, domain, server or gateway, or unreachable.
    Unreachable = 14,
    /// No media path.
    NoMediaPath = 15,
    /// Encryption refused or mismatched.
    Encryption = 16,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended without having done its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What the process says to scripts.
    pub exit: Exit,
    /// One word for programs that read `--json`.
    pub kind: &'static str,
    /// What happened, for people.
    pub message: String,
    /// What to do about it, for people.
    pub remedy: Option<String>,
}

impl Failure {
    /// A failure with everything but a remedy.
    pub fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self { exit, kind, message: message.into(), remedy: None }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A configuration that cannot be used.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "configuration", message)
    }

    /// The user said to stop.
    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted", "interrupted")
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        // `:#` has the causes in it.
        Self::new(Exit::Failed, "failed", format!("{error:#}"))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let exit = match error {
            store::Error::NoSuchAccount(_) => Exit::Unreachable,
            store::Error::Password(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, "store", error.to_string())
    }
}
