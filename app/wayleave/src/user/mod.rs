//! `wayleave user`: the accounts of a server, running or not.

mod password;

pub use password::ask as ask_password;

use clap::Subcommand;
use serde_json::json;
use store::{Address, Store};

use crate::config::Source;
use crate::failure::Failure;
use crate::ui::Ui;

/// What to do with whose account.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add an account
    Add {
        #[command(flatten)]
        account: Account,
        #[command(flatten)]
        password: password::Args,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        source: Source,
    },
    /// Set another password
    Passwd {
        #[command(flatten)]
        account: Account,
        #[command(flatten)]
        password: password::Args,
    },
    /// Remove an account
    Remove {
        #[command(flatten)]
        account: Account,
    },
}

#[derive(Debug, clap::Args)]
struct Account {
    /// alice@example.org, or alice alone at the server's domain
    address: String,
    #[command(flatten)]
    source: Source,
}

impl Account {
    /// The store and the address in it.
    fn open(&self, ui: &Ui) -> Result<(Store, Address), Failure> {
        let config = self.source.load()?;
        let address = if self.address.contains('@') {
            self.address.parse()
        } else {
            Address::new(&self.address, &config.domain)
        };
        let address = address.map_err(|error| Failure::usage(error.to_string()))?;
        // Without a file the server has most likely been told its domain by a flag.
        if self.source.config.is_some() && address.domain() != config.domain.to_lowercase() {
            ui.warn(format!(
                "{} serves {}; {address} can log in once {} is served",
                self.source.name(),
                config.domain,
                address.domain()
            ));
        }
        Ok((Store::open(&config.data_folder()?)?, address))
    }
}

/// Does it.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    match args.action {
        Action::Add { account, password } => {
            let (store, address) = account.open(ui)?;
            if store.exists(&address)? {
                return Err(store::Error::Exists(address).into());
            }
            store.add(&address, &password.read(&address)?)?;
            done(ui, "added", &address);
        }
        Action::Passwd { account, password } => {
            let (store, address) = account.open(ui)?;
            if !store.exists(&address)? {
                return Err(store::Error::NoSuchAccount(address).into());
            }
            store.set_password(&address, &password.read(&address)?)?;
            done(ui, "changed", &address);
        }
        Action::Remove { account } => {
            let (store, address) = account.open(ui)?;
            store.remove(&address)?;
            done(ui, "removed", &address);
        }
        Action::List { source } => list(&source, ui)?,
    }
    Ok(())
}

fn list(source: &Source, ui: &Ui) -> Result<(), Failure> {
    let accounts = Store::open(&source.load()?.data_folder()?)?.accounts()?;
    for account in &accounts {
        ui.event(
            "user",
            json!({
                "action": "listed",
                "address": account.address.to_string(),
                "created_secs": account.created_secs,
                "changed_secs": account.changed_secs,
            }),
        );
        if !ui.is_json() {
            ui.say(account.address.to_string());
        }
    }
    if accounts.is_empty() {
        // On stderr, so that a script that reads the list reads an empty one.
        ui.warn("there are no accounts yet; `wayleave user add ADDRESS` adds one");
    }
    Ok(())
}

fn done(ui: &Ui, action: &str, address: &Address) {
    ui.event("user", json!({ "action": action, "address": address.to_string() }));
    ui.say(format!("{action} {address}"));
}
