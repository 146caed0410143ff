//! The public API of the engine: the steps that a command or a job may run, and their outcomes.
//!
//! Invariant: no logic of its own; it calls the rooms in their order.

mod compute_ranking;
mod error;

use std::path::PathBuf;

use crate::delta::StepLimits;
use crate::distributed::{self, MergeFiles, MergedFiles, Plan, PlanOptions, RollupPlan};
use crate::ingest::{self, ParseOptions, StdinStream};
use crate::input_format::Mapping;
use crate::item_catalog::{CatalogFile, ItemCatalog, ItemNames};
use crate::lake;
use crate::lake::{DryRun, Lake, LakeError, LakeScope};
use crate::maintenance::{
    self, Compacted, Confirm, Pruned, RepairOutcome, Retention, Stats, StopRequest, Verified,
};
use crate::model::{EventTypes, Timestamp};
use crate::pipeline::compute_ranking::ranking_of;
use crate::progress::{Count, Progress, Stage};
use crate::rank::{FinishedRanking, Ranking, Rules};
use crate::rankings::{self, ItemTotalsWriter, Published, PublishedItemTotals};
use crate::rollup::{self, PlannedRollup, Replaces, Scope};
use crate::storage::{LockTimeout, Store};

pub use error::{Freshness, StepError};

/// A step to run on a lake.
pub enum Step {
    Ingest {
        plan: ingest::Plan,
        options: ingest::Options,
        mapping: Mapping,
        catalog: Option<CatalogFile>,
        slice_bytes: Option<u64>,
    },
    /// Ingests messages on standard input, and acknowledges each when it is committed.
    Acknowledge {
        options: ingest::Options,
        mapping: Mapping,
        catalog: Option<CatalogFile>,
        slice_bytes: Option<u64>,
    },
    Rollup {
        scope: Scope,
        replaces: Replaces,
        dry_run: DryRun,
    },
    /// Writes the plan of a rollup in several processes into the lake.
    PlanRollup {
        scope: Scope,
        replaces: Replaces,
        program: String,
        /// About how many parts there are; none for as many as are of a fitting size.
        parts: Option<u64>,
    },
    /// Commits the results of a plan's parts.
    CommitRollup {
        plan: PathBuf,
        program: String,
    },
    /// Ranks and publishes; the catalog has the names of the ranked items.
    Rank {
        rules: Rules,
        event_types: EventTypes,
        catalog: Option<CatalogFile>,
        /// Whether to publish item totals too.
        tail: bool,
        freshness: Option<Freshness>,
    },
    /// Writes the plan of a ranking in several processes.
    PlanRanking {
        rules: Rules,
        event_types: EventTypes,
        options: PlanOptions,
        freshness: Option<Freshness>,
        /// None for the lake, where all hosts have it.
        output: Option<PathBuf>,
    },
    /// Merges the results of a plan's parts, and publishes the ranking or writes another plan.
    MergeRanking {
        files: MergeFiles,
        catalog: Option<CatalogFile>,
    },
    Compact {
        dry_run: DryRun,
    },
    Prune {
        retention: Retention,
        dry_run: DryRun,
    },
    Verify {
        scope: LakeScope,
        /// Ends the verification before the next day.
        stop: StopRequest,
    },
    /// Repairs the lake, if the plan is confirmed.
    Repair {
        dry_run: DryRun,
        confirm: Confirm,
    },
    Stats,
}

/// Who runs a step, and when.
pub struct Caller {
    /// The name of the caller in the message that a lock is held.
    pub name: String,
    /// How long to wait for a lock that another run holds.
    pub lock_timeout: LockTimeout,
    pub now: Timestamp,
    /// Standard input, for a step that reads it.
    pub stdin: Option<StdinStream>,
}

/// The outcome of a step.
pub enum Done {
    Ingested {
        summary: ingest::Summary,
        dry_run: DryRun,
    },
    RolledUp(rollup::Summary),
    RollupPlanned(PlannedRollup),
    /// None where the rollups are up to date.
    RollupPartsPlanned(Option<(RollupPlan, PathBuf)>),
    Ranked {
        rolled_up: rollup::Summary,
        published: Published,
        totals: Option<PublishedItemTotals>,
    },
    RankingPlanned {
        rolled_up: Option<rollup::Summary>,
        plan: Plan,
        file: PathBuf,
        is_in_lake: bool,
    },
    RankingMerged {
        published: Published,
        totals: Option<PublishedItemTotals>,
    },
    Compacted {
        compacted: Compacted,
        dry_run: DryRun,
    },
    Pruned {
        pruned: Pruned,
        dry_run: DryRun,
    },
    Verified(Verified),
    Repaired(RepairOutcome<StepError>),
    Counted(Stats),
}

/// Runs one step on the lake in a store.
///
/// # Errors
/// Fails as the step does; the lake is then unchanged, or has a part of the step that is complete by
/// itself.
pub fn run(step: &Step, store: &Store, caller: &Caller, progress: &Progress) -> Result<Done, StepError> {
    let now_ms = caller.now.micros() / 1_000;
    match step {
        Step::Ingest { plan, options, mapping, catalog, slice_bytes } => {
            // Opened before anything is written, so that a bad catalog does not fail half-way.
            let catalog = catalog.as_ref().map(ItemCatalog::open).transpose()?;
            // A run that writes nothing does not create a lake.
            let writes = options.dry_run == DryRun::No && !plan.inputs.is_empty();
            let lake = if writes {
                Some(Lake::open_or_create(store.clone(), *slice_bytes)?)
            } else {
                match Lake::open(store.clone()) {
                    Err(LakeError::Missing { .. }) => None,
                    lake => Some(lake?),
                }
            };
            let parse_options = ParseOptions { mapping, catalog: catalog.as_ref() };
            let stdin = caller.stdin.as_ref();
            let summary = ingest::ingest(lake.as_ref(), plan, stdin, *options, parse_options, progress)?;
            Ok(Done::Ingested { summary, dry_run: options.dry_run })
        }
        Step::Acknowledge { options, mapping, catalog, slice_bytes } => {
            let catalog = catalog.as_ref().map(ItemCatalog::open).transpose()?;
            let parse_options = ParseOptions { mapping, catalog: catalog.as_ref() };
            let lake = Lake::open_or_create(store.clone(), *slice_bytes)?;
            let summary = match &caller.stdin {
                Some(stdin) => ingest::acknowledge(&lake, stdin, *options, parse_options, progress)?,
                None => ingest::Summary::default(),
            };
            Ok(Done::Ingested { summary, dry_run: options.dry_run })
        }
        Step::Rollup { scope, dry_run: DryRun::Yes, .. } => {
            Ok(Done::RollupPlanned(rollup::dry_run(&Lake::open(store.clone())?, *scope)?))
        }
        Step::Rollup { scope, replaces, dry_run: DryRun::No } => {
            let lake = Lake::open(store.clone())?;
            let _lock = lake.lock_rollups(&caller.name, caller.lock_timeout)?;
            Ok(Done::RolledUp(rollup::rollup(&lake, *scope, *replaces, now_ms, progress)?))
        }
        Step::PlanRollup { scope, replaces, program, parts } => {
            let lake = Lake::open(store.clone())?;
            let _lock = lake.lock_rollups(&caller.name, caller.lock_timeout)?;
            let planned = distributed::write_rollup_plan(&lake, *scope, *replaces, program, *parts)?;
            Ok(Done::RollupPartsPlanned(planned))
        }
        Step::CommitRollup { plan, program } => {
            let lake = Lake::open(store.clone())?;
            let _lock = lake.lock_rollups(&caller.name, caller.lock_timeout)?;
            Ok(Done::RolledUp(distributed::commit_rollup(&lake, plan, program, now_ms, progress)?))
        }
        Step::Rank { rules, event_types, catalog, tail, freshness } => {
            let lake = Lake::open(store.clone())?;
            let names = catalog.as_ref().map(ItemNames::open).transpose()?;
            let _lock = lake.lock_rollups(&caller.name, caller.lock_timeout)?;
            let rolled_up = rollup::rollup(&lake, Scope::Changed, Replaces::DamagedOnly, now_ms, progress)?;
            if let Some(freshness) = freshness {
                freshness.check(lake::newest_hour(store, &event_types.counted, rules.window.as_of())?)?;
            }
            let (published, totals) = rank(store, rules, event_types, names, *tail, progress)?;
            Ok(Done::Ranked { rolled_up, published, totals })
        }
        Step::PlanRanking { rules, event_types, options, freshness, output } => {
            let lake = Lake::open(store.clone())?;
            let _lock = lake.lock_rollups(&caller.name, caller.lock_timeout)?;
            let rolled_up = rollup::rollup(&lake, Scope::Changed, Replaces::DamagedOnly, now_ms, progress)?;
            if let Some(freshness) = freshness {
                freshness.check(lake::newest_hour(store, &event_types.counted, rules.window.as_of())?)?;
            }
            let (plan, file) =
                distributed::write_plan(store, rules, event_types, options, output.as_deref())?;
            let is_in_lake = output.is_none();
            Ok(Done::RankingPlanned { rolled_up: Some(rolled_up), plan, file, is_in_lake })
        }
        Step::MergeRanking { files, catalog } => {
            let lake = Lake::open(store.clone())?;
            let names = catalog.as_ref().map(ItemNames::open).transpose()?;
            let _lock = lake.lock_rollups(&caller.name, caller.lock_timeout)?;
            Ok(match distributed::merge_files(store, files)? {
                MergedFiles::Done { finished, plan } => {
                    let (published, totals) = publish_merged(store, finished, names, &plan, files, progress)?;
                    if files.next.is_none() {
                        distributed::remove_files(store, &files.plan);
                    }
                    Done::RankingMerged { published, totals }
                }
                MergedFiles::Next { plan, file } => {
                    let is_in_lake = files.next.is_none();
                    Done::RankingPlanned { rolled_up: None, plan: *plan, file, is_in_lake }
                }
            })
        }
        Step::Compact { dry_run } => {
            let lake = Lake::open(store.clone())?;
            let _lock = lake.lock_compaction(&caller.name, caller.lock_timeout)?;
            let limits = StepLimits::default();
            Ok(Done::Compacted {
                compacted: maintenance::compact(&lake, caller.now, limits, *dry_run, progress)?,
                dry_run: *dry_run,
            })
        }
        Step::Prune { retention, dry_run } => {
            let lake = Lake::open(store.clone())?;
            let _lock = lake.lock_maintenance(&caller.name, caller.lock_timeout)?;
            Ok(Done::Pruned {
                pruned: maintenance::prune(&lake, retention, caller.now, *dry_run, progress)?,
                dry_run: *dry_run,
            })
        }
        Step::Verify { scope, stop } => {
            Ok(Done::Verified(maintenance::verify(store, *scope, stop, progress)?))
        }
        Step::Repair { dry_run, confirm } => {
            let _lock = match dry_run {
                DryRun::Yes => None,
                DryRun::No => Some(lake::lock_maintenance(store, &caller.name, caller.lock_timeout)?),
            };
            let recompute = |path: &str| recomputed(store, path, progress);
            Ok(Done::Repaired(maintenance::repair::<StepError>(
                store, *dry_run, confirm, &recompute, caller.now, progress,
            )?))
        }
        Step::Stats => Ok(Done::Counted(maintenance::stats(&Lake::open(store.clone())?)?)),
    }
}

/// Computes a damaged ranking again, and returns whether that gave the same bytes; none where it cannot be computed
/// now, as on a full disk.
fn recomputed(store: &Store, path: &str, progress: &Progress) -> Option<bool> {
    let Some((rules, event_types)) = rankings::rules_of(store, path) else { return Some(false) };
    let finished = ranking_of(store, &rules, &event_types, None, progress).ok()?;
    rankings::restore(store, path, &finished.ranking, &rules, &event_types).ok()
}

fn rank(
    store: &Store,
    rules: &Rules,
    event_types: &EventTypes,
    names: Option<ItemNames>,
    tail: bool,
    progress: &Progress,
) -> Result<(Published, Option<PublishedItemTotals>), StepError> {
    let draft = if tail { Some(ItemTotalsWriter::begin(store)?) } else { None };
    let finished = ranking_of(store, rules, event_types, draft.as_ref(), progress)?;
    progress.begin(Stage::Publish, None);
    let FinishedRanking { ranking, rounds } = finished;
    // Given away, so that the best items are dropped before all others are sorted.
    let published = publish(store, ranking, names, rules, event_types)?;
    let totals = draft.map(|draft| draft.publish(&rounds, rules, event_types, &published)).transpose()?;
    progress.end(Stage::Publish);
    count_published(&published, progress);
    if let Some(totals) = &totals {
        progress.count(Count::ItemTotalsRows, totals.rows);
    }
    Ok((published, totals))
}

/// Publishes a ranking whose parts were merged, and the item totals that its parts have left in the lake.
fn publish_merged(
    store: &Store,
    finished: FinishedRanking,
    names: Option<ItemNames>,
    plan: &Plan,
    files: &MergeFiles,
    progress: &Progress,
) -> Result<(Published, Option<PublishedItemTotals>), StepError> {
    let (rules, event_types) = (plan.rules(), plan.event_types());
    let FinishedRanking { ranking, rounds } = finished;
    progress.begin(Stage::Publish, None);
    let mut draft = None;
    if plan.wants_item_totals() {
        // Before anything is published: one of them may be missing.
        let writer = draft.insert(ItemTotalsWriter::begin(store)?);
        distributed::for_each_item_totals(store, plan, &files.plan, &mut |top, round, totals| {
            writer.add(top, round, totals).map_err(StepError::from)
        })?;
    }
    let published = publish(store, ranking, names, rules, &event_types)?;
    let totals = draft.map(|draft| draft.publish(&rounds, rules, &event_types, &published)).transpose()?;
    progress.end(Stage::Publish);
    count_published(&published, progress);
    if let Some(totals) = &totals {
        progress.count(Count::ItemTotalsRows, totals.rows);
    }
    Ok((published, totals))
}

fn count_published(published: &Published, progress: &Progress) {
    progress.count(Count::CategoriesRanked, published.categories);
    progress.count(Count::RowsRanked, published.rows);
    if let Some(named) = published.named {
        progress.count(Count::RowsNamed, named);
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the ranking is large, and freed before item totals are sorted"
)]
fn publish(
    store: &Store,
    ranking: Ranking,
    names: Option<ItemNames>,
    rules: &Rules,
    event_types: &EventTypes,
) -> Result<Published, StepError> {
    let names = names.map(|names| names.names_of(ranking.items())).transpose()?;
    Ok(rankings::publish(store, &ranking, names.as_ref(), rules, event_types)?)
}
