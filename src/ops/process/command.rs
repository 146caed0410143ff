//! A command as a plain value, and its start in a process group of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::{getegid, geteuid};
use topsell_core::storage::local_files::{is_file, is_folder};

/// Where the programs lie that change the account. The command's own `PATH` must not say: whoever
/// wrote it is not who runs them.
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// A program to start, and what it finds around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// Variables that are set beside those of whoever starts it; all there are, where it runs as an account.
    pub environment: BTreeMap<String, OsString>,
    /// Where it runs; where whoever starts it is, unless said.
    pub folder: Option<PathBuf>,
    /// Whom it runs as; whoever starts it, unless said.
    pub account: Option<Account>,
    /// What it finds on its standard input; nothing, unless said.
    pub stdin: Option<String>,
}

/// An account of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

/// A command could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("`{program}` cannot be started: {source}")]
    Unstartable { program: String, source: io::Error },
    #[error("{}: no folder to run in", .0.display())]
    NoFolder(PathBuf),
    #[error("`{0}` can be no variable of the environment")]
    BadVariable(String),
    #[error("only root can run commands as {0}")]
    NotRoot(String),
    #[error("`{0}` is not installed, by which commands are run as another account")]
    NoProgram(&'static str),
    #[error("`{0}` cannot be run as another account: `env` would take it for a variable")]
    NoName(String),
    #[error("no thread to wait for `{program}`: {source}")]
    NoThread { program: String, source: io::Error },
}

impl Command {
    /// Returns the command as the standard library starts it.
    ///
    /// # Errors
    /// Says what makes it impossible.
    pub(super) fn prepared(&self) -> Result<std::process::Command, StartError> {
        use std::os::unix::process::CommandExt;

        let is_bad = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
        if let Some(name) = self.environment.keys().find(is_bad) {
            return Err(StartError::BadVariable(name.clone()));
        }
        if let Some(folder) = self.folder.as_ref().filter(|folder| !is_folder(folder)) {
            return Err(StartError::NoFolder(folder.clone()));
        }
        let mut command = match &self.account {
            Some(account) if !account.is_own() => self.as_account(account)?,
            account => {
                let mut command = std::process::Command::new(&self.program);
                if account.is_some() {
                    command.env_clear();
                }
                command.args(&self.arguments).envs(&self.environment);
                if let Some(folder) = &self.folder {
                    command.current_dir(folder);
                }
                command
            }
        };
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        Ok(command)
    }

    /// Returns the command as root starts it for someone else.
    ///
    /// Folder and variables are set by `env`, once the account has been changed: what root runs must
    /// not go by them. A library named in `LD_PRELOAD` would be root's, a folder that only root may
    /// enter would be entered.
    fn as_account(&self, account: &Account) -> Result<std::process::Command, StartError> {
        if !geteuid().is_root() {
            return Err(StartError::NotRoot(account.name.clone()));
        }
        let program = self.program.to_string_lossy();
        if program.contains('=') {
            return Err(StartError::NoName(program.into_owned()));
        }
        let mut command = std::process::Command::new(system_program("setpriv")?);
        command
            .env_clear()
            .arg(format!("--reuid={}", account.uid))
            .arg(format!("--regid={}", account.gid))
            .args(["--init-groups", "--"])
            .arg(system_program("env")?)
            .arg("-i")
            .current_dir("/");
        if let Some(folder) = &self.folder {
            command.arg("-C").arg(folder);
        }
        command.arg("--");
        for (name, value) in &self.environment {
            let mut pair = OsString::from(format!("{name}="));
            pair.push(value);
            command.arg(pair);
        }
        command.arg(&self.program).args(&self.arguments);
        Ok(command)
    }
}

impl Account {
    /// Tells whether it is whoever asks.
    fn is_own(&self) -> bool {
        geteuid().as_raw() == self.uid && getegid().as_raw() == self.gid
    }
}

fn system_program(name: &'static str) -> Result<PathBuf, StartError> {
    let places = SYSTEM_FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    places.into_iter().find(|place| is_file(place)).ok_or(StartError::NoProgram(name))
}
