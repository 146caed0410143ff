//! Progress bars on a terminal: how much, how fast, how much longer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::listeners::stage_name;
use crate::trace::{Listener, Signal, Stage};

/// Work that is done sooner than this shows no bar.
const QUIET_FOR: Duration = Duration::from_millis(250);

/// Draws a bar for each stage under way.
struct Bars {
    screen: MultiProgress,
    bars: Mutex<BTreeMap<Stage, Bar>>,
}

struct Bar {
    bar: ProgressBar,
    began: Instant,
    is_shown: bool,
}

/// Returns a listener that draws bars on stderr.
pub fn bars() -> Arc<dyn Listener> {
    Arc::new(Bars { screen: MultiProgress::new(), bars: Mutex::new(BTreeMap::new()) })
}

impl Listener for Bars {
    #[expect(clippy::disallowed_methods, reason = "this is the door: bars wait before they show")]
    fn hear(&self, signal: &Signal<'_>) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        match *signal {
            Signal::Begins { stage, total } => {
                let bar = ProgressBar::hidden();
                if let Some(total) = total {
                    bar.set_length(total);
                }
                let began = Instant::now();
                if let Some(old) = bars.insert(stage, Bar { bar, began, is_shown: false }) {
                    old.bar.finish_and_clear();
                }
            }
            Signal::Advances { stage, by } => {
                let Some(bar) = bars.get_mut(&stage) else { return };
                bar.bar.inc(by);
                if !bar.is_shown && bar.began.elapsed() > QUIET_FOR {
                    bar.is_shown = true;
                    bar.bar.set_style(style(stage, bar.bar.length().is_some()));
                    self.screen.add(bar.bar.clone());
                }
            }
            Signal::Ends { stage } => {
                if let Some(bar) = bars.remove(&stage) {
                    bar.bar.finish_and_clear();
                }
            }
            Signal::Counts { .. } | Signal::Warns(_) => {}
        }
    }
}

fn style(stage: Stage, has_total: bool) -> ProgressStyle {
    let name = stage_name(stage);
    let template = match (stage, has_total) {
        (Stage::Ingest, true) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        (Stage::Ingest, false) => "{spinner} {bytes} {bytes_per_sec}",
        (_, true) => "{bar:30} {human_pos}/{human_len} rows {per_sec}, {eta} left",
        (_, false) => "{spinner} {human_pos} rows {per_sec}",
    };
    ProgressStyle::with_template(&format!("{name:>8} {template}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
