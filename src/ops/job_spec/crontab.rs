//! Crontabs in a user's format: variables, and lines of a schedule and a command for the shell.
//!
//! Invariant: a line is a job, sets a variable, says nothing, or is told of with its number.
//!
//! ```text
//! CRON_TZ=Europe/Berlin                 the zone of the lines below
//! 30 3 * * 1-5   report --of today%first line of its standard input%second
//! @hourly        date +\%H
//! ```
//!
//! A system's crontab, which has a column of users, is none of these.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::cron::Calendar;
use crate::job_spec::error::{JobError, Note};
use crate::job_spec::file::{is_plain, is_variable};
use crate::job_spec::{Does, Job, JobStep, Owner, Policy};
use topsell_core::model::Zone;

/// What a crontab says.
#[derive(Debug, Default)]
pub struct Crontab {
    pub jobs: Vec<Job>,
    pub faults: Vec<JobError>,
    pub notes: Vec<Note>,
}

const SHELL: &str = "SHELL";
const PATH: &str = "PATH";
const ZONE: &str = "CRON_TZ";
const REBOOT: &str = "@reboot";
const USUAL_SHELL: &str = "/bin/sh";
const USUAL_PATH: &str = "/usr/bin:/bin";
/// Variables by which other crons are told to do something.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("MAILTO", "no mail is sent; the end of the output is in the run's record"),
    ("MAILFROM", "no mail is sent; the end of the output is in the run's record"),
    ("CONTENT_TYPE", "no mail is sent; the end of the output is in the run's record"),
    ("CONTENT_TRANSFER_ENCODING", "no mail is sent; the end of the output is in the run's record"),
    ("RANDOM_DELAY", "runs begin when they are due; a job file can say `jitter`"),
    ("START_HOURS_RANGE", "a job file can say `missed` and `deadline`"),
];
/// Whose a command is cannot be set.
const OWNERS_ALONE: &[&str] = &["LOGNAME", "USER"];
/// Bytes of all variables; each job has a copy of them.
const MAX_VARIABLES: usize = 16 << 10;
const FIELDS: usize = 5;
/// Bytes of a name that tell of the file, before those that tell of the line.
const MAX_STEM: usize = 40;

/// Reads a crontab's text; its commands are the owner's, if one is named.
pub fn read_crontab(path: &Path, text: &str, owner: Option<&Owner>, zone: &str) -> Crontab {
    let mut reader = Reader {
        path,
        owner,
        stem: stem(path, owner),
        zone: Zone::named(zone).ok(),
        variables: owner.map(of_owner).unwrap_or_default(),
        twins: HashMap::new(),
        line: 0,
        tab: Crontab::default(),
    };
    for (line, text) in (1..).zip(text.lines()) {
        reader.line = line;
        let text = text.trim();
        if text.contains('\0') {
            reader.fault("there is a NUL character in it".to_owned());
        } else if text.is_empty() || text.starts_with('#') {
            continue;
        } else if let Some((name, value)) = variable(text) {
            reader.set(name, value);
        } else {
            reader.add(text);
        }
    }
    reader.tab
}

/// A crontab that is read line by line.
struct Reader<'a> {
    path: &'a Path,
    owner: Option<&'a Owner>,
    /// What the jobs' names begin with.
    stem: String,
    /// None below a line that names one there is not: when those are due cannot be told.
    zone: Option<Zone>,
    variables: BTreeMap<String, String>,
    /// How often each job was there.
    twins: HashMap<String, u32>,
    line: u32,
    tab: Crontab,
}

impl Reader<'_> {
    fn fault(&mut self, what: String) {
        let (file, line) = (self.path.to_owned(), self.line);
        self.tab.faults.push(JobError::Wrong { file, line, column: 1, what });
    }

    fn note(&mut self, what: String) {
        self.tab.notes.push(Note { file: self.path.to_owned(), line: self.line, what });
    }

    /// Sets a variable for the lines below.
    fn set(&mut self, name: String, value: String) {
        if name == ZONE {
            let named = Zone::named(&value);
            if let Err(error) = &named {
                self.fault(format!("{ZONE}: {error}"));
            }
            self.zone = named.ok();
            return;
        }
        if self.owner.is_some() && OWNERS_ALONE.contains(&name.as_str()) {
            self.note(format!("{name} stays the owner's"));
            return;
        }
        if let Some((_, instead)) = UNSUPPORTED.iter().find(|(unsupported, _)| *unsupported == name) {
            self.note(format!("{name} is not supported: {instead}"));
        }
        let size: usize = self.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size + name.len() + value.len() > MAX_VARIABLES {
            self.fault(format!("variables take more than {} KiB", MAX_VARIABLES >> 10));
            return;
        }
        self.variables.insert(name, value);
    }

    /// Takes a line of a schedule and a command.
    fn add(&mut self, text: &str) {
        let (schedule, command) = split(text);
        if schedule.eq_ignore_ascii_case(REBOOT) {
            self.note(format!("{REBOOT} is not supported: have what starts the scheduler run `{command}`"));
            return;
        }
        if command.is_empty() {
            self.fault("it is neither a variable nor a schedule of five fields and a command".to_owned());
            return;
        }
        if let Err(error) = Calendar::parse(schedule, self.zone.clone().unwrap_or_else(Zone::utc)) {
            self.fault(error.to_string());
            return;
        }
        let Some(zone) = &self.zone else { return };
        let digest = digest(schedule, command);
        let twin = self.twins.entry(digest.clone()).and_modify(|twin| *twin += 1).or_insert(1);
        let again = if *twin > 1 { format!("-{twin}") } else { String::new() };
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

/// Returns what the names of a crontab's jobs begin with: its owner, or its own name.
fn stem(path: &Path, owner: Option<&Owner>) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = owner.map_or(file.as_ref(), |owner| owner.name.as_str());
    let plain: String = name.bytes().filter(|byte| is_plain(*byte)).map(char::from).collect();
    plain.trim_start_matches('.').chars().take(MAX_STEM).collect()
}

/// Returns the variables that commands of an owner have.
fn of_owner(owner: &Owner) -> BTreeMap<String, String> {
    let home = owner.home.display().to_string();
    let name = owner.name.as_str();
    let pairs = [
        ("HOME", home.as_str()),
        ("LOGNAME", name),
        ("USER", name),
        (SHELL, USUAL_SHELL),
        (PATH, USUAL_PATH),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Returns what a line sets, if it sets a variable: quotes around either side are dropped, what is in them
/// is kept as it is.
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

/// Returns what is between quotes, and what comes after them.
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
    let (command, stdin) = told(command);
    let shell = variables.get(SHELL).filter(|shell| !shell.is_empty());
    let shell = shell.map_or(USUAL_SHELL, String::as_str);
    let program = command.split_whitespace().next().unwrap_or_default();
    JobStep {
        name: program.rsplit('/').next().unwrap_or(program).to_owned(),
        does: Does::Exec(vec![shell.to_owned(), "-c".to_owned(), command]),
        success_exit_codes: Vec::new(),
        stdin,
    }
}

/// Returns the command, and what it finds on its standard input: what stands after the first `%`, in which
/// each further one ends a line. A `\%` is a plain one.
fn told(text: &str) -> (String, Option<String>) {
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

/// Returns what tells a line from others, wherever it stands.
fn digest(schedule: &str, command: &str) -> String {
    let mut digest = blake3::hash(format!("{schedule}\0{command}").as_bytes()).to_hex().to_string();
    digest.truncate(8);
    digest
}
