//! The metrics file that runs write for Prometheus node_exporter.

use crate::settings::Settings;
use topsell_core::rankings::RankingName;
use topsell_core::storage::local_files::write_atomically;
use topsell_ops::health;
use topsell_ops::health::Detail;

/// Writes the metrics file where one is configured; failing to write it does not fail the run.
pub fn write(settings: &Settings) {
    let Some(file) = settings.metrics_file() else { return };
    let Ok(store) = settings.store() else { return };
    // The run may have taken a while.
    let now = settings.clock.now().unwrap_or(settings.now);
    let text = health::metrics(
        &health::status(&store, &RankingName::default(), Detail::Sizes, now),
        env!("CARGO_PKG_VERSION"),
    );
    if let Err(error) = write_atomically(file, text.as_bytes()) {
        settings.note(&format!("warning: cannot write metrics: {}: {error}", file.display()));
    }
}
