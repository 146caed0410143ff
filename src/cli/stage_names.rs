//! The names of stages and counts in run records and on progress bars.

use topsell_core::progress::{Count, Stage};

/// Returns a stage's name in records and on bars.
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Ingest => "ingest",
        Stage::Rollup => "rollup",
        Stage::Rank => "rank",
        Stage::Publish => "publish",
        Stage::CompactEvents => "compact_events",
        Stage::CompactAggregates => "compact_aggregates",
        Stage::ExpireHours => "expire_hours",
        Stage::Vacuum => "vacuum",
        Stage::ArchiveRuns => "archive_runs",
        Stage::VerifyFiles => "verify_files",
        Stage::VerifyRankings => "verify_rankings",
    }
}

/// Returns a count's name in run records.
pub fn count_name(count: Count) -> &'static str {
    match count {
        Count::LinesRead => "read",
        Count::LinesFiltered => "filtered",
        Count::EventsAccepted => "accepted",
        Count::LinesDuplicate => "duplicate",
        Count::LinesRejected => "rejected",
        Count::BatchesCommitted => "batches",
        Count::BatchesReplaced => "replaced_batches",
        Count::BatchesSkipped => "skipped_batches",
        Count::EventsCategorized => "categorized_events",
        Count::FilesFailed => "failed_inputs",
        Count::EventsRolledUp => "events",
        Count::EventsRepeated => "repeated_events",
        Count::EventIdsInConflict => "conflicting_event_ids",
        Count::EventsCorrected => "corrected_events",
        Count::HoursRebuilt => "hours",
        Count::RollupRows => "rollup_rows",
        Count::HoursDiffering => "differing_hours",
        Count::RowsDiffering => "differing_rows",
        Count::CategoriesRanked => "categories",
        Count::RowsRanked => "ranked_rows",
        Count::RowsNamed => "named_rows",
        Count::ItemTotalsRows => "item_totals_rows",
    }
}
