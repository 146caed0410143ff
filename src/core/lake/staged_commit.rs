//! One commit for the batches of many who ingest into the same bucket at the same time.
//!
//! Who has the lease `staged/events.lock` commits its own batches and those of all manifests that are there. Who does not
//! get the lease writes a manifest, and waits until the manifest is gone or the lease is free:
//!
//! | who is killed | what is left |
//! |---|---|
//! | who writes files | files that no commit names |
//! | who waits, and has a manifest | its batches are committed by the next one; who ingests them again finds them |
//! | who commits, before the commit | its lease, which is over after a while, and the manifests of the others |
//! | who commits, before it removes the manifests | manifests whose batches are in the log: the next one removes them |
//!
//! Invariant: the lease keeps committers from racing, and nothing else depends on it. A batch is in the log once, since
//! each commit is decided by the version that it is based on; a manifest is removed after that. The files of a batch that
//! had a manifest are never removed by who wrote them: somebody may be about to commit them.

use crate::delta::Version;
use crate::lake::decide::{CommitDraft, CommitOutcome, DuplicatePolicy, LogView, settle_rejects};
use crate::lake::error::LakeError;
use crate::lake::events::events_log;
use crate::lake::layout::STAGED;
use crate::lake::manifest::{Manifest, Others, is_manifest, manifest_of, new_manifest};
use crate::lake::open::Lake;
use crate::lake::replace::Remainders;
use crate::lake::staged_files::StagedFiles;
use crate::storage::{Lock, StoreError, StoredFile};

/// In the folder of the manifests, so that the same listing tells the time of the bucket's store.
const LEASE: &str = "staged/events.lock";
/// Who has the lease, for those who look.
const HOLDER: &str = "an ingest that commits";
/// Of so many times that a lease is asked for, it is taken over once where it is over.
const ASKS_PER_LOOK: u32 = 8;
/// How many times it is asked for before that is said.
const QUIET_ASKS: u32 = 16;
/// How many times a lease is asked for by those who can do without: it only saves them from racing.
const MAX_ASKS: u32 = 100;
/// How long a manifest is committed by others. Its files are kept for longer than this where it is not.
const MAX_AGE_MS: i64 = 3_600_000;
/// How many files of others one commit takes.
const MAX_FILES: usize = 4_096;

/// A manifest that this process has written, and a version before it.
struct OwnManifest {
    path: String,
    since: u64,
}

impl Lake {
    /// Commits new batches of a lake in a bucket together with those of others, or lets another one commit them, and
    /// returns the outcome of each.
    pub(super) fn commit_in_bucket(
        &self,
        together: &mut [StagedFiles<'_>],
        now_ms: i64,
    ) -> Result<Vec<CommitOutcome>, LakeError> {
        if let Some(lease) = self.store.lease(LEASE, HOLDER)? {
            return self.commit_with_others(&lease, None, together, now_ms);
        }
        let Some(mut own) = self.stage(together)? else {
            let mut others = Others { are_expected: true, ..Others::default() };
            return self.commit_on_newest(DuplicatePolicy::Skip, together, &mut others, now_ms);
        };
        for asked in 1_u32.. {
            self.store.back_off();
            if !self.store.has_object(&own.path)? {
                if let Some(outcomes) = self.committed_by_another(&own, together)? {
                    settle_rejects(DuplicatePolicy::Skip, together, &outcomes);
                    return Ok(outcomes);
                }
                // Somebody has removed it by hand.
                own = OwnManifest { since: own.since, ..self.stage(together)?.unwrap_or(own) };
            }
            if let Some(lease) = self.ask_for_commit(asked)? {
                return self.commit_with_others(&lease, Some(&own), together, now_ms);
            }
            if asked == QUIET_ASKS {
                self.store.tell_waiting("waiting for another ingest, which commits");
            }
        }
        Ok(Vec::new())
    }

    /// Takes the lease for a commit that is not made together with others; none in a folder, and where others have it for
    /// too long.
    pub(super) fn wait_for_lease(&self) -> Result<Option<Lock>, LakeError> {
        for asked in 1..=MAX_ASKS {
            match self.ask_for_commit(asked)? {
                None if self.store.is_bucket() => self.store.back_off(),
                lease => return Ok(lease),
            }
        }
        Ok(None)
    }

    /// Asks for the lease once more.
    fn ask_for_commit(&self, asked: u32) -> Result<Option<Lock>, StoreError> {
        match asked.is_multiple_of(ASKS_PER_LOOK) {
            true => self.store.take_over_lease(LEASE, HOLDER),
            false => self.store.lease(LEASE, HOLDER),
        }
    }

    /// Decides the batches of others after one's own.
    pub(super) fn decide_others(&self, view: &LogView<'_>, others: &mut Others<'_>, draft: &mut CommitDraft) {
        others.settled.clear();
        for Manifest { path, sets } in &others.manifests {
            let mut remainders = Remainders::of(self, &[]);
            draft.begin_writer();
            let decided = sets.iter().try_for_each(|staged| {
                self.decide(view, DuplicatePolicy::Skip, staged, &mut remainders, draft).map(drop)
            });
            match decided {
                // Of another currency: its writer hears of it.
                Ok(()) | Err(LakeError::OtherCurrency { .. }) => others.settled.push(path.clone()),
                // Its writer tries it.
                Err(_) => {}
            }
        }
    }

    /// Writes a manifest of batches; none where one cannot be written.
    fn stage(&self, together: &mut [StagedFiles<'_>]) -> Result<Option<OwnManifest>, LakeError> {
        let Some(manifest) = manifest_of(together) else { return Ok(None) };
        let own = OwnManifest { path: new_manifest(), since: self.events.newest_known()?.number() };
        // Also where the answer of the store is lost.
        together.iter_mut().for_each(|staged| staged.is_named = true);
        self.store.put_new(&own.path, manifest.into())?;
        Ok(Some(own))
    }

    /// Commits one's own batches and those of all manifests.
    fn commit_with_others(
        &self,
        _lease: &Lock,
        own: Option<&OwnManifest>,
        together: &mut [StagedFiles<'_>],
        now_ms: i64,
    ) -> Result<Vec<CommitOutcome>, LakeError> {
        let known = self.events.newest_known()?.number();
        // Each is a request, and neither depends on the other: a manifest whose batches get into the log in between is
        // decided by a version that the commit then is in conflict with.
        let (newest, others) = std::thread::scope(|scope| {
            let newest = scope.spawn(|| self.events.newest().map(drop));
            let others = self.others(own);
            (newest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), others)
        });
        newest?;
        let mut others = Others { knows_newest: true, ..others? };
        if !others.manifests.is_empty() {
            // Another run may have read the same file, and noted that, since this one has looked.
            let inputs = others.manifests.iter().flat_map(Manifest::inputs).collect();
            self.inputs.read_again(&self.store, known, inputs)?;
        }
        others.are_expected = own.is_some() || !others.manifests.is_empty();
        others.known = Some(known);
        let mut outcomes = self.commit_on_newest(DuplicatePolicy::Skip, together, &mut others, now_ms)?;
        if let Some(own) = own {
            others.settled.push(own.path.clone());
            // Another one may have committed them before it was killed.
            let is_known = |outcome: &CommitOutcome| matches!(outcome, CommitOutcome::AlreadyIngested { .. });
            if outcomes.iter().any(is_known) {
                let newest = self.events.newest()?;
                let are_in_log = self.are_in_log(own, together, &newest)?;
                for (outcome, is_in_log) in outcomes.iter_mut().zip(are_in_log) {
                    if is_in_log && is_known(outcome) {
                        *outcome = CommitOutcome::Committed;
                    }
                }
                settle_rejects(DuplicatePolicy::Skip, together, &outcomes);
            }
        }
        // Those that are left are known by the log.
        let _ = self.store.delete_objects(&others.settled);
        Ok(outcomes)
    }

    /// Reads the manifests of others.
    fn others(&self, own: Option<&OwnManifest>) -> Result<Others<'_>, LakeError> {
        let listed = self.store.files(STAGED)?;
        let now_ms = listed.iter().map(|file| file.modified_ms).max().unwrap_or_default();
        let is_wanted = |file: &StoredFile| {
            is_manifest(&file.path)
                && now_ms - file.modified_ms <= MAX_AGE_MS
                && own.is_none_or(|own| own.path != file.path)
        };
        let mut paths: Vec<String> = listed.into_iter().filter(is_wanted).map(|file| file.path).collect();
        // Their names are in the order of time.
        paths.sort_unstable();
        let mut files = 0;
        let found = self.store.get_objects(paths)?.into_iter();
        let mut manifests: Vec<Manifest<'_>> =
            found.filter_map(|(path, bytes)| Manifest::parse(self, path, &bytes)).collect();
        manifests.retain(|manifest| {
            files += manifest.files();
            files <= MAX_FILES || files == manifest.files()
        });
        Ok(Others { manifests, ..Others::default() })
    }

    /// Returns the outcomes of batches whose manifest is gone; none where they are not committed.
    fn committed_by_another(
        &self,
        own: &OwnManifest,
        together: &[StagedFiles<'_>],
    ) -> Result<Option<Vec<CommitOutcome>>, LakeError> {
        let newest = self.events.newest()?;
        let are_in_log = self.are_in_log(own, together, &newest)?;
        if together.iter().zip(&are_in_log).all(|(staged, is_in_log)| *is_in_log || staged.adds.is_empty()) {
            let outcome =
                |is_in_log| if is_in_log { CommitOutcome::Committed } else { CommitOutcome::Nothing };
            return Ok(Some(are_in_log.into_iter().map(outcome).collect()));
        }
        let view = LogView::of_all_ids(self, &newest)?.unwrap_or_else(|| LogView::of(self, &newest));
        let (mut draft, mut remainders) = (CommitDraft::default(), Remainders::of(self, &[]));
        let mut outcomes = Vec::new();
        for (staged, is_in_log) in together.iter().zip(are_in_log) {
            if is_in_log {
                outcomes.push(CommitOutcome::Committed);
                continue;
            }
            let outcome = self.decide(&view, DuplicatePolicy::Skip, staged, &mut remainders, &mut draft)?;
            if outcome == CommitOutcome::Committed {
                return Ok(None);
            }
            outcomes.push(outcome);
        }
        Ok(Some(outcomes))
    }

    /// Returns for each of some staged sets whether the log has its files.
    fn are_in_log(
        &self,
        own: &OwnManifest,
        together: &[StagedFiles<'_>],
        newest: &Version<'_>,
    ) -> Result<Vec<bool>, LakeError> {
        let added = events_log(&self.store).added_since(own.since, newest.number())?;
        let is_in_log =
            |staged: &StagedFiles<'_>| staged.adds.first().is_some_and(|file| added.contains(&file.path));
        Ok(together.iter().map(is_in_log).collect())
    }
}
