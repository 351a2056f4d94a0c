//! Who the clients are.

use std::path::PathBuf;

use stun::{Credentials, LongTerm};

use crate::failure::Failure;
use crate::phone::account::password_in;

/// The users and what they prove themselves with.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// What user names begin with; with more than one user a number from 0 follows
    #[arg(long, default_value = "alice")]
    user: String,
    /// How many users there are
    #[arg(long, default_value_t = 1)]
    users: usize,
    /// A file whose first line is the password of all of them
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// The users.
#[derive(Clone, Debug)]
pub struct Users {
    prefix: String,
    count: usize,
    password: String,
}

impl Args {
    /// Whether one was given.
    pub const fn has_password(&self) -> bool {
        self.password_file.is_some()
    }

    /// Reads what is in files.
    pub fn read(&self) -> Result<Users, Failure> {
        let password = self.password_file.as_deref().map(password_in).transpose()?;
        Ok(Users {
            prefix: self.user.clone(),
            count: self.users,
            password: password.unwrap_or_default(),
        })
    }
}

impl Users {
    /// The user of client `n`; clients take users in turn.
    pub fn login(&self, n: usize) -> Result<LongTerm, Failure> {
        let name = match self.count {
            0 | 1 => self.prefix.clone(),
            count => format!("{}{}", self.prefix, n % count),
        };
        let credentials = Credentials::new(&name, self.password.as_bytes().to_vec());
        let credentials = credentials.map_err(|e| Failure::usage(e.to_string()))?;
        Ok(LongTerm::new(credentials))
    }
}
