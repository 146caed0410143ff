//! The commands of a job's steps, with their environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::job_spec::{Job, JobStep, Owner, StepAction};
use crate::process::{Account, Command};
use crate::run_history::TRACEPARENT;

/// The variable that passes the lake to a step.
const LAKE: &str = "TOPSELL_LAKE";
/// The variable that passes the epoch of the job's lock to a step, where the lake is in a bucket: a step with effects
/// outside the lake can refuse to act for a run that another one has overtaken.
const EPOCH: &str = "TOPSELL_LOCK_EPOCH";
/// What cron sets for commands of a user.
const OWNERS_PATH: &str = "/usr/bin:/bin";
const OWNERS_SHELL: &str = "/bin/sh";

/// This program, for steps that run it.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    /// The verbosity option that steps inherit.
    pub verbosity: Option<&'static str>,
    /// The absolute path of the lake.
    pub lake: PathBuf,
    /// Variables for steps that run this program.
    pub environment: BTreeMap<String, String>,
}

/// Returns the command of a step; `epoch` is that of the job's lock.
pub(super) fn command_of(
    program: &Program,
    job: &Job,
    step: &JobStep,
    traceparent: &str,
    epoch: Option<u64>,
) -> Command {
    let mut environment: BTreeMap<String, OsString> = BTreeMap::new();
    let mut set = |name: &str, value: OsString| drop(environment.insert(name.to_owned(), value));
    if let Some(owner) = &job.owner {
        set("HOME", owner.home.clone().into());
        set("PATH", OWNERS_PATH.into());
        set("SHELL", OWNERS_SHELL.into());
    } else {
        set(LAKE, program.lake.clone().into());
    }
    job.environment.iter().for_each(|(name, value)| set(name, value.into()));
    // As in cron, these cannot be overridden.
    if let Some(owner) = &job.owner {
        ["LOGNAME", "USER"].iter().for_each(|name| set(name, owner.name.clone().into()));
    }
    set(TRACEPARENT, traceparent.into());
    if let Some(epoch) = epoch {
        set(EPOCH, epoch.to_string().into());
    }
    let (program, arguments) = match &step.action {
        StepAction::Topsell(words) => {
            program.environment.iter().for_each(|(name, value)| set(name, value.into()));
            let verbosity = program.verbosity.filter(|_| !words.iter().any(|word| is_verbosity(word)));
            let words = verbosity.into_iter().chain(words.iter().map(String::as_str));
            (program.path.clone().into_os_string(), words.map(OsString::from).collect())
        }
        StepAction::Exec(words) => {
            let mut words = words.iter().map(OsString::from);
            (words.next().unwrap_or_default(), words.collect())
        }
    };
    Command {
        program,
        arguments,
        environment,
        working_dir: job.working_dir.clone().or_else(|| Some(job.owner.as_ref()?.home.clone())),
        account: job.owner.as_ref().map(account_of),
        stdin: step.stdin.clone(),
    }
}

fn account_of(owner: &Owner) -> Account {
    Account { name: owner.name.clone(), uid: owner.uid, gid: owner.gid }
}

/// Returns whether an argument sets the verbosity.
fn is_verbosity(word: &str) -> bool {
    let is_short = word.starts_with('-') && !word.starts_with("--") && word.contains(['q', 'v']);
    is_short || matches!(word, "--quiet" | "--verbose")
}
