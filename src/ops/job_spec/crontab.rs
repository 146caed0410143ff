//! Crontabs in the user format: variables, and lines with a schedule and a shell command.
//!
//! Invariant: every line is a job, a variable, a comment, or reported with its number.
//!
//! ```text
//! CRON_TZ=Europe/Berlin                 the time zone of the lines below
//! 30 3 * * 1-5   report --of today%first line of its standard input%second
//! @hourly        date +\%H
//! ```
//!
//! The system format of `/etc/crontab`, which has a user column, is not supported.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::cron::CronSchedule;
use crate::job_spec::error::{JobError, JobWarning};
use crate::job_spec::job::{Job, JobStep, Owner, Policy, StepAction};
use crate::job_spec::names::{is_name_byte, is_variable};
use topsell_core::model::Zone;

/// The content of a crontab.
#[derive(Debug, Default)]
pub struct Crontab {
    pub jobs: Vec<Job>,
    pub errors: Vec<JobError>,
    pub warnings: Vec<JobWarning>,
}

const SHELL: &str = "SHELL";
const PATH: &str = "PATH";
const ZONE: &str = "CRON_TZ";
const REBOOT: &str = "@reboot";
const DEFAULT_SHELL: &str = "/bin/sh";
const DEFAULT_PATH: &str = "/usr/bin:/bin";
/// Variables that other cron implementations interpret, and what to use instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("MAILTO", "no mail is sent; the end of the output is kept in the run record"),
    ("MAILFROM", "no mail is sent; the end of the output is kept in the run record"),
    ("CONTENT_TYPE", "no mail is sent; the end of the output is kept in the run record"),
    ("CONTENT_TRANSFER_ENCODING", "no mail is sent; the end of the output is kept in the run record"),
    ("RANDOM_DELAY", "use `jitter` in a job file"),
    ("START_HOURS_RANGE", "use `missed` and `deadline` in a job file"),
];
/// Variables that always hold the owner of a command.
const OWNER_VARIABLES: &[&str] = &["LOGNAME", "USER"];
/// Limit for all variables, since each job has a copy of them.
const MAX_VARIABLES_BYTES: usize = 16 << 10;
/// Limits for the crontab of an account, so that it neither delays the jobs of others nor fills the log.
const MAX_OWN_JOBS: usize = 100;
const MAX_OWN_MESSAGES: usize = 10;
const FIELDS: usize = 5;
/// Length of the part of a job's name that comes from the file.
const MAX_STEM: usize = 40;

/// Parses a crontab; with an owner, its commands run as that account.
pub fn read_crontab(path: &Path, text: &str, owner: Option<&Owner>, zone: &str) -> Crontab {
    let mut reader = Reader {
        path,
        owner,
        stem: stem(path, owner),
        zone: Zone::named(zone).ok(),
        variables: owner.map(owner_variables).unwrap_or_default(),
        duplicates: HashMap::new(),
        line: 0,
        tab: Crontab::default(),
    };
    for (line, text) in (1..).zip(text.lines()) {
        reader.line = line;
        let text = text.trim();
        if text.contains('\0') {
            reader.error("there is a NUL character in it".to_owned());
        } else if text.is_empty() || text.starts_with('#') {
            continue;
        } else if let Some((name, value)) = variable(text) {
            reader.set(name, value);
        } else {
            if owner.is_some() && reader.tab.jobs.len() == MAX_OWN_JOBS {
                reader.error(format!("more than {MAX_OWN_JOBS} jobs; this line and those below are ignored"));
                break;
            }
            reader.add(text);
        }
    }
    if owner.is_some() {
        reader.tab.limit_messages(path);
    }
    reader.tab
}

impl Crontab {
    /// Keeps the first errors and warnings, and the number of the others.
    fn limit_messages(&mut self, path: &Path) {
        if let Some(JobError::Invalid { line, .. }) = self.errors.get(MAX_OWN_MESSAGES) {
            let (line, more) = (*line, self.errors.len() - MAX_OWN_MESSAGES);
            self.errors.truncate(MAX_OWN_MESSAGES);
            let what = format!("{more} more errors from here on");
            self.errors.push(JobError::Invalid { file: path.to_owned(), line, column: 1, what });
        }
        if let Some(JobWarning { line, .. }) = self.warnings.get(MAX_OWN_MESSAGES) {
            let (line, more) = (*line, self.warnings.len() - MAX_OWN_MESSAGES);
            self.warnings.truncate(MAX_OWN_MESSAGES);
            let what = format!("{more} more warnings from here on");
            self.warnings.push(JobWarning { file: path.to_owned(), line, what });
        }
    }
}

/// Parses a crontab line by line.
struct Reader<'a> {
    path: &'a Path,
    owner: Option<&'a Owner>,
    /// The prefix of the jobs' names.
    stem: String,
    /// `None` below a line with an unknown zone: the due times of those jobs are unknown.
    zone: Option<Zone>,
    variables: BTreeMap<String, String>,
    /// How often each job occurred.
    duplicates: HashMap<String, u32>,
    line: u32,
    tab: Crontab,
}

impl Reader<'_> {
    fn error(&mut self, what: String) {
        let (file, line) = (self.path.to_owned(), self.line);
        self.tab.errors.push(JobError::Invalid { file, line, column: 1, what });
    }

    fn warn(&mut self, what: String) {
        self.tab.warnings.push(JobWarning { file: self.path.to_owned(), line: self.line, what });
    }

    /// Sets a variable for the lines below.
    fn set(&mut self, name: String, value: String) {
        if name == ZONE {
            let named = Zone::named(&value);
            if let Err(error) = &named {
                self.error(format!("{ZONE}: {error}"));
            }
            self.zone = named.ok();
            return;
        }
        if self.owner.is_some() && OWNER_VARIABLES.contains(&name.as_str()) {
            self.warn(format!("{name} is ignored: it is always the owner's"));
            return;
        }
        if let Some((_, instead)) = UNSUPPORTED.iter().find(|(unsupported, _)| *unsupported == name) {
            self.warn(format!("{name} is not supported: {instead}"));
        }
        let size: usize = self.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size + name.len() + value.len() > MAX_VARIABLES_BYTES {
            self.error(format!("variables are larger than {} KiB", MAX_VARIABLES_BYTES >> 10));
            return;
        }
        self.variables.insert(name, value);
    }

    /// Adds the job of a line with a schedule and a command.
    fn add(&mut self, text: &str) {
        let (schedule, command) = split(text);
        if schedule.eq_ignore_ascii_case(REBOOT) {
            self.warn(format!("{REBOOT} is not supported; start `{command}` together with the scheduler"));
            return;
        }
        if command.is_empty() {
            self.error("expected a variable, or a schedule of five fields and a command".to_owned());
            return;
        }
        if let Err(error) = CronSchedule::parse(schedule, self.zone.clone().unwrap_or_else(Zone::utc)) {
            self.error(error.to_string());
            return;
        }
        let Some(zone) = &self.zone else { return };
        let digest = digest(schedule, command);
        let count = self.duplicates.entry(digest.clone()).and_modify(|count| *count += 1).or_insert(1);
        let again = if *count > 1 { format!("-{count}") } else { String::new() };
        self.tab.jobs.push(Job {
            name: format!("{}-{digest}{again}", self.stem),
            file: self.path.to_owned(),
            line: self.line,
            schedule: Some(schedule.to_owned()),
            time_zone: zone.name().to_owned(),
            steps: vec![step(command, &self.variables)],
            policy: Policy::default(),
            environment: self.variables.clone(),
            working_dir: self.owner.map(|owner| owner.home.clone()),
            owner: self.owner.cloned(),
        });
    }
}

/// Returns the prefix of the jobs' names: the owner, or the file's name.
fn stem(path: &Path, owner: Option<&Owner>) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = owner.map_or(file.as_ref(), |owner| owner.name.as_str());
    let plain: String = name.bytes().filter(|byte| is_name_byte(*byte)).map(char::from).collect();
    plain.trim_start_matches('.').chars().take(MAX_STEM).collect()
}

/// Returns the variables of an owner's commands.
fn owner_variables(owner: &Owner) -> BTreeMap<String, String> {
    let home = owner.home.display().to_string();
    let name = owner.name.as_str();
    let pairs = [
        ("HOME", home.as_str()),
        ("LOGNAME", name),
        ("USER", name),
        (SHELL, DEFAULT_SHELL),
        (PATH, DEFAULT_PATH),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Returns the name and value if a line sets a variable; quotes around either are removed.
fn variable(line: &str) -> Option<(String, String)> {
    let (name, rest) = match unquoted(line) {
        Some((name, rest)) => (name, rest),
        None => line.split_at(line.find(|c: char| c == '=' || c.is_whitespace())?),
    };
    let value = rest.trim_start().strip_prefix('=')?.trim();
    let value = match unquoted(value) {
        Some((inside, "")) => inside,
        _ => value,
    };
    is_variable(name).then(|| (name.to_owned(), value.to_owned()))
}

/// Returns the text between quotes and the text after them.
fn unquoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c))?;
    text[1..].split_once(quote)
}

/// Returns a line's schedule and its command.
fn split(line: &str) -> (&str, &str) {
    let fields = if line.starts_with('@') { 1 } else { FIELDS };
    let mut end = 0;
    for _ in 0..fields {
        let rest = &line[end..];
        let start = rest.len() - rest.trim_start().len();
        end += start + rest[start..].find(char::is_whitespace).unwrap_or(rest.len() - start);
    }
    (line[..end].trim_end(), line[end..].trim())
}

fn step(command: &str, variables: &BTreeMap<String, String>) -> JobStep {
    let (command, stdin) = split_stdin(command);
    let shell = variables.get(SHELL).filter(|shell| !shell.is_empty());
    let shell = shell.map_or(DEFAULT_SHELL, String::as_str);
    let program = command.split_whitespace().next().unwrap_or_default();
    JobStep {
        name: program.rsplit('/').next().unwrap_or(program).to_owned(),
        action: StepAction::Exec(vec![shell.to_owned(), "-c".to_owned(), command]),
        success_exit_codes: Vec::new(),
        stdin,
    }
}

/// Returns the command and the text for its standard input: that after the first `%`, where each further
/// `%` is a line break. `\%` is a literal `%`.
fn split_stdin(text: &str) -> (String, Option<String>) {
    let mut command = String::new();
    let mut rest = text.chars();
    let mut is_escaped = false;
    let has_input = loop {
        match rest.next() {
            None => break false,
            Some('%') if is_escaped => {
                command.pop();
                command.push('%');
                is_escaped = false;
            }
            Some('%') => break true,
            Some(c) => {
                command.push(c);
                is_escaped = c == '\\' && !is_escaped;
            }
        }
    };
    let input = has_input.then(|| {
        let mut input = rest.as_str().replace("\\%", "\0").replace('%', "\n").replace('\0', "%");
        if !input.is_empty() && !input.ends_with('\n') {
            input.push('\n');
        }
        input
    });
    (command, input)
}

/// Returns an identifier of a line that does not depend on its position.
fn digest(schedule: &str, command: &str) -> String {
    let mut digest = blake3::hash(format!("{schedule}\0{command}").as_bytes()).to_hex().to_string();
    digest.truncate(8);
    digest
}
