//! Errors of a run: an exit code, the cause, and a hint.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::ColorChoice;

use crate::color::is_bright;
use topsell_core::delta::TableError;
use topsell_core::distributed::DistributedError;
use topsell_core::lake::LakeError;
use topsell_core::model::{escape_control, escape_lines};
use topsell_core::parquet_format::ColumnsError;
use topsell_core::pipeline::StepError;
use topsell_core::rank::PartFileError;
use topsell_core::rankings::SnapshotError;
use topsell_core::rollup::RollupError;
use topsell_core::storage::LockError;
use topsell_output::show::ShowError;

pub const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  runtime error: a disk, lake or input error
  2  usage error: invalid command line or settings
  3  data corruption: a file of the lake is damaged
  4  completed with rejects: some lines or files were rejected
  5  not found: no such category, item, ranking or run
  6  busy: another run holds the lock
  7  stale: the ranking would be empty or outdated; the previous one stays published
";

/// The exit codes, as the help lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Success,
    RuntimeError,
    UsageError,
    DataCorruption,
    CompletedWithRejects,
    NotFound,
    Busy,
    Stale,
    /// What a job's step exited with that failed.
    OfJobStep(u8),
}

impl Exit {
    /// Returns the number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::RuntimeError => 1,
            Exit::UsageError => 2,
            Exit::DataCorruption => 3,
            Exit::CompletedWithRejects => 4,
            Exit::NotFound => 5,
            Exit::Busy => 6,
            Exit::Stale => 7,
            Exit::OfJobStep(code) => code,
        }
    }
}

/// An error that ends the run: its exit code, its cause and what to do about it.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    cause: anyhow::Error,
    hint: Option<String>,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

impl Failure {
    /// The command line or a setting is invalid.
    pub fn usage(what: String) -> Failure {
        Failure { exit: Exit::UsageError, cause: anyhow::anyhow!(what), hint: None }
    }

    /// The disk, the lake or an input failed.
    pub fn runtime(what: String) -> Failure {
        Failure { exit: Exit::RuntimeError, cause: anyhow::anyhow!(what), hint: None }
    }

    /// Another run holds the lock.
    pub fn busy(what: String) -> Failure {
        Failure { exit: Exit::Busy, cause: anyhow::anyhow!(what), hint: None }
    }

    /// A file of the lake is damaged.
    pub fn damaged(what: String) -> Failure {
        Failure { exit: Exit::DataCorruption, cause: anyhow::anyhow!(what), hint: None }
    }

    /// Adds what to do about it.
    pub fn with_hint(self, hint: String) -> Failure {
        Failure { hint: Some(hint), ..self }
    }

    /// What was asked for is not there.
    pub fn not_found(what: String) -> Failure {
        Failure { exit: Exit::NotFound, cause: anyhow::anyhow!(what), hint: None }
    }

    /// Prints the error and its hint on stderr, and returns the exit code.
    pub fn report(&self, color: ColorChoice) -> ExitCode {
        let mut stderr = io::stderr().lock();
        let (red, green, plain) = match is_bright(color, &stderr) {
            true => ("\x1b[1;31m", "\x1b[32m", "\x1b[0m"),
            false => ("", "", ""),
        };
        // Without stderr there is nowhere to report it.
        let _ = writeln!(stderr, "{red}error:{plain} {}", escape_lines(&self.to_string()));
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "{green}hint:{plain} {}", escape_lines(hint));
        }
        self.exit.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each error already includes its cause.
        write!(f, "{}", self.cause)
    }
}

/// Turns a reader that left early into success.
///
/// # Errors
/// Passes everything else on.
#[expect(clippy::needless_pass_by_value, reason = "it is handed over by `or_else`")]
pub fn unless_reader_left(error: io::Error) -> Result<(), Failure> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::runtime(error.to_string())),
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Failure {
        match error {
            StepError::Catalog(_) => Failure {
                exit: Exit::RuntimeError,
                hint: Some("fix the catalog, or map its columns with --catalog-map".to_owned()),
                cause: error.into(),
            },
            StepError::Lake(error) => error.into(),
            StepError::Rollup(RollupError::Lake(error)) => error.into(),
            StepError::Rollup(error) => Failure {
                exit: match &error {
                    RollupError::Columns { source, .. } => exit_of_columns(source),
                    RollupError::Table(error) => exit_of_table(error),
                    RollupError::Store(error) if error.is_not_found() || error.is_damaged() => {
                        Exit::DataCorruption
                    }
                    RollupError::BadPartition { .. } | RollupError::Differing { .. } => Exit::DataCorruption,
                    RollupError::ChangedMeanwhile => Exit::Busy,
                    _ => Exit::RuntimeError,
                },
                hint: hint_of_rollup(&error).map(str::to_owned),
                cause: error.into(),
            },
            StepError::Snapshot(error) => error.into(),
            StepError::Distributed(DistributedError::Rollup(error)) => StepError::Rollup(error).into(),
            StepError::Distributed(error) => {
                let (exit, hint) = match &error {
                    DistributedError::File {
                        source: PartFileError::Damaged | PartFileError::OtherProgram(_),
                        ..
                    } => (Exit::DataCorruption, Some("compute the part again with `topsell rank partial`")),
                    DistributedError::OtherProgram { .. } => (
                        Exit::UsageError,
                        Some("run the same version on all hosts, or plan again with `topsell rank plan`"),
                    ),
                    DistributedError::NoPlan { .. } => (
                        Exit::UsageError,
                        Some(
                            "its ranking was published, or `lake prune` has removed it; plan again with `topsell rank plan`",
                        ),
                    ),
                    DistributedError::File { source: PartFileError::OtherPlan, .. } => {
                        (Exit::UsageError, Some("pass the results of this plan"))
                    }
                    DistributedError::Missing { .. } => (
                        Exit::UsageError,
                        Some("compute them with `topsell rank partial --part N`, or pass their files"),
                    ),
                    DistributedError::State { .. } => (
                        Exit::RuntimeError,
                        Some(
                            "keep the file that `rank merge` wrote beside the plan, or merge the round before again",
                        ),
                    ),
                    DistributedError::NoPart { .. } | DistributedError::Plan { .. } => {
                        (Exit::UsageError, None)
                    }
                    _ => (Exit::RuntimeError, None),
                };
                Failure { exit, hint: hint.map(str::to_owned), cause: error.into() }
            }
            StepError::Stale { .. } => Failure {
                exit: Exit::Stale,
                hint: Some(
                    "the previous ranking stays published; check whether new logs are being ingested"
                        .to_owned(),
                ),
                cause: error.into(),
            },
            StepError::Lock(error) => {
                let exit =
                    if matches!(error, LockError::Held { .. }) { Exit::Busy } else { Exit::RuntimeError };
                let hint = (exit == Exit::Busy).then(|| "pass --wait to wait for the lock".to_owned());
                Failure { exit, hint, cause: error.into() }
            }
        }
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Failure {
        let (exit, hint) = match &error {
            LakeError::Missing { .. } => (
                Exit::RuntimeError,
                Some("load logs with `topsell ingest FILE`, or pass another directory with --lake"),
            ),
            LakeError::OlderFormat { .. } => (
                Exit::RuntimeError,
                Some(
                    "upgrade the lake with `topsell lake upgrade`; make a backup first to be able to go back",
                ),
            ),
            LakeError::NewerFormat { .. } => (
                Exit::RuntimeError,
                Some("install the version of topsell that wrote the lake, or a newer one"),
            ),
            LakeError::BadFormatFile { .. } => {
                (Exit::DataCorruption, Some("run `topsell lake repair`, or restore the file from a backup"))
            }
            LakeError::DamagedInputs { .. } => {
                (Exit::DataCorruption, Some("run `topsell lake repair`, or restore the file from a backup"))
            }
            LakeError::NotALake { .. } => {
                (Exit::RuntimeError, Some("pass an empty or new directory with --lake"))
            }
            LakeError::OtherSlices { .. } => {
                (Exit::UsageError, Some("omit --slice-size to use the slice size of the lake"))
            }
            LakeError::BadSettings { .. } => (Exit::UsageError, None),
            LakeError::OtherCurrency { .. } => (
                Exit::RuntimeError,
                Some("pass --currency to use one of them, or load each into its own lake"),
            ),
            LakeError::ClockAhead { .. } => (
                Exit::RuntimeError,
                Some(
                    "nothing was removed; set the clock, or if it is right and the lake is no longer written to, pass --yes",
                ),
            ),
            LakeError::MostWouldExpire { .. } => (
                Exit::RuntimeError,
                Some(
                    "nothing was removed; look at the plan with --dry-run, and if it is as meant, pass --yes",
                ),
            ),
            LakeError::Columns { source, .. } => (exit_of_columns(source), None),
            LakeError::BadPartition { .. } | LakeError::BadSetting { .. } | LakeError::LostRows { .. } => {
                (Exit::DataCorruption, None)
            }
            LakeError::Table(error) if error.is_full() => (exit_of_table(error), Some(OF_FULL_DISK)),
            LakeError::Table(error) => (exit_of_table(error), hint_of_table(error)),
            LakeError::Store(error) if error.is_not_found() => (
                Exit::DataCorruption,
                Some("a file that the lake references is missing; restore it from a backup"),
            ),
            LakeError::Store(error) if error.is_damaged() => (Exit::DataCorruption, Some(OF_DAMAGE)),
            LakeError::Store(error) => (Exit::RuntimeError, error.is_full().then_some(OF_FULL_DISK)),
        };
        Failure { exit, hint: hint.map(str::to_owned), cause: error.into() }
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Failure {
        let (exit, hint) = match &error {
            SnapshotError::None => (Exit::NotFound, Some("publish one with `topsell rank`")),
            SnapshotError::Empty => (
                Exit::Stale,
                Some("the previous ranking stays published; check --as-of, --window and --event-type"),
            ),
            SnapshotError::Damaged { .. } => {
                (Exit::DataCorruption, Some("publish a new ranking with `topsell rank`"))
            }
            SnapshotError::Columns { source, .. } => (exit_of_columns(source), None),
            SnapshotError::Store(error) if error.is_damaged() => (Exit::DataCorruption, None),
            SnapshotError::Store(error) => (Exit::RuntimeError, error.is_full().then_some(OF_FULL_DISK)),
            SnapshotError::Overflow(_) => (Exit::RuntimeError, None),
        };
        Failure { exit, hint: hint.map(str::to_owned), cause: error.into() }
    }
}

impl From<ShowError> for Failure {
    fn from(error: ShowError) -> Failure {
        match error {
            ShowError::Snapshot(error) => error.into(),
            ShowError::Rollup(error) => StepError::Rollup(error).into(),
            ShowError::UnknownCategory { ref suggestions, .. } => {
                let hint = meant(suggestions, "list the categories with `topsell show --categories`");
                Failure { exit: Exit::NotFound, hint: Some(hint), cause: error.into() }
            }
            ShowError::UnknownItem { ref suggestions, .. } => {
                let hint = meant(suggestions, "search for it with `topsell show --search TEXT`");
                Failure { exit: Exit::NotFound, hint: Some(hint), cause: error.into() }
            }
            ShowError::NoneAt { oldest, .. } => {
                let hint = oldest.map(|oldest| format!("the oldest ranking is `--at {oldest}`"));
                Failure { exit: Exit::NotFound, hint, cause: error.into() }
            }
            ShowError::NothingBefore | ShowError::NoMatch { .. } => {
                Failure { exit: Exit::NotFound, hint: None, cause: error.into() }
            }
        }
    }
}

/// Suggests the nearest names, or else what to do.
fn meant(nearest: &[String], otherwise: &str) -> String {
    match nearest.is_empty() {
        true => otherwise.to_owned(),
        false => {
            let names: Vec<String> =
                nearest.iter().map(|name| format!("`{}`", escape_control(name))).collect();
            format!("did you mean {}?", names.join(", "))
        }
    }
}

/// What to do about a file that has other bytes than were written.
const OF_DAMAGE: &str = "`topsell lake verify` lists all damaged files, and `topsell lake repair` does what can be done about them";

/// What to do about a full disk.
const OF_FULL_DISK: &str = "`topsell lake prune` makes room, also where no byte is free: `--keep-versions 1h` removes \
                            superseded files, `--retention` old events";

fn hint_of_rollup(error: &RollupError) -> Option<&'static str> {
    match error {
        RollupError::ChangedMeanwhile => Some("nothing was committed; plan again with `topsell rollup plan`"),
        RollupError::Differing { .. } => Some(
            "nothing was replaced; check the files with `topsell lake verify`, and if the events are right, pass --yes",
        ),
        RollupError::Store(error) if error.is_damaged() => Some(OF_DAMAGE),
        error if error.is_full() => Some(OF_FULL_DISK),
        RollupError::Table(error) => hint_of_table(error),
        _ => None,
    }
}

fn hint_of_table(error: &TableError) -> Option<&'static str> {
    match error {
        error if error.is_damage() => Some(OF_DAMAGE),
        _ => None,
    }
}

fn exit_of_columns(error: &ColumnsError) -> Exit {
    match error {
        ColumnsError::Unreadable(_) | ColumnsError::Column(_) | ColumnsError::Unsorted => {
            Exit::DataCorruption
        }
        ColumnsError::Unwritable(_) => Exit::RuntimeError,
    }
}

fn exit_of_table(error: &TableError) -> Exit {
    if error.is_damage() { Exit::DataCorruption } else { Exit::RuntimeError }
}
