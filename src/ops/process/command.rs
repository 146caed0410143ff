//! A command as a plain value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::{getegid, geteuid};
use topsell_core::storage::local_files::{is_file, is_folder};

/// Where `setsid`, `setpriv` and `env` are installed. The command's own `PATH` must not decide, since root runs them.
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// A program to start, with its arguments and environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// Environment variables, added to those of this process; the only ones if an account is set.
    pub environment: BTreeMap<String, OsString>,
    /// Its working directory; default: that of this process.
    pub working_dir: Option<PathBuf>,
    /// The account it runs as; default: that of this process.
    pub account: Option<Account>,
    /// Text for its standard input; default: none.
    pub stdin: Option<String>,
}

/// A user account of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

/// Why a command could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start `{program}`: {source}")]
    Unstartable { program: String, source: io::Error },
    #[error("working directory {} does not exist", .0.display())]
    NoWorkingDir(PathBuf),
    #[error("invalid environment variable `{0}`")]
    BadVariable(String),
    #[error("only root can run commands as {0}")]
    NotRoot(String),
    #[error("`{0}` is not installed; it is needed to run commands as another account")]
    NoProgram(&'static str),
    #[error("cannot run `{0}` as another account: `env` would take it for a variable")]
    ProgramIsAssignment(String),
    #[error("cannot start a thread for `{program}`: {source}")]
    NoThread { program: String, source: io::Error },
}

impl Command {
    /// Returns the command in the form of the standard library.
    ///
    /// # Errors
    /// Returns why it cannot be started.
    pub(super) fn prepared(&self) -> Result<std::process::Command, StartError> {
        use std::os::unix::process::CommandExt;

        let is_bad = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
        if let Some(name) = self.environment.keys().find(is_bad) {
            return Err(StartError::BadVariable(name.clone()));
        }
        if let Some(dir) = self.working_dir.as_ref().filter(|dir| !is_folder(dir)) {
            return Err(StartError::NoWorkingDir(dir.clone()));
        }
        let mut command = match &self.account {
            // `setsid` makes it the leader of a group, too.
            Some(account) if !account.is_own() => self.as_account(account)?,
            account => {
                let mut command = std::process::Command::new(&self.program);
                if account.is_some() {
                    command.env_clear();
                }
                command.args(&self.arguments).envs(&self.environment);
                if let Some(dir) = &self.working_dir {
                    command.current_dir(dir);
                }
                command.process_group(0);
                command
            }
        };
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Returns the command by which root runs it as another account.
    ///
    /// `setsid` gives it a session of its own, so that it has no terminal of root's to write to or to type on.
    /// `env` sets the working directory and the variables after the account has changed, so that root is
    /// not affected by them: `LD_PRELOAD` would load a library as root, and root could enter any folder.
    fn as_account(&self, account: &Account) -> Result<std::process::Command, StartError> {
        if !geteuid().is_root() {
            return Err(StartError::NotRoot(account.name.clone()));
        }
        let program = self.program.to_string_lossy();
        if program.contains('=') {
            return Err(StartError::ProgramIsAssignment(program.into_owned()));
        }
        let mut command = std::process::Command::new(system_program("setsid")?);
        command
            .env_clear()
            .arg(system_program("setpriv")?)
            .arg(format!("--reuid={}", account.uid))
            .arg(format!("--regid={}", account.gid))
            .args(["--init-groups", "--"])
            .arg(system_program("env")?)
            .arg("-i")
            .current_dir("/");
        if let Some(dir) = &self.working_dir {
            command.arg("-C").arg(dir);
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
    /// Returns whether it is the account of this process.
    fn is_own(&self) -> bool {
        geteuid().as_raw() == self.uid && getegid().as_raw() == self.gid
    }
}

fn system_program(name: &'static str) -> Result<PathBuf, StartError> {
    let places = SYSTEM_FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    places.into_iter().find(|place| is_file(place)).ok_or(StartError::NoProgram(name))
}
