//! A job's steps as commands: what each finds around it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::job_spec::{Does, Job, JobStep, Owner};
use crate::process::{Account, Command};
use crate::run_history::TRACEPARENT;

/// The variable by which a step finds the lake.
const LAKE: &str = "TOPSELL_LAKE";
/// What cron gives to commands that it runs as someone.
const OWNERS_PATH: &str = "/usr/bin:/bin";
const OWNERS_SHELL: &str = "/bin/sh";

/// This very program, as steps are to start it.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    /// Options that a step is given unless it has them: how much to say.
    pub verbosity: Option<&'static str>,
    /// The lake's folder, absolute.
    pub lake: PathBuf,
    /// Variables that only this program's steps find.
    pub environment: BTreeMap<String, String>,
}

/// Returns what to start for a step.
pub(super) fn command_of(program: &Program, job: &Job, step: &JobStep, traceparent: &str) -> Command {
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
    // Who it is, nobody may say otherwise; as in cron.
    if let Some(owner) = &job.owner {
        ["LOGNAME", "USER"].iter().for_each(|name| set(name, owner.name.clone().into()));
    }
    set(TRACEPARENT, traceparent.into());
    let (program, arguments) = match &step.does {
        Does::Topsell(words) => {
            program.environment.iter().for_each(|(name, value)| set(name, value.into()));
            let verbosity = program.verbosity.filter(|_| !words.iter().any(|word| is_verbosity(word)));
            let words = verbosity.into_iter().chain(words.iter().map(String::as_str));
            (program.path.clone().into_os_string(), words.map(OsString::from).collect())
        }
        Does::Exec(words) => {
            let mut words = words.iter().map(OsString::from);
            (words.next().unwrap_or_default(), words.collect())
        }
    };
    Command {
        program,
        arguments,
        environment,
        folder: job.working_dir.clone().or_else(|| Some(job.owner.as_ref()?.home.clone())),
        account: job.owner.as_ref().map(account_of),
        stdin: step.stdin.clone(),
    }
}

fn account_of(owner: &Owner) -> Account {
    Account { name: owner.name.clone(), uid: owner.uid, gid: owner.gid }
}

/// Tells whether a word says how much to say.
fn is_verbosity(word: &str) -> bool {
    let is_short = word.starts_with('-') && !word.starts_with("--") && word.contains(['q', 'v']);
    is_short || matches!(word, "--quiet" | "--verbose")
}
