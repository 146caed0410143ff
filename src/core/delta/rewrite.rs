//! Rewrites: files replaced by others, on top of whatever was committed since they were read.
//!
//! Invariant: files are replaced only while all of them are part of the table, so that no row is lost and none
//! comes back, however much others append meanwhile.

use std::collections::{BTreeSet, HashSet};

use crate::delta::commit::{Commit, CommitKind, NewFile, Outcome};
use crate::delta::error::TableError;
use crate::delta::files::LiveFile;
use crate::delta::table::{Table, Version};
use crate::storage::WrittenFiles;

/// How often a commit is tried again where others commit first, who do not wait for their turn.
pub const MAX_TRIES: u32 = 1_000;

/// Files that are replaced together.
#[derive(Clone, Default)]
pub struct Rewrite {
    pub removes: Vec<LiveFile>,
    /// Written and synced; none where the rows go, too.
    pub adds: Vec<NewFile>,
}

/// How much is replaced in one commit at most: more files than one hour or day has are not needed for it.
#[derive(Clone, Copy, Debug)]
pub struct StepLimits {
    pub files: usize,
    pub rows: u64,
}

impl Default for StepLimits {
    fn default() -> StepLimits {
        StepLimits { files: 2_000, rows: 4 << 20 }
    }
}

impl StepLimits {
    /// Cuts a list of what is to be replaced into steps, in its order; what is beyond the limits by itself is a
    /// step.
    pub fn steps<T>(self, all: Vec<T>, files: impl Fn(&T) -> &[LiveFile]) -> Vec<Vec<T>> {
        let mut steps: Vec<Vec<T>> = Vec::new();
        let (mut count, mut rows) = (0, 0);
        for one in all {
            let more = files(&one).len();
            let more_rows = files(&one).iter().map(|file| file.rows).sum::<u64>();
            let fits = count + more <= self.files && rows + more_rows <= self.rows;
            match steps.last_mut().filter(|_| fits) {
                Some(step) => step.push(one),
                None => {
                    (count, rows) = (0, 0);
                    steps.push(vec![one]);
                }
            }
            count += more;
            rows += more_rows;
        }
        steps
    }
}

/// Commits rewrites of files of one version, in as many steps as there are.
pub struct Rewriter<'a> {
    table: &'a Table,
    /// The last version that was looked at, and the files that were removed until then.
    seen: u64,
    gone: BTreeSet<String>,
    is_alone: bool,
}

impl<'a> Rewriter<'a> {
    /// Begins with a version whose files are to be replaced.
    pub fn of(version: &Version<'a>) -> Rewriter<'a> {
        Rewriter { table: version.table, seen: version.number(), gone: BTreeSet::new(), is_alone: true }
    }

    /// Commits those of some rewrites whose files are all still there, in turn with others who commit. Returns
    /// which of them were committed; the new files of the others are removed, if they were `written` for this.
    /// What is to be `recorded` of applications is, where all of them were committed.
    ///
    /// # Errors
    /// Fails where the log cannot be read or written; then nothing was replaced, and the new files are removed.
    pub fn commit(
        &mut self,
        kind: CommitKind,
        rewrites: &[Rewrite],
        written: Option<WrittenFiles>,
        recorded: &[(String, i64)],
        now_ms: i64,
    ) -> Result<Vec<bool>, TableError> {
        // What others have committed meanwhile is mostly read before the turn, which is short then.
        self.look(&self.table.newest()?)?;
        let _turn = self.table.wait_for_turn()?;
        for _ in 0..MAX_TRIES {
            let newest = self.table.newest()?;
            self.look(&newest)?;
            let is_there =
                |rewrite: &Rewrite| rewrite.removes.iter().all(|file| !self.gone.contains(&file.path));
            let standing: Vec<bool> = rewrites.iter().map(is_there).collect();
            let mut commit = commit_of(kind, rewrites, &standing, now_ms);
            if standing.iter().all(|stands| *stands) {
                commit.transactions = recorded.to_vec();
            }
            if commit.removes.is_empty() {
                return Ok(standing);
            }
            let outcome = newest.commit(&commit);
            let is_named = newest.may_name_files(&outcome);
            match outcome {
                Ok(Outcome::Conflict) => continue,
                Ok(Outcome::Committed(version)) => self.seen = version,
                Err(error) => {
                    written.filter(|_| is_named).into_iter().for_each(WrittenFiles::keep);
                    return Err(error);
                }
            }
            let used: HashSet<&str> = commit.adds.iter().map(|add| add.path.as_str()).collect();
            let below = self.table.name.len() + 1;
            let is_used = |path: &str| used.contains(&path[below..]);
            written.into_iter().for_each(|written| written.keep_those(&is_used));
            return Ok(standing);
        }
        Err(TableError::Contended { table: self.table.name.clone(), tries: MAX_TRIES })
    }

    /// Commits application ids and their versions, and nothing else, in turn with others who commit.
    ///
    /// # Errors
    /// Fails where the log cannot be read or written.
    pub fn record(&self, transactions: &[(String, i64)], now_ms: i64) -> Result<(), TableError> {
        let _turn = self.table.wait_for_turn()?;
        let transactions = transactions.to_vec();
        let commit = Commit { kind: CommitKind::Optimize, transactions, now_ms, ..Commit::default() };
        for _ in 0..MAX_TRIES {
            if let Outcome::Committed(_) = self.table.newest()?.commit(&commit)? {
                return Ok(());
            }
        }
        Err(TableError::Contended { table: self.table.name.clone(), tries: MAX_TRIES })
    }

    /// Returns whether nobody else has committed since it began.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Looks for files that were removed up to a version.
    fn look(&mut self, newest: &Version<'_>) -> Result<(), TableError> {
        self.is_alone &= newest.number() == self.seen;
        self.gone.extend(self.table.removed(self.seen, newest.number())?);
        self.seen = newest.number();
        Ok(())
    }
}

/// Returns the commit of the rewrites that stand.
fn commit_of(kind: CommitKind, rewrites: &[Rewrite], standing: &[bool], now_ms: i64) -> Commit {
    let mut commit = Commit { kind, now_ms, ..Commit::default() };
    for (rewrite, _) in rewrites.iter().zip(standing).filter(|(_, stands)| **stands) {
        commit.removes.extend(rewrite.removes.iter().cloned());
        commit.adds.extend(rewrite.adds.iter().cloned());
    }
    let rows = |rows: &mut dyn Iterator<Item = u64>| rows.sum::<u64>();
    let removed = rows(&mut commit.removes.iter().map(|file| file.rows));
    let added = rows(&mut commit.adds.iter().map(|file| file.rows));
    commit.metrics = vec![
        ("numAddedFiles", commit.adds.len() as u64),
        ("numRemovedFiles", commit.removes.len() as u64),
        ("numDeletedRows", removed.saturating_sub(added)),
    ];
    commit
}
