//! A password, from a prompt or from standard input; never from the command line.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use store::Address;

use crate::failure::Failure;

/// Where the password comes from.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

impl Args {
    /// Reads it; at a prompt twice.
    pub fn read(&self, address: &Address) -> Result<String, Failure> {
        if self.password_stdin {
            return first_line(std::io::stdin().lock());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage("there is no terminal to ask for a password on")
                .with_remedy("give the password on standard input, with --password-stdin"));
        }
        let password = prompt(&format!("Password for {address}: "))?;
        if prompt("The same again: ")? != password {
            return Err(Failure::usage("the two passwords differ; nothing was changed"));
        }
        Ok(password)
    }
}

/// Asks for a password that exists.
pub fn ask(address: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask for a password on")
            .with_remedy("name a file whose first line is the password, with --password-file"));
    }
    prompt(&format!("Password for {address}: "))
}

fn prompt(text: &str) -> Result<String, Failure> {
    Ok(rpassword::prompt_password(text).context("cannot read the password")?)
}

fn first_line(mut input: impl std::io::BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn one_line_without_its_end() {
        for text in ["secret", "secret\n", "secret\r\n", "secret\nmore\n"] {
            assert_eq!(first_line(text.as_bytes()).unwrap(), "secret");
        }
        assert_eq!(first_line(&b" a b \n"[..]).unwrap(), " a b ");
    }
}
