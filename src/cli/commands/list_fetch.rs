//! `topsell list fetch`: follows a list of a server in a file, the reference for clients.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_core::model::parse_seconds;
use topsell_core::storage::local_files::{is_missing, read_any, read_to_string, write_atomically};
use topsell_lists::{ClientError, FollowError, HeldList, ListClient, VerifyingKey, follow, retry_seconds};
use topsell_output::text::counted;

/// The variable with the token that is sent to servers.
const TOKEN: &str = "TOPSELL_TOKEN";
/// What the name of the file beside the list ends with.
const VERSION: &str = ".version";

/// Fetch a list from a server into a file, or what has changed in it
///
/// The file has an entry on each line, and a file beside it, FILE.version, says which version it is. Nothing is replaced
/// before the new list has the hash that the server says; until then the old one stays in force.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell list fetch http://127.0.0.1:7600/v1/lists/blocked --into blocked.txt
  topsell list fetch https://lists.example/v1/lists/blocked --into blocked.txt --key lists.pub --every 30min
")]
pub struct Fetch {
    /// Address of the list
    #[arg(value_name = "URL")]
    url: String,
    /// File that gets the entries
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    /// Public key in the format of minisign: versions without its signature are refused
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Fetch again after each such time, until stopped [default: once]
    #[arg(long, value_name = "DURATION")]
    every: Option<String>,
}

/// What options say.
pub struct Checked {
    every: Option<Duration>,
}

impl Fetch {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self) -> Result<Checked, Failure> {
        let every = self.every.as_deref().map(parse_seconds).transpose();
        let every = every.map_err(|e| Failure::usage(format!("--every: {e}")))?;
        if every == Some(0) {
            return Err(Failure::usage("--every must be a second or more".to_owned()));
        }
        Ok(Checked { every: every.map(Duration::from_secs) })
    }
}

/// Returns the list of a server at an address.
pub fn client(address: &str) -> Result<ListClient, Failure> {
    let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    ListClient::of(address, token).map_err(|error| match error {
        ClientError::Address { .. } => Failure::usage(error.to_string()),
        error => Failure::runtime(error.to_string()),
    })
}

/// Fetches the list, once or again and again.
///
/// # Errors
/// Fails where the list was fetched once and could not be; the file is then as it was.
pub fn run(settings: &Settings, typed: &Fetch) -> Result<Exit, Failure> {
    let Checked { every } = typed.check()?;
    let (client, key) = (client(&typed.url)?, typed.key.as_deref().map(key).transpose()?);
    let mut held = read(&client, &typed.into)?;
    let mut failures = 0;
    loop {
        let fetched = fetch(settings, typed, (&client, key.as_ref()), &mut held);
        let Some(every) = every else { return fetched.map(|()| Exit::Success) };
        let pause = match fetched {
            Ok(()) => {
                failures = 0;
                every
            }
            Err(failure) => {
                failures += 1;
                let pause = Duration::from_secs(retry_seconds(failures));
                settings.note(&format!("error: {failure}; trying again in {} seconds", pause.as_secs()));
                pause
            }
        };
        thread::sleep(pause);
    }
}

fn fetch(
    settings: &Settings,
    typed: &Fetch,
    (client, key): (&ListClient, Option<&VerifyingKey>),
    held: &mut HeldList,
) -> Result<(), Failure> {
    let now = settings.clock.now()?.micros();
    let followed = follow(held, key, now, |since| client.ask(since, 0)).map_err(|error| match error {
        FollowError::Ask(error) => Failure::runtime(error.to_string()),
        FollowError::Refused(refusal) => Failure::runtime(format!("{}: {refusal}", typed.url))
            .with_hint("the file is as it was; the answer is not used".to_owned()),
    })?;
    if let Some(refusal) = &followed.refused {
        settings.note(&format!("note: {refusal}; the whole list was fetched"));
    }
    write(&followed.held, &typed.into)?;
    let (added, removed) = (followed.added, followed.removed);
    let entries = counted(followed.held.lines().len(), "entry", "entries");
    *held = followed.held;
    settings.say(|out| writeln!(out, "fetch: {entries}, {added} added, {removed} removed"))
}

/// Reads what was fetched before.
fn read(client: &ListClient, into: &Path) -> Result<HeldList, Failure> {
    let name = client.name().clone();
    let beside = beside(into);
    if is_missing(into) || is_missing(&beside) {
        return Ok(HeldList::none(name));
    }
    let failed = |path: &Path, e: std::io::Error| Failure::runtime(format!("{}: {e}", path.display()));
    let text = read_any(into).map_err(|e| failed(into, e))?;
    let version = read_any(&beside).map_err(|e| failed(&beside, e))?;
    Ok(HeldList::of_text(name, &text, &version))
}

/// Writes the list, then which version it is: where only the first is written, the next fetch asks for the whole list.
fn write(held: &HeldList, into: &Path) -> Result<(), Failure> {
    let Some((text, version)) = held.text_and_version() else { return Ok(()) };
    let beside = beside(into);
    let failed = |path: &Path, e: std::io::Error| Failure::runtime(format!("{}: {e}", path.display()));
    write_atomically(into, &text).map_err(|e| failed(into, e))?;
    write_atomically(&beside, version.as_bytes()).map_err(|e| failed(&beside, e))
}

fn beside(into: &Path) -> PathBuf {
    let mut name = into.as_os_str().to_owned();
    name.push(VERSION);
    name.into()
}

fn key(file: &Path) -> Result<VerifyingKey, Failure> {
    let name = file.display();
    let text = read_to_string(file).map_err(|e| Failure::runtime(format!("--key {name}: {e}")))?;
    VerifyingKey::parse(&text).map_err(|e| Failure::usage(format!("--key {name}: {e}")))
}
